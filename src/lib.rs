//! Reads an ETW trace and says which processes ran out of ports.
//!
//! From left to right, each step knowing only those before it:
//!
//! 1. [`case`] finds the traces and side files of a case: files, standard input, folders, cabinets, archives.
//! 2. `etl-parser` reads the file format: buffers, records, times. It knows no provider.
//! 3. [`providers`] decode payloads into the events of [`event`]; [`side`] reads listings.
//! 4. [`pipeline`] reads buffers on all threads and puts their events into one order by time.
//! 5. [`machine`] follows processes, sockets and ports through the events.
//! 6. [`diagnosis`] says what that means: verdict, holders, other causes, what to do next.
//! 7. [`report`] turns the diagnosis into plain data and prints it: text, Markdown, HTML, JSON, CSV. [`info`] does so for what a file holds.
//! 8. `etw-schema` decodes any event whose schema is known, [`events`] lists events one by one.
//! 9. [`packets`] writes captured packets as a capture file, each with the process that owns its flow.
//! 10. [`live`] takes events from a session on the running machine instead of a file, and asks the machine what no trace tells.
//!
//! `batch` does all of that for many cases, and writes tables of them.
//!
//! [`cli`] holds the options, [`commands`] has one file for each subcommand. Both, [`terminal`] and [`live`] come with the feature
//! `cli`; without it the library also builds for WebAssembly, where a case is bytes and not paths.

pub mod analyze;
#[cfg(not(target_family = "wasm"))]
pub mod batch;
pub mod case;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod commands;
pub mod diagnosis;
pub mod event;
pub mod events;
pub mod foreign;
pub mod hash;
pub mod info;
#[cfg(feature = "cli")]
pub mod live;
pub mod machine;
pub mod net;
pub mod output;
pub mod packets;
pub mod pipeline;
pub mod progress;
pub mod providers;
pub mod report;
pub mod side;
pub mod status;
#[cfg(feature = "cli")]
pub mod terminal;
pub mod time;
pub mod words;

pub use analyze::{Analyzed, Options, analyze};
pub use case::{Case, Error};
pub use progress::{NoProgress, Progress, Stopped};
pub use report::Format;
