//! Which traces of a case tell something about sockets or ports.

use etl_parser::Trace;
use rayon::prelude::*;

use crate::progress::{Progress, Stopped};
use crate::providers::EventId;

/// For each trace, whether it has an event of Winsock-AFD, or one of TCPIP about ports. Each is read until there is one.
///
/// # Errors
///
/// [`Stopped`] where `progress` says so.
pub fn speaking(traces: &[Trace<'_>], progress: &dyn Progress) -> Result<Vec<bool>, Stopped> {
    traces.par_iter().map(|trace| speaks(trace, progress)).collect()
}

fn speaks(trace: &Trace<'_>, progress: &dyn Progress) -> Result<bool, Stopped> {
    let mut scratch = Vec::new();
    for position in 0..trace.buffers().len() {
        if progress.should_stop() {
            return Err(Stopped);
        }
        let Ok(buffer) = trace.buffer(position, &mut scratch) else { continue };
        // Behind damage nothing of a buffer is read.
        let mut records = buffer.records().map_while(Result::ok);
        if records.any(|record| EventId::of(&record).is_some_and(EventId::is_about_ports)) {
            return Ok(true);
        }
    }
    Ok(false)
}
