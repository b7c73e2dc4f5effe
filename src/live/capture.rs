//! The run of a capture: start, watch, end, report.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::error::LiveError;
use super::intake::Intake;
use super::order::Window;
use super::poll::Poller;
use super::session::{self, SESSION_NAME, Session, Wanted};
use super::system::{RawEvent, Refusal, SessionCounts, System};
use super::watch::{self, Sources, StateNow, Watch};
use crate::case::facts::{TraceFacts, TraceSummary};
use crate::diagnosis::{Facts, diagnose};
use crate::event::{EventMeta, Place};
use crate::machine::ranges::{PoolRange, PoolRanges, RangeSource};
use crate::machine::wire::Wire;
use crate::machine::{Analysis, Setting};
use crate::pipeline::LogsRead;
use crate::pipeline::coverage::Coverage;
use crate::report::Report;
use crate::time::FileTime;
use crate::words::counted;

/// Longest rest between two looks at the queue: at 100,000 events a second 5,000 wait.
const REST: Duration = Duration::from_millis(50);

/// Without any event for this long, after all buffers were flushed, what is held back is given away: nothing earlier is on its way.
const QUIET: Duration = Duration::from_secs(2);

/// After the session was stopped, its last events are waited for no longer than this.
const LAST_EVENTS: Duration = Duration::from_secs(60);

/// The same where the system is about to end the program.
const LAST_EVENTS_IN_A_HURRY: Duration = Duration::from_secs(1);

/// Events wait no longer than this for the port ranges.
const RANGES_LIMIT: Duration = Duration::from_secs(30);

/// A file that is nearer to its maximum may have reached it: buffers are written whole.
const NEAR_MAXIMUM_BYTES: u64 = 1 << 20;

/// `EVENT_TRACE_REAL_TIME_MODE`, where the session does not tell its mode.
const REAL_TIME_MODE: u32 = 0x100;

/// What to capture.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Ends after this time.
    pub duration: Option<Duration>,
    /// Ends after so many bind and connect failures.
    pub until_failures: Option<u64>,
    /// Time between two looks at the machine.
    pub interval: Duration,
    /// A file that the session writes too.
    pub record: Option<PathBuf>,
    /// The file grows to so many MiB at most (default: the free room less a reserve).
    pub max_file_mib: Option<u32>,
    /// Buffers of the session.
    pub buffer_mib: u32,
    /// The range of all pools, where the user knows better.
    pub pool: Option<PoolRange>,
    /// Asks the machine for sockets, processes, handles and port ranges.
    pub poll: bool,
}

/// A finished capture.
#[derive(Debug)]
pub struct Captured {
    /// The report.
    pub report: Report,
    /// The capture ran to an end that was planned.
    pub is_complete: bool,
}

