//! SQL on synthetic traces: what the tables hold, what is pushed down, and what a cluster makes of the same queries.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

mod cluster;
mod common;
mod events;
mod files;
mod plans;
mod s3;
