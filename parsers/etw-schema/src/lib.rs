//! Schemas: how the payload of any event is laid out, and what its fields are called.
//!
//! One [`Layout`] model, one [decoder](decode()), and four sources that translate into it:
//!
//! 1. [`event_info`]: event metadata that a merge put into the trace;
//! 2. [`tracelogging`]: events that describe themselves;
//! 3. [`manifest`]: what .NET event sources write into the trace;
//! 4. [`tables`]: built-in tables of the providers that this program reasons about.
//!
//! [`Schemas`] learns from the records of a trace and decodes others. What events mean is decided elsewhere.
//!
//! # Untrusted input
//!
//! Schemas come from the trace, as payloads do. Offsets and references are checked, nesting, number of values and memory
//! are bounded by named constants, and what cannot be read is told in the answer.

mod address;
mod compare;
mod cursor;
mod decode;
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
pub use event::{EventKey, EventSchema, KeyKind, SchemaError, SchemaSource};
pub use layout::{Content, Count, Field, Layout, Length, MAX_DEPTH, MapRef, Scalar};
pub use map::{Map, MapEntry, MapKey, MapKind};
pub use schemas::{DecodedEvent, LearnedCounts, NotDecoded, Schemas};
pub use status::NtStatus;
pub use types::{InType, OutType};
pub use value::{FieldValue, FieldValues, Sid, SystemTime, Value, hexadecimal};