/// Captures until the plan's end, or until `interrupt` is set; shows each moment to `view`.
///
/// # Errors
///
/// [`LiveError`]: why nothing could be captured. No session is left behind.
pub fn capture(
    system: &Arc<dyn System>,
    plan: &Plan,
    interrupt: &AtomicBool,
    view: &mut dyn FnMut(&StateNow),
) -> Result<Captured, LiveError> {
    let mut poller = Poller::new(system);
    let intake = Arc::new(Intake::default());
    let closed = CloseOnDrop(Arc::clone(&intake));
    let sink = Arc::clone(&intake);
    let sink = Arc::new(move |raw: &RawEvent<'_>| sink.take(raw));
    let started = (system.now(), system.uptime());
    let wanted = Wanted {
        buffer_mib: plan.buffer_mib,
        is_read: true,
        record: plan.record.clone(),
        max_file_mib: plan.max_file_mib,
        is_circular: false,
    };
    let session = Session::start(system, session::setup(system.as_ref(), &wanted), sink)?;
    let mut taken = Taken { intake, window: Window::new(session.flush()), coverage: Coverage::default() };
    if plan.poll {
        poller.ask_for_ranges();
        taken.wait_for_ranges(&mut poller, interrupt);
    }
    let ranges = PoolRanges::told_by(RangeSource::Live, plan.pool, &poller.facts().dynamic_ports);
    let mut run = Run {
        system: system.as_ref(),
        plan,
        taken,
        analysis: Analysis::new(Setting { boots: vec![0], ranges, ..Setting::default() }),
        started,
        last_event: started.1,
        flush: session.flush(),
        counts: SessionCounts::default(),
        watch: Watch::default(),
        notes: Vec::new(),
        is_complete: true,
    };
    if plan.poll {
        run.look_at_processes(&mut poller);
    }
    let session = run.watch(session, &mut poller, interrupt, view);
    run.end(session, &poller, view);
    drop(closed);
    if system.is_ending() {
        run.note(
            "Windows ended the program (its window was closed, or the user logged off): the report ends there, and the machine was not asked once more"
                .to_owned(),
        );
    } else if plan.poll {
        poller.poll(system.now(), true);
        run.look_at_processes(&mut poller);
        poller.ask_for_the_rest();
    }
    Ok(run.report(poller))
}

/// Events that were taken in, and are not reasoned about yet.
struct Taken {
    intake: Arc<Intake>,
    window: Window,
    coverage: Coverage,
}

impl Taken {
    /// Takes what has come; gives the number of events.
    fn drain(&mut self) -> usize {
        let drained = self.intake.drain();
        let count = drained.events.len();
        self.coverage.add(drained.coverage);
        for (meta, event) in drained.events {
            self.window.push(meta, event);
        }
        count
    }

    /// Takes events in until the machine has told its port ranges, without which none can be counted.
    fn wait_for_ranges(&mut self, poller: &mut Poller<'_>, interrupt: &AtomicBool) {
        // Not time of the system: a machine made up moves its own only where somebody rests.
        let began = Instant::now();
        while !poller.wait_for_dynamic(REST) {
            self.drain();
            if interrupt.load(Ordering::Relaxed) || self.window.is_full() || began.elapsed() >= RANGES_LIMIT {
                poller.give_up_dynamic();
            }
        }
    }
}

/// Whatever ends the capture, the system's thread must not wait for room in the queue.
struct CloseOnDrop(Arc<Intake>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct Run<'r> {
    system: &'r dyn System,
    plan: &'r Plan,
    taken: Taken,
    analysis: Analysis,
    /// Time of day, and time that never goes back.
    started: (FileTime, Duration),
    last_event: Duration,
    /// A buffer that is not full is passed on after this time.
    flush: Duration,
    counts: SessionCounts,
    watch: Watch,
    notes: Vec<String>,
    is_complete: bool,
}

impl<'r> Run<'r> {
    fn elapsed(&self) -> Duration {
        self.system.uptime().saturating_sub(self.started.1)
    }

    /// Takes what has come; gives the number of events.
    fn drain(&mut self, all: bool) -> usize {
        let count = self.taken.drain();
        let now = self.system.uptime();
        if count > 0 {
            self.last_event = now;
        }
        let is_quiet = now.saturating_sub(self.last_event) >= self.flush + QUIET;
        let analysis = &mut self.analysis;
        self.taken.window.release(all || is_quiet, |meta, event| analysis.observe(meta, event));
        count
    }

    fn look_at_processes(&mut self, poller: &mut Poller<'_>) {
        let place = Place::default();
        let meta = EventMeta { time: self.system.now(), header_pid: None, id: 0, place };
        for event in poller.ask_for_processes() {
            self.taken.window.push(meta, event);
        }
    }

    fn watch(
        &mut self,
        mut session: Session<'r>,
        poller: &mut Poller<'_>,
        interrupt: &AtomicBool,
        view: &mut dyn FnMut(&StateNow),
    ) -> Session<'r> {
        let mut next = Duration::ZERO;
        self.notes.append(&mut session.notes);
        loop {
            let count = self.drain(false);
            let elapsed = self.elapsed();
            let is_over = self.is_over(elapsed, interrupt);
            if elapsed >= next || is_over {
                next = elapsed.saturating_add(self.plan.interval);
                if self.plan.poll && !self.system.is_ending() {
                    poller.poll(self.system.now(), false);
                }
                let goes_on = self.look_at_session(&session, interrupt);
                if !is_over {
                    self.show(poller, view);
                }
                if !goes_on {
                    self.is_complete = false;
                    return session;
                }
            }
            if is_over {
                return session;
            }
            // A queue that fills fast is emptied at once again.
            if count < 1 << 12 {
                self.system.rest(REST.min(next.saturating_sub(elapsed).max(Duration::from_millis(1))));
            }
        }
    }

    fn is_over(&self, elapsed: Duration, interrupt: &AtomicBool) -> bool {
        let has_failed_enough = self.plan.until_failures.is_some_and(|most| {
            let (binds, connects) = watch::failures(self.analysis.world());
            binds + connects >= most
        });
        interrupt.load(Ordering::Relaxed)
            || self.plan.duration.is_some_and(|duration| elapsed >= duration)
            || has_failed_enough
    }

    /// Takes the session's counts; `false` where it cannot go on.
    fn look_at_session(&mut self, session: &Session<'_>, interrupt: &AtomicBool) -> bool {
        let counts = session.counts();
        if let Some(free) = session.room_left() {
            let free = free >> 20;
            self.notes.push(format!("the disk of the recording is full ({free} MiB free), so the capture ended"));
            return false;
        }
        match counts {
            Ok(Some(counts)) => self.counts = counts,
            // Whoever interrupts may have stopped it before the next look at the interrupt.
            Ok(None) if interrupt.load(Ordering::Acquire) => return true,
            Ok(None) => {
                self.notes
                    .push("the session was ended from outside, or by the system: the report ends there".to_owned());
                return false;
            }
            Err(refusal) => self.note(refusal.to_string()),
        }
        if session.is_done() && !interrupt.load(Ordering::Acquire) {
            self.notes.push("reading the session ended early: the report ends there".to_owned());
            return false;
        }
        true
    }

    /// Says what the recorded file may lack.
    fn look_at_file(&mut self, session: &Session<'_>) {
        let Some(recording) = session.recording() else { return };
        let maximum = u64::from(recording.max_mib) << 20;
        let bytes = std::fs::metadata(&recording.path).map_or(0, |metadata| metadata.len());
        if bytes.saturating_add(NEAR_MAXIMUM_BYTES) >= maximum {
            let mib = recording.max_mib;
            self.note(format!(
                "the recorded file has its maximum of {mib} MiB: what came later is in this report and not in the file"
            ));
        }
        if self.counts.log_buffers_lost > 0 {
            let buffers = counted(self.counts.log_buffers_lost.into(), "buffer");
            self.note(format!("{buffers} could not be written to the recorded file, which lacks their events"));
        }
    }

    /// Notes something once.
    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn show(&mut self, poller: &Poller<'_>, view: &mut dyn FnMut(&StateNow)) {
        let elapsed = self.elapsed();
        let moment = self.watch.moment(&Sources {
            world: self.analysis.world(),
            poller,
            counts: self.counts,
            events: self.taken.coverage.records,
            time: self.system.now(),
            elapsed,
        });
        view(&moment);
    }

    /// Stops the session, and takes the events that it still delivers.
    fn end(&mut self, mut session: Session<'_>, poller: &Poller<'_>, view: &mut dyn FnMut(&StateNow)) {
        match session.stop() {
            Ok(Some(counts)) => self.counts = counts,
            Ok(None) => {}
            Err(refusal) => self.incomplete(&refusal),
        }
        let mut waiting_since = self.system.uptime();
        while !session.is_done() {
            if self.drain(false) > 0 {
                waiting_since = self.system.uptime();
            } else if self.system.uptime().saturating_sub(waiting_since) >= self.patience() {
                self.notes.push("the last events of the session did not arrive".to_owned());
                self.is_complete = false;
                break;
            } else {
                self.system.rest(Duration::from_millis(5));
            }
        }
        self.drain(true);
        self.look_at_file(&session);
        if session.is_done()
            && let Err(refusal) = session.join()
        {
            self.incomplete(&refusal);
        }
        self.drain(true);
        self.show(poller, view);
    }

    /// How long the last events are waited for.
    fn patience(&self) -> Duration {
        if self.system.is_ending() { LAST_EVENTS_IN_A_HURRY } else { LAST_EVENTS }
    }

    fn incomplete(&mut self, refusal: &Refusal) {
        self.note(refusal.to_string());
        self.is_complete = false;
    }

    fn report(mut self, poller: Poller<'_>) -> Captured {
        self.drain(true);
        let elapsed = self.elapsed();
        let late = self.taken.window.late;
        if late > 0 {
            let count = counted(late, "event");
            self.notes.push(format!("{count} arrived so late that later events had already been counted"));
            self.taken.coverage.displaced += late;
        }
        let trace = self.trace();
        let (side, side_inputs, missing) = poller.finish(elapsed);
        let mut notes = self.notes;
        notes.extend(missing);
        let findings = self.analysis.finish();
        let mut report = Report::new(diagnose(Facts {
            traces: vec![trace],
            findings,
            side,
            side_inputs,
            logs: LogsRead::default(),
            wire: Wire::default(),
            notes,
        }));
        if let Some(evidence) = &mut report.evidence {
            (evidence.buffer, evidence.offset, evidence.position_in_buffer) = (None, None, None);
        }
        Captured { report, is_complete: self.is_complete }
    }

    /// The session, as reports speak of a trace.
    fn trace(&self) -> TraceFacts {
        let machine = self.system.machine();
        let recorded = self.plan.record.as_ref();
        let path = recorded.map_or_else(
            || format!("live session {SESSION_NAME}"),
            |path| crate::words::shown(&path.display().to_string()),
        );
        let summary = TraceSummary {
            path: path.clone(),
            bytes: recorded.and_then(|path| std::fs::metadata(path).ok()).map_or(0, |metadata| metadata.len()),
            os_build: machine.os_build,
            processors: machine.processors,
            pointer_size: 8,
            clock: Some("qpc"),
            log_mode: if self.counts.log_mode == 0 { REAL_TIME_MODE } else { self.counts.log_mode },
            boot_time: machine.boot_time,
            started: Some(self.started.0),
            ended: Some(self.system.now()),
            buffers: u64::from(self.counts.buffers_written),
            buffers_damaged: 0,
            records: self.taken.coverage.records,
            events_lost: self.counts.events_lost,
            buffers_lost: self.counts.real_time_buffers_lost,
            wrapped: Some(false),
            closed_cleanly: self.is_complete,
            time_zone_bias_minutes: None,
            // It asks for these events.
            speaks: true,
        };
        TraceFacts {
            input: path.clone(),
            path,
            summary,
            coverage: self.taken.coverage.clone(),
            other_providers: self.taken.intake.other_providers(),
            clock_assumed: false,
            clock_set_back: false,
            has_header: true,
            is_file: recorded.is_some(),
        }
    }
}
