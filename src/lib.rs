//! Reads an ETW trace and says which processes ran out of ports.
//!
//! From left to right, each step knowing only those before it:
//!
//! 1. [`input`] finds the traces and side files of a case: files, standard input, folders, cabinets, archives.
//! 2. `etl-parser` reads the file format: buffers, records, times. It knows no provider.
//! 3. [`providers`] decode payloads into the events of [`event`].
//! 4. [`pipeline`] reads buffers on all threads and puts their events into one order by time.
//! 5. [`analysis`] follows processes and sockets through the events, and draws the verdict.
//! 6. [`report`] turns findings into plain data and prints it: text, JSON, CSV. [`info`] does so for what a file holds.
//! 7. `etw-schema` decodes any event whose schema is known, [`events`] lists events one by one.
//! 8. [`live`] takes events from a session on the running machine instead of a file, and asks the machine what no trace tells.
//!
//! [`cli`] holds the options, [`run`] connects the steps.

pub mod analysis;
pub mod cli;
mod contained;
pub mod error;
pub mod event;
pub mod events;
pub mod hash;
mod indexing;
pub mod info;
pub mod input;
pub mod live;
pub mod net;
mod partial;
pub mod pipeline;
pub mod providers;
pub mod report;
pub mod run;
pub mod side;
pub mod status;
pub mod time;
