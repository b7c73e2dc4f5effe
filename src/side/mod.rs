//! Files that come beside a trace and tell what a trace cannot.
//!
//! Each reader knows one kind by its shape, not by the name of a file nor by words, which are translated. [`recognise()`] asks
//! all of them.

pub mod event_log;
pub mod facts;
pub mod handles;
pub mod netsh;
pub mod netstat;
pub mod powershell;
mod recognise;
mod states;
mod taken;
pub mod tasklist;
mod text;

pub use recognise::{Kind, Recognised, is_text, recognise};
pub use text::{Decoded, EncodingBy, NamedEncoding, decode_text, decode_text_as};
