//! Decodes the events of a trace into named values, by the schemas that the trace carries, on any system.
//!
//! [`Schemas`] learns what a trace says about its events, and decodes its records:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/synthetic/modern-64.etl");
//! # if !std::path::Path::new(path).exists() { return Ok(()) }
//! let file = etl_parser::EtlFile::open(path)?;
//! let trace = file.trace()?;
//! let schemas = etw_schema::Schemas::from_trace(&trace);
//! for record in trace.records() {
//!     let record = record?;
//!     match schemas.decode(&record) {
//!         Ok(event) => {
//!             println!("{} {}", record.time(), event.name().unwrap_or_default());
//!             for (name, value) in event.fields().iter() {
//!                 println!("  {name} = {value}");
//!             }
//!             if let Some(missing) = event.missing() {
//!                 println!("  {missing}"); // the payload is shorter than its schema
//!             }
//!         }
//!         Err(reason) => println!("{} {reason}", record.time()),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! One [`Layout`] model, one [decoder](decode()), and four sources that translate into it, in this order:
//!
//! 1. [`tracelogging`]: events that describe themselves;
//! 2. [`event_info`]: event metadata that a merge put into the trace;
//! 3. [`manifest`]: what .NET event sources write into the trace;
//! 4. [`tables`]: built-in tables of common network and process providers.
//!
//! What events mean is not this crate's subject. Those who decode a payload by hand find [`ByteCursor`],
//! [`socket_address`] and [`Sid`] here.
//!
//! # Features
//!
//! - `serde`: `Serialize` for [`Value`] and [`FieldValues`] (an object of the fields in their order), [`NtStatus`], and
//!   what `etl-parser` has.
//!
//! # Untrusted input
//!
//! Schemas come from the trace, as payloads do. Offsets and references are checked, nesting, number of values and memory
//! are bounded by named constants, and what cannot be read is told in the answer.

#![forbid(unsafe_code)]

mod address;
mod compare;
mod cursor;
mod decode;
mod decoded;
mod event;
pub mod event_info;
mod layout;
pub mod manifest;
mod map;
mod scalar;
mod schemas;
#[cfg(feature = "serde")]
mod serialize;
mod status;
pub mod tables;
pub mod tracelogging;
mod types;
mod value;

pub use address::socket_address;
pub use compare::{DifferenceKind, LayoutDifference};
pub use cursor::{ByteCursor, ansi_text, utf16_text};
pub use decode::{DecodedPayload, Maps, Missing, MissingReason, decode};
pub use decoded::{DecodedEvent, NotDecoded};
pub use event::{EventKey, EventSchema, KeyKind, SchemaError, SchemaSource};
pub use layout::{Content, Count, Field, Layout, Length, MAX_DEPTH, MapRef, Scalar};
pub use map::{Map, MapEntry, MapKey, MapKind};
pub use schemas::{LearnedCounts, Schemas};
pub use status::NtStatus;
pub use types::{InType, OutType};
pub use value::{FieldValue, FieldValues, Sid, SystemTime, Value, hexadecimal};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
