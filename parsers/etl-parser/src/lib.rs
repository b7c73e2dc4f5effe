//! Reads Event Trace Log files (`.etl`), the files that Event Tracing for Windows (ETW) writes, on any system.
//!
//! The crate knows the file format and nothing else: no provider's payloads, no printing, no threads. Decoded fields are
//! for `etw-schema`, which stands on top of it.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/synthetic/modern-64.etl");
//! # if !std::path::Path::new(path).exists() { return Ok(()) }
//! let file = etl_parser::EtlFile::open(path)?;
//! let trace = file.trace()?;
//! for record in trace.records() {
//!     match record {
//!         Ok(record) => println!("{} {:?} {:?}", record.time(), record.provider(), record.id()),
//!         Err(damage) => eprintln!("{damage}"), // says where, and what it costs; the next record follows
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Two ways to read
//!
//! [`Trace::records`] gives all records in the order of their times, each with its time, on one thread.
//!
//! For more speed, [`Trace::buffer`] opens one buffer, and [`Buffer::records`] walks its records, borrowed and without a
//! copy. Buffers are independent: open them on as many threads as you like, in [`Trace::reading_order`] where the order
//! matters later. [`Trace::prefetch`] and [`EtlFile::release`] are hints for large files, `examples/parallel_scan.rs` is
//! the whole of it:
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = etl_parser::EtlFile::open("server.etl")?;
//! let trace = file.trace()?;
//! let mut scratch = Vec::new(); // room to decompress into, one for each thread
//! for position in 0..trace.buffers().len() {
//!     for record in trace.buffer(position, &mut scratch)?.records() {
//!         let record = record?; // damage ends this buffer and nothing more
//!         let _ = (record.kind(), record.ticks().map(|ticks| trace.clock().file_time(ticks)), record.user_data());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Layouts, the source of each claim, and where sources disagree: `FORMAT.md` beside this crate.
//!
//! # Features
//!
//! - `mmap` (default): [`EtlFile::open`] maps files into memory instead of reading them. Without it the crate has no
//!   `unsafe` code.
//! - `serde`: `Serialize` for [`FileTime`] and [`Guid`].
//!
//! # Untrusted input
//!
//! Every number from a file is checked before use: arithmetic is checked, allocation is bounded by
//! [`MAX_BUFFER_BYTES`], every loop advances. Damage is local and reported as an [`Error`] that says where.
//! The only `unsafe` code is the memory map; see [`EtlFile::open`] for what that means when a file shrinks while mapped.

#![cfg_attr(not(feature = "mmap"), forbid(unsafe_code))]

mod buffer;
mod bytes;
mod clock;
mod error;
mod extended;
mod file;
mod guid;
mod kernel;
mod logfile_header;
mod merge;
mod record;
mod time;
mod trace;
pub mod xpress;

pub use buffer::{Buffer, BufferFlags, BufferHeader, BufferInfo, BufferState, BufferType, MAX_BUFFER_BYTES};
pub use clock::{Clock, ClockKind};
pub use error::{Consequence, Error, ErrorKind};
pub use extended::{ExtendedItem, ExtendedItemType, ExtendedItems, ExtendedValue, StackTrace};
pub use file::EtlFile;
pub use guid::{Guid, ParseGuidError};
pub use kernel::{HookId, group_guid, group_name};
pub use logfile_header::{LogFileMode, LogfileHeader, TimeZone};
pub use merge::{OrderedRecord, OrderedRecords};
pub use record::{
    ClassicHeader, EventHead, EventHeader, HeaderType, InstanceHeader, MessageHeader, PerfinfoHeader, PointerSize,
    Record, RecordHeader, RecordKind, Records, SystemHeader,
};
pub use time::FileTime;
pub use trace::{Stream, Trace};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
