//! What to do next: exact commands, what was narrowed first, then least invasive first, each saying whether it changes
//! anything and how to undo it. Nothing here harms: see `restart` for what is never restarted.

mod capture;
mod other_cause;
mod relieve;
mod restart;
mod situation;
#[cfg(test)]
mod tests;
mod time_wait;
mod widen;

use serde::Serialize;

use self::other_cause::other_cause_steps;
use self::relieve::relieve;
use self::time_wait::time_wait_steps;
use self::widen::{auto_reuse, family_word, protocol_word, reservations, restore, widen};
use super::alternatives::Symptoms;
use super::codes::RecommendationCode;
use super::pools::PoolFinding;
use super::state::State;
use crate::machine::ranges::{PoolRange, RangeSource};
use crate::words::shown;
pub use capture::{CAPTURE_COMMANDS, LISTING_COMMANDS};
pub use situation::{Accused, Named, NamedHolder, NamedImage, Situation};
pub(super) use situation::{Found, has_hns};

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Recommendation {
    /// Which.
    pub code: RecommendationCode,
    /// For people.
    pub text: String,
    /// Commands to paste, in their order.
    pub commands: Vec<String>,
    /// Whether they change the state of the server.
    pub changes_state: bool,
    /// How to take it back.
    pub undo: Option<String>,
}

/// What a recommendation changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// It starts a trace, which can be stopped.
    StartsTrace,
    /// The state of the server.
    ChangesServer,
}

impl Effect {
    /// In words.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Nothing => "changes nothing",
            Self::StartsTrace => "starts a trace",
            Self::ChangesServer => "changes the server",
        }
    }
}

impl Recommendation {
    /// What it changes.
    pub fn effect(&self) -> Effect {
        match (self.changes_state, &self.undo) {
            (false, None) => Effect::Nothing,
            (false, Some(_)) => Effect::StartsTrace,
            (true, _) => Effect::ChangesServer,
        }
    }
}

/// A holder is worth acting on from this part of a pool on.
pub const BLAMED_SHARE: f64 = 0.05;

/// How much of a pool must be unexplained before the kernel is searched for it.
const SEARCH_KERNEL_SHARE: f64 = 0.3;

fn is_much(ports: u32, range: PoolRange) -> bool {
    f64::from(ports) >= SEARCH_KERNEL_SHARE * f64::from(range.count)
}

/// Says what to do.
pub fn recommend(situation: &Situation<'_>, symptoms: &Symptoms) -> Vec<Recommendation> {
    let mut list = Vec::new();
    match situation.state {
        State::CannotTell | State::NotSeen => {
            list.extend(other_cause_steps(symptoms));
            if situation.state == State::CannotTell || situation.is_capture_due() {
                list.push(capture_step(situation));
            }
            if situation.state == State::CannotTell && !situation.has_trace {
                confirm(situation, &mut list);
            }
        }
        State::Exhausted | State::Near => {
            let full: Vec<&PoolFinding> = situation.pools.iter().filter(|pool| pool.state.is_some()).collect();
            // A pool that somebody made smaller than the default is first of all made as large again.
            let is_odd = |pool: &&&PoolFinding| pool.failed_once() && full.len() > 1;
            list.extend(full.iter().filter(|pool| !is_odd(pool)).filter_map(|pool| restore(pool)));
            // Where most of the pool is reserved, no holder needs to be confirmed first.
            let (reserved, is_most) = reservations(situation);
            list.extend(reserved.clone().filter(|_| is_most));
            confirm(situation, &mut list);
            list.extend(reserved.filter(|_| !is_most));
            relieve(situation, &mut list);
            time_wait_steps(situation, &mut list);
            list.extend(full.iter().filter_map(|pool| widen(pool, situation)));
            list.extend(auto_reuse(situation));
            evidence_for_vendor(situation, &mut list);
            let is_out_of_sight = situation.unexplained_share >= SEARCH_KERNEL_SHARE;
            if situation.is_capture_due() || (is_out_of_sight && situation.state == State::Exhausted) {
                list.push(capture_step(situation));
            }
            let is_lasting = !situation.pools.iter().any(PoolFinding::had_ports_around) && !situation.is_room_made;
            if is_out_of_sight && is_lasting && situation.state == State::Exhausted {
                list.push(memory_dump(situation.has_listing));
            }
            // The most invasive step stays the last.
            list.sort_by_key(|step| step.code == RecommendationCode::MemoryDump);
            let is_dump = |step: &Recommendation| step.code == RecommendationCode::MemoryDump;
            list.dedup_by(|one, other| is_dump(one) && is_dump(other));
        }
    }
    begin_in_the_folder(&mut list);
    if situation.os_build.is_some_and(|build| build < capture::BOUND_BUILD) {
        for command in list.iter_mut().flat_map(|step| &mut step.commands) {
            *command = capture::without_bound(command);
        }
    }
    list
}

