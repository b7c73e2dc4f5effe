//! Reports with any names in them.

use outofports::report::Report;

/// Puts the next name wherever one can stand.
pub fn rename(report: &mut Report, next: &mut dyn FnMut() -> String) {
    for row in &mut report.processes {
        row.image = Some(next());
        row.image_path = Some(next());
        row.services = vec![next(), next()];
        row.socket_service = Some(next());
        row.pid_given_to = Some(next());
        row.destinations.iter_mut().for_each(|destination| destination.remote = next());
    }
    for image in &mut report.images {
        image.image = next();
        image.services = vec![next()];
    }
    for row in &mut report.procedure {
        row.image = Some(next());
        row.services = vec![next()];
    }
    report.traces.iter_mut().for_each(|trace| trace.path = next());
    for side in &mut report.side_inputs {
        side.path = next();
        side.note = Some(next());
    }
    for step in &mut report.recommendations {
        step.text = next();
        step.commands = vec![next()];
        step.undo = Some(next());
    }
    report.ruled_out.iter_mut().for_each(|other| other.text = next());
    report.known.iter_mut().for_each(|known| known.text = next());
    report.verdict.reasons.iter_mut().for_each(|reason| reason.text = next());
    report.destinations.iter_mut().for_each(|destination| destination.state = Some(next()));
    for event in &mut report.system_events {
        event.source = next();
        event.provider = next();
    }
    report.coverage.notes = vec![next()];
}
