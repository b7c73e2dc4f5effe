//! Tests of the program as a whole, on committed fixtures, freshly written synthetic traces, and real traces where the
//! corpus is at hand.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, unreachable_pub)]

mod afd_log;
mod agree;
mod batch;
mod beside;
mod cases;
mod cli;
mod codes;
mod commands;
mod common;
mod corpus;
mod damaged;
mod equivalence;
mod events;
mod explain;
mod first_screen;
mod folders;
mod growth;
mod holders;
mod html;
mod inputs;
#[cfg(unix)]
mod interrupt;
mod json_schema;
mod judgement;
mod listing_cases;
mod listings;
mod machines;
mod markdown;
mod outputs;
mod owners;
mod packets;
mod posted;
mod profiles;
mod redaction;
mod reports;
mod robustness;
mod scenarios;
mod schema;
mod shell;
mod side;
mod side_inputs;
mod traces;
mod windows;