/// What is written goes into a folder of the case: the first step that writes a file on the server makes it.
fn begin_in_the_folder(list: &mut [Recommendation]) {
    let writes =
        |command: &String| command.contains(" > ") || command.contains(" >> ") || command.starts_with("wevtutil");
    let step = list.iter_mut().find(|step| step.commands.iter().any(writes));
    if let Some(step) = step.filter(|step| !step.commands.iter().any(|command| command == capture::CASE_FOLDER[0])) {
        step.commands.splice(..0, capture::CASE_FOLDER.map(str::to_owned));
    }
}

fn unchanging(code: RecommendationCode, text: &str, commands: &[&str]) -> Recommendation {
    let commands = commands.iter().map(|command| (*command).to_owned()).collect();
    Recommendation { code, text: text.to_owned(), commands, changes_state: false, undo: None }
}

fn capture_step(situation: &Situation<'_>) -> Recommendation {
    let why = if situation.logged_before && situation.state == State::NotSeen {
        "capture again when it happens: the entries of the System log are from another time than the trace".to_owned()
    } else if !situation.has_trace {
        "capture a trace, to see whose requests fail and who takes the ports".to_owned()
    } else if situation.bind_records == 0 {
        "capture again with the Winsock-AFD provider, while programs fail".to_owned()
    } else if situation.state == State::Exhausted {
        "capture before the failures begin, so that the trace shows who takes the ports".to_owned()
    } else {
        "capture again: this trace lost events that may be failures".to_owned()
    };
    let text =
        format!("{why}. Start the trace, wait until programs fail, and give the other commands before you stop it");
    let undo = Some(capture::STOP_TRACE.to_owned());
    Recommendation { undo, ..unchanging(RecommendationCode::Capture, &text, &CAPTURE_COMMANDS) }
}

/// The listings that are missing, all in one step.
fn confirm(situation: &Situation<'_>, list: &mut Vec<Recommendation>) {
    // Half a listing is none, where much is not explained.
    let is_half =
        |pool: &PoolFinding| pool.hides_bound() && pool.unexplained().is_some_and(|ports| is_much(ports, pool.range));
    let any_full = situation.pools.iter().any(|pool| pool.state == Some(State::Exhausted));
    let lacks_bound = situation.pools.iter().any(is_half) || (situation.has_only_half_listings && !any_full);
    let is_of_later = situation.pools.iter().any(|pool| pool.listed_with_room().is_some());
    let mut commands = Vec::new();
    if !situation.has_listing || lacks_bound || is_of_later {
        commands.push(capture::LIST_SOCKETS.to_owned());
    }
    if !situation.has_tasks {
        commands.push(capture::LIST_PROCESSES.to_owned());
    }
    let lists_sockets = commands.first().is_some_and(|command| command == capture::LIST_SOCKETS);
    for pool in situation.pools.iter().filter(|pool| pool.state.is_some()) {
        let (Some(protocol), Some(family)) = (pool.key.protocol, pool.key.family) else { continue };
        let (family, protocol) = (family_word(family), protocol_word(protocol));
        if pool.range.source == RangeSource::Default || pool.wider().is_some() {
            commands.push(format!("netsh int {family} show dynamicport {protocol} >> dynamicport-{family}.txt"));
        }
        if !situation.has_excluded {
            commands.push(format!(
                "netsh int {family} show excludedportrange protocol={protocol} >> excludedport-{family}.txt"
            ));
        }
    }
    if !situation.has_event_log {
        commands.push("wevtutil epl System System.evtx".to_owned());
    }
    commands.dedup();
    if commands.is_empty() {
        return;
    }
    if lists_sockets {
        commands.push(capture::LIST_SOCKETS_BY_NAME.to_owned());
    }
    let (code, text) = match (lists_sockets, lacks_bound) {
        (true, true) => (
            RecommendationCode::Confirm,
            "list the sockets again, with -q: without it, netstat hides sockets that are bound and not connected. The last command may take minutes. Analyze the folder again with these files",
        ),
        (true, false) if situation.has_listing => (
            RecommendationCode::Confirm,
            "list the sockets again, while programs fail: the listing here shows a pool that has room. The last command may take minutes. Analyze the folder again with these files",
        ),
        (true, false) => (
            RecommendationCode::Confirm,
            "confirm on the server who holds the ports, before any restart. The last command may take minutes. Analyze the folder again with these files",
        ),
        (false, _) => (RecommendationCode::Collect, "collect what is missing here, and analyze the folder again"),
    };
    list.push(Recommendation { commands, ..unchanging(code, text, &[]) });
}

