//! Files that come beside a trace and tell what a trace cannot.
//!
//! Each reader knows one kind by its shape, not by the name of a file nor by words, which are translated. [`recognise()`] asks
//! all of them.

mod columns;
pub mod event_log;
mod event_text;
pub mod facts;
pub mod handles;
mod host;
mod lines;
mod machines;
pub mod netsh;
pub mod netstat;
mod own_report;
mod parts;
mod pasted;
mod recognise;
mod records;
mod remote;
mod says;
mod server_name;
mod states;
mod table;
mod taken;
pub mod tasklist;
mod text;

pub(crate) use host::label;
pub use machines::Machine;
pub use recognise::{Kind, Recognised, is_text, recognise, recognise_as};
pub use says::what_it_says;
pub(crate) use server_name::is_server_name;
pub(crate) use taken::{date, days_between, instant, is_before, is_later, is_of_other_day, may_be_of_other_half};
pub use text::{Decoded, EncodingBy, NamedEncoding, decode_text, decode_text_as};
