//! Reads Event Trace Log files (`.etl`), the files that Event Tracing for Windows (ETW) writes, on any system.
//!
//! The crate knows the file format and nothing else: no provider's payloads, no printing, no threads.
//! It walks [`Trace`] → [`Buffer`] → [`Record`]:
//!
//! 1. [`EtlFile::open`] maps the file (or reads it where mapping is not possible).
//! 2. [`Trace::new`] checks the first buffer and indexes all others by their headers, to the end of the file.
//! 3. [`Trace::buffer`] gives one buffer's bytes, decompressed where they are compressed. Buffers are independent,
//!    so callers may open them on as many threads as they like.
//! 4. [`Buffer::records`] walks the records of a buffer; a damaged record ends its buffer and nothing more.
//! 5. [`Trace::records_in_time_order`] merges the per-processor streams by time, the same way every time.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = etl_parser::EtlFile::open("server.etl".as_ref())?;
//! let trace = etl_parser::Trace::new(file.bytes())?;
//! let mut scratch = Vec::new();
//! for index in 0..trace.buffers().len() {
//!     let buffer = trace.buffer(index, &mut scratch)?;
//!     for record in buffer.records() {
//!         let record = record?;
//!         let _ = (record.kind(), record.ticks().map(|t| trace.clock().file_time(t)), record.user_data());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Layouts, the source of each claim, and where sources disagree: `FORMAT.md` beside this crate.
//!
//! # Untrusted input
//!
//! Every number from a file is checked before use: arithmetic is checked, allocation is bounded by
//! [`MAX_BUFFER_BYTES`], every loop advances. Damage is local and reported as an [`Error`] that says where.
//! The only `unsafe` code is the memory map; see [`EtlFile::open`] for what that means when a file shrinks while mapped.

mod buffer;
mod bytes;
mod clock;
mod compress;
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

pub use buffer::{Buffer, BufferFlags, BufferHeader, BufferInfo, BufferState, BufferType, MAX_BUFFER_BYTES};
pub use clock::{Clock, ClockKind};
pub use compress::{Algorithm, decompress};
pub use error::{Consequence, Error, ErrorKind};
pub use extended::{ExtendedItem, ExtendedItemType, ExtendedItems, ExtendedValue, StackTrace};
pub use file::EtlFile;
pub use guid::Guid;
pub use kernel::{HookId, group_guid, group_name};
pub use logfile_header::{LogFileMode, LogfileHeader, TimeZone};
pub use merge::{OrderedRecord, OrderedRecords};
pub use record::{
    ClassicHeader, EventHeader, HeaderType, InstanceHeader, MessageHeader, PerfinfoHeader, PointerSize, Record,
    RecordHeader, RecordKind, Records, SystemHeader,
};
pub use time::FileTime;
pub use trace::{Stream, Trace};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