fn evidence_for_vendor(situation: &Situation<'_>, list: &mut Vec<Recommendation>) {
    let accused = std::iter::once(&situation.accused).chain(situation.others.iter().map(|(_, accused)| accused));
    let mut of: Vec<(String, String)> = Vec::new();
    for named in accused.flat_map(names_for_vendor) {
        if !of.contains(&named) {
            of.push(named);
        }
    }
    if of.is_empty() {
        return;
    }
    let mut inputs: Vec<&str> = situation.inputs.iter().copied().filter(|input| *input != "-").collect();
    inputs.sort_unstable();
    inputs.dedup();
    if inputs.is_empty() {
        return;
    }
    let inputs: Vec<String> = inputs.into_iter().map(quoted).collect();
    list.extend(of.into_iter().map(|(label, filter)| Recommendation {
        commands: vec![format!("outofports events {} --provider Winsock-AFD {filter} -f csv", inputs.join(" "))],
        ..unchanging(
            RecommendationCode::Vendor,
            &format!(
                "for the vendor of {label}: this report, and its socket events. Run the command where these files are"
            ),
            &[],
        )
    }));
}

/// Whose vendor is asked, and the option that selects its events.
fn names_for_vendor(accused: &Accused<'_>) -> Vec<(String, String)> {
    let of_process = |who: &Named<'_>| Some((who.label.clone(), format!("--pid {}", who.pid?)));
    let of_image = |named: &NamedImage<'_>| {
        let image = shown(&named.image.image);
        let filter = format!("--process {}", quoted(&image));
        (image, filter)
    };
    match accused {
        Accused::Holder(NamedHolder { who, .. }) | Accused::Sockets(who, _) | Accused::TimeWait(_, Some(who))
            if !who.is_kernel() =>
        {
            of_process(who).into_iter().collect()
        }
        Accused::Alike(all) if all.len() == 2 => all.iter().filter_map(|named| of_process(&named.who)).collect(),
        Accused::Image(named) => vec![of_image(named)],
        Accused::AlikeImages(all) if all.len() == 2 => all.iter().map(of_image).collect(),
        _ => Vec::new(),
    }
}

/// As a command prompt takes it for one word.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '\\' | ':');
    if path.chars().all(is_plain) { path.to_owned() } else { format!("\"{path}\"") }
}

fn memory_dump(has_listing: bool) -> Recommendation {
    let text = if has_listing {
        "last resort, if no process turns out to hold the ports: a complete memory dump shows the sockets of the kernel and of ended processes. It stops the server"
    } else {
        "last resort, if a listing of sockets does not show who holds the ports either: a complete memory dump. It stops the server"
    };
    Recommendation {
        code: RecommendationCode::MemoryDump,
        text: text.to_owned(),
        commands: Vec::new(),
        changes_state: true,
        undo: None,
    }
}
