//! A stand-in for the parts of `advapi32.dll` and `tdh.dll` that live capture uses, for tests without Windows.
//!
//! A copy of the program whose import table names this library runs against it. It holds one session, whose events come from a
//! text file, and does on request what a system does that is out of something. What it proves is that the program keeps to the
//! documented behaviour, not that Windows does.
//!
//! Environment:
//!
//! | variable | meaning |
//! | --- | --- |
//! | `REPLAY_FILE` | the text file, of `replay-tool text` |
//! | `REPLAY_PACED` | `1`: each event at its time; else as fast as they are taken |
//! | `REPLAY_LOG` | a file that takes a line for each call |
//! | `REPLAY_START`, `REPLAY_ENABLE`, `REPLAY_OPEN`, `REPLAY_PROCESS` | the status that the call returns |
//! | `REPLAY_FILTER` | the status of enabling with a filter of event ids |
//! | `REPLAY_PROCESSORS` | processors of the machine, in groups of 64 |
//! | `REPLAY_RATE`, `REPLAY_SPEED` | of a recorded file: events a second (default: one for each processor), and seconds in one |
//! | `REPLAY_CHURN` | so many times, more processes have come than fit into the list |
//! | `REPLAY_EVENTS_LOST`, `REPLAY_BUFFERS_LOST` | what the session counts: events, and buffers that the reader was too slow for |
//! | `REPLAY_LEFT_BEHIND` | `1`: a session of any name that is asked for is there already |
//! | `REPLAY_UNREGISTERED` | a provider that is not on this system, as its GUID |

#![cfg(windows)]
#![allow(unsafe_code)]
#![allow(non_snake_case)]
#![allow(unreachable_pub)]
#![allow(clippy::missing_safety_doc)]
// Nobody links against it: the names are those of the libraries that it stands for.
#![allow(missing_docs)]

mod application_log;
mod events;
mod file;
mod forward;
mod hooks;
mod session;
