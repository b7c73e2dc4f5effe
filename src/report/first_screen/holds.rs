//! Who holds the ports of a pool, as sentences.

use super::{NOTABLE_CONNECTS, part_of};
use crate::diagnosis::beside::{Beside, Other};
use crate::diagnosis::codes::ReasonCode;
use crate::diagnosis::holders::{AtRest, Pattern};
use crate::diagnosis::outcome::Look;
use crate::diagnosis::state::State;
use crate::diagnosis::suspect::{CountedBy, Suspect, Waiting};
use crate::report::wording::{percent_of, subject, who_in_full};
use crate::report::{HolderRow, ImageRow, PoolRow, ProcessRow, Report};
use crate::words::{counted, grouped, shown};

/// Of several that hold much alike, so many are named; the table has all.
const ALIKE_SHOWN: usize = 5;

impl Report {
    /// Who holds the ports, or that nothing shows it.
    pub(super) fn who_holds(&self, index: usize, suspect: &Suspect) -> Vec<String> {
        let Some(pool) = self.pools.get(index) else { return Vec::new() };
        // Nobody holds what Windows gives to nobody, unless it is known who had it reserved.
        let has_reserved = |holder: &HolderRow| holder.pattern == Some(Pattern::Reservation);
        let is_reserved_by = match *suspect {
            Suspect::Process(index) | Suspect::Kernel(index) => self.holders.get(index).is_some_and(has_reserved),
            _ => false,
        };
        if pool.set_aside.saturating_mul(2) >= pool.count && !is_reserved_by {
            let part = part_of(pool.set_aside, pool);
            let mut told = vec![format!(
                "No process holds most of the pool: {part} are excluded or reserved, so Windows gives them to nobody."
            )];
            // But a leak takes what is left.
            let leak = match *suspect {
                Suspect::Process(index) => self.holders.get(index).filter(|row| row.pattern == Some(Pattern::Leak)),
                _ => None,
            };
            told.extend(leak.into_iter().flat_map(|row| self.holder_sentences(row, index)));
            return told;
        }
        let holder = |holder: usize| self.holders.get(holder).map(|holder| self.holder_sentences(holder, index));
        let told = match *suspect {
            Suspect::Process(index) | Suspect::Kernel(index) => holder(index),
            Suspect::Processes(ref holders) => Some(self.alike_sentences(holders, index)),
            Suspect::Image(index) => self.images.get(index).map(|image| {
                let mut told = image_sentences(image, pool);
                told.extend(self.plateau_beside(image.beside));
                told
            }),
            Suspect::Images(ref images) => Some(self.alike_images(images, pool)),
            Suspect::TimeWait(waiting) => Some(self.waiting_sentences(waiting, pool)),
            Suspect::Sockets(seen) => self.processes.get(seen.process).map(|row| {
                let by = match seen.counted_by {
                    CountedBy::AfdHandles => "handles of sockets in a listing of handles",
                    CountedBy::GroupedListing => "sockets in a listing that is grouped by process",
                };
                let (who, sockets) = (who_in_full(row), grouped(seen.sockets));
                vec![format!("{who} has {sockets} {by}. It is the likely holder, but nothing shows which ports these sockets have.")]
            }),
            Suspect::NotShown => {
                let inputs =
                    if self.traces.is_empty() { "The listings do not show" } else { "The trace does not show" };
                let explained = percent_of(pool.explained, pool.count);
                Some(vec![if self.has(ReasonCode::NoCloseEvents) {
                    format!("{inputs} who holds the ports: nothing tells which sockets were closed.")
                } else if self.is_doubtful() {
                    format!("{inputs} who holds the ports for certain: not all that its sockets seem to hold can be theirs.")
                } else {
                    format!("{inputs} who holds the ports: {explained} of the pool is explained.")
                }])
            }
            Suspect::Nobody if !pool.failing_alone.is_empty() => Some(self.only_some_fail(pool)),
            Suspect::Nobody if pool.state == State::Exhausted => {
                let inputs = if self.traces.is_empty() { "The inputs do not show" } else { "The trace does not show" };
                Some(vec![format!("{inputs} who holds the ports.")])
            }
            Suspect::Nobody => None,
        };
        let mut told = told.unwrap_or_default();
        told.extend(self.as_much_beside(suspect));
        told.extend(self.also_waiting(pool, suspect));
        told
    }

    /// What a listing shows in TIME_WAIT beside who holds ports, where it is much of the pool: a quarter.
    fn also_waiting(&self, pool: &PoolRow, suspect: &Suspect) -> Option<String> {
        let is_much = u64::from(pool.listed_time_wait) * 4 >= u64::from(pool.count);
        // What a process left there counts for it already.
        let has_waiting = |index: usize| self.holders.get(index).is_some_and(|holder| holder.time_wait > 0);
        let image_has_waiting = |index: usize| self.images.get(index).is_some_and(|image| image.time_wait > 0);
        let (is_beside, is_counted) = match *suspect {
            Suspect::Process(index) | Suspect::Kernel(index) => (true, has_waiting(index)),
            Suspect::Processes(ref indexes) => (true, indexes.iter().any(|index| has_waiting(*index))),
            Suspect::Image(index) => (true, image_has_waiting(index)),
            Suspect::Images(ref indexes) => (true, indexes.iter().any(|index| image_has_waiting(*index))),
            _ => (false, false),
        };
        let part = part_of(pool.listed_time_wait, pool);
        (is_much && is_beside && !is_counted)
            .then(|| format!("Closed connections, which have no owner, held {part} in TIME_WAIT, as a listing shows."))
    }

    /// That only some fail; among the doubts stands what others were given meanwhile.
    fn only_some_fail(&self, pool: &PoolRow) -> Vec<String> {
        let failing: Vec<String> =
            pool.failing_alone.iter().filter_map(|index| self.processes.get(*index)).map(subject).collect();
        let who = match failing.as_slice() {
            [one] => one.clone(),
            [one, two] => format!("{one} and {two}"),
            all => format!("{} processes", all.len()),
        };
        vec![format!("Only {who} failed.")]
    }

    fn holder_sentences(&self, holder: &HolderRow, index: usize) -> Vec<String> {
        let (Some(row), Some(pool)) = (self.processes.get(holder.process), self.pools.get(holder.pool)) else {
            return Vec::new();
        };
        // Sockets of IPv6 may be those that take the ports of IPv4.
        let is_of_other = holder.pool != index;
        let other = if is_of_other { format!(" of {}", pool.name()) } else { String::new() };
        let who = holder_name(holder, row);
        let mut text = format!("{who} held {}{other}", part_of(holder.ports, pool));
        text.push_str(&match holder.pattern {
            Some(Pattern::Leak) if holder.obtained > 0 => format!(
                ". It is a leak: it closed {} of the {} that it got{}",
                none_or(holder.released),
                counted(holder.obtained, "port"),
                match holder.closed_older {
                    0 => String::new(),
                    older => format!("; it also closed {} older than the trace", counted(older, "socket")),
                }
            ),
            None if holder.gives_back_older && holder.obtained == 0 => closed_older_clause(holder),
            None if holder.gives_back_older => {
                let (got, older) = (counted(holder.obtained, "port"), counted(holder.closed_older, "socket"));
                let own = if holder.released == 0 {
                    " and closed".to_owned()
                } else {
                    format!(", closed {} of them and", grouped(holder.released))
                };
                format!(". It got {got}{own} {older} older than the trace: whether it leaks does not show")
            }
            pattern => pattern_clause(pattern, holder.time_wait),
        });
        text.push('.');
        if row.ended.is_some() {
            text.push_str(" It has ended.");
        }
        if holder.waits_since_its_end {
            let waiting = grouped(holder.time_wait.into());
            text.push_str(&format!(
                " {waiting} of them were in TIME_WAIT since then: its end closed all at one moment."
            ));
        }
        if let Some((pid, runs_as)) = row.pid.zip(row.runs_as) {
            text.push_str(&format!(
                " The process list does not have PID {pid}; it has the same program as PID {runs_as}."
            ));
        }
        if let Some(pid) = row.pid.filter(|_| row.is_absent && row.ended.is_none() && row.runs_as.is_none()) {
            text.push_str(&format!(" A process list does not have PID {pid}."));
        }
        if let Some(course) = holder.grew_in_listings {
            let (had, listings) = (grouped(course.first.into()), course.listings);
            text.push_str(&format!(" It had {had} in the first of {listings} listings."));
        }
        if let Some(ports) = holder.ports_later {
            text.push_str(&format!(" In the last listing it has {}.", none_or(ports.into())));
        }
        if is_of_other {
            text.push_str(" Its sockets may serve IPv4 too.");
        }
        let who = if row.pid.is_none() && row.image.is_none() { "they" } else { "it" };
        if holder.close_wait > 0 && holder.close_wait.saturating_mul(2) >= holder.ports {
            let waiting = grouped(holder.close_wait.into());
            text.push_str(&format!(" {waiting} of them are in CLOSE_WAIT: the other side closed, and {who} did not."));
        }
        text.push_str(&state_clause(holder, who));
        let mut told = vec![text];
        told.extend(self.plateau_beside(holder.beside));
        let user = holder.used_by.first().and_then(|user| self.processes.get(user.process));
        told.extend(user.map(|user| format!("{} uses sockets that it created.", subject(user))));
        let all: u64 = row.destinations.iter().map(|one| one.connects).sum();
        let top = row.destinations.first().filter(|one| one.connects >= NOTABLE_CONNECTS && one.connects * 2 > all);
        told.extend(top.map(|one| format!("It connects most to {}: {}.", one.remote, counted(one.connects, "time"))));
        told
    }

    /// Beside a process the image that has nearly as much, and beside an image such a process.
    fn as_much_beside(&self, suspect: &Suspect) -> Vec<String> {
        let beside = match *suspect {
            Suspect::Process(index) => self.holders.get(index).map(|row| row.beside),
            Suspect::Image(index) => self.images.get(index).map(|row| row.beside),
            _ => None,
        };
        match beside.and_then(|beside| beside.alike) {
            Some(Other::Holder(index)) => {
                let row = self.holders.get(index);
                row.map(|row| self.holder_sentences(row, row.pool)).unwrap_or_default()
            }
            Some(Other::Image(index)) => self.image_of_pool(index).unwrap_or_default(),
            None => Vec::new(),
        }
    }

    fn image_of_pool(&self, index: usize) -> Option<Vec<String>> {
        let image = self.images.get(index)?;
        Some(image_sentences(image, self.pools.get(image.pool)?))
    }

    /// Beside a leak, who holds more and is not named, since it did not grow.
    fn plateau_beside(&self, beside: Beside) -> Option<String> {
        let index = match beside.plateau? {
            Other::Image(index) => return self.image_of_pool(index)?.into_iter().next(),
            Other::Holder(index) => index,
        };
        let row = self.holders.get(index)?;
        let who = self.processes.get(row.process).map(|process| holder_name(row, process))?;
        let why = match (row.look, row.at_rest) {
            (Look::DnsPool, _) => ": DNS Server's pool of sockets, which is normal".to_owned(),
            (_, Some(AtRest::Older)) => {
                format!(", hardly any of them taken in the trace{}", closed_older_clause(row))
            }
            (_, Some(AtRest::TakenEarly)) => ". It took them early and has not grown since".to_owned(),
            (_, Some(AtRest::Listed)) => ", and about as many in the first listing".to_owned(),
            (_, Some(AtRest::Level)) => {
                ". It gives them back and has not had more lately: this is load, not a leak".to_owned()
            }
            _ => pattern_clause(row.pattern, row.time_wait),
        };
        Some(format!("{who} held {}{why}.", part_of(row.ports, self.pools.get(row.pool)?)))
    }

    /// Of several that hold much alike: that none stands out, and who they are.
    fn alike_sentences(&self, holders: &[usize], index: usize) -> Vec<String> {
        let rows: Vec<&HolderRow> = holders.iter().filter_map(|index| self.holders.get(*index)).collect();
        let Some(of) = rows.first().and_then(|row| self.pools.get(row.pool)) else { return Vec::new() };
        let mut told = vec![none_stands_out("processes", rows.iter().map(|row| row.ports), of)];
        if rows.len() == 2 {
            for sentence in rows.iter().flat_map(|row| self.holder_sentences(row, index)) {
                // Who holds more beside both is told once.
                if !told.contains(&sentence) {
                    told.push(sentence);
                }
            }
            return told;
        }
        let names = rows.iter().filter_map(|row| self.processes.get(row.process)).map(who_in_full).collect();
        let is_leak = rows.iter().all(|row| row.pattern == Some(Pattern::Leak));
        told.push(they_are(names, is_leak));
        told
    }

    /// The same of images.
    fn alike_images(&self, images: &[usize], pool: &PoolRow) -> Vec<String> {
        let rows: Vec<&ImageRow> = images.iter().filter_map(|index| self.images.get(*index)).collect();
        let mut told = vec![none_stands_out("programs", rows.iter().map(|row| row.ports), pool)];
        if rows.len() == 2 {
            told.extend(rows.iter().flat_map(|row| image_sentences(row, pool)));
            return told;
        }
        let name = |row: &&ImageRow| format!("{} ({} processes)", shown(&row.image), grouped(row.processes));
        let is_leak = rows.iter().all(|row| row.pattern == Some(Pattern::Leak));
        told.push(they_are(rows.iter().map(name).collect(), is_leak));
        told
    }

    fn waiting_sentences(&self, waiting: Waiting, pool: &PoolRow) -> Vec<String> {
        let how = if waiting.is_listed { "as a listing shows" } else { "by estimate" };
        let mut told = vec![format!("Closed connections held {} in TIME_WAIT, {how}.", part_of(waiting.ports, pool))];
        let maker = waiting.made_by.and_then(|index| self.processes.get(index));
        told.push(match maker {
            Some(row) => format!("{} left most of them.", who_in_full(row)),
            None => "Nothing shows which process left them: a port in TIME_WAIT has no owner.".to_owned(),
        });
        let is_waiting = |state: &Option<String>| state.as_deref() == Some("TIME_WAIT");
        let top = self.destinations.iter().find(|one| is_waiting(&one.state) && one.sockets >= NOTABLE_CONNECTS);
        if let Some(one) = top.filter(|one| one.sockets * 2 > u64::from(waiting.ports)) {
            let remote = match (one.remote, one.port) {
                (Some(ip), Some(port)) => crate::net::SocketAddress { ip, port }.to_string(),
                (Some(ip), None) => ip.to_string(),
                (None, Some(port)) => format!("port {port}"),
                (None, None) => return told,
            };
            told.push(format!("{} of them went to {remote}.", grouped(one.sockets)));
        }
        told
    }
}

/// How much each of several holds, and that none of them stands out.
fn none_stands_out(what: &str, ports: impl Iterator<Item = u32> + Clone, of: &PoolRow) -> String {
    let (least, most) = (ports.clone().min().unwrap_or(0), ports.clone().max().unwrap_or(0));
    let (low, high) = (percent_of(least, of.count), percent_of(most, of.count));
    let each = if low == high { high } else { format!("{low} to {high}") };
    let number = ports.count();
    let none = if number == 2 { "neither" } else { "none of them" };
    let (count, all) = (grouped(number as u64), counted(of.count.into(), "port"));
    format!("{count} {what} held {each} of {all} each: {none} stands out.")
}

/// Who several are, the first ones by name.
fn they_are(mut names: Vec<String>, is_leak: bool) -> String {
    let hidden = names.len().saturating_sub(ALIKE_SHOWN);
    names.truncate(ALIKE_SHOWN);
    let last = if hidden > 0 { Some(format!("{hidden} more")) } else { names.pop() };
    let more = last.map(|last| format!(" and {last}")).unwrap_or_default();
    let habit = if is_leak { " Each of them looks like a leak." } else { "" };
    format!("They are {}{more}.{habit}", names.join(", "))
}

/// A holder as the subject of a sentence.
fn holder_name(holder: &HolderRow, row: &ProcessRow) -> String {
    match holder.look {
        Look::Kernel => format!("The kernel ({}), which works for drivers,", who_in_full(row)),
        _ => who_in_full(row),
    }
}

/// In which state a listing shows at least half of what a holder has, where that tells what they wait for.
fn state_clause(holder: &HolderRow, who: &str) -> String {
    let Some(listed) = holder.listed else { return String::new() };
    let states = [
        (listed.listening, "listen: they wait for connections from others".to_owned()),
        (listed.syn_sent, "are in SYN_SENT: the other side has not answered their connects".to_owned()),
        (listed.fin_wait_2, format!("are in FIN_WAIT_2: {who} closed them, and the other side did not")),
    ];
    let most = states.into_iter().find(|(sockets, _)| *sockets > 1 && sockets.saturating_mul(2) >= holder.ports);
    most.map(|(sockets, what)| format!(" {} of them {what}.", grouped(sockets.into()))).unwrap_or_default()
}

/// That a holder closed sockets older than the trace, as the end of a sentence; empty where it closed none.
fn closed_older_clause(holder: &HolderRow) -> String {
    match holder.closed_older {
        0 => String::new(),
        older => format!(". It closed {} older than the trace", counted(older, "socket")),
    }
}

/// What the use of ports looks like, as the end of a sentence.
fn pattern_clause(pattern: Option<Pattern>, time_wait: u32) -> String {
    match pattern {
        Some(Pattern::Leak) => ". It looks like a leak".to_owned(),
        Some(Pattern::Steady) => {
            ". It took them early and has not grown since: this is steady use, not a leak".to_owned()
        }
        Some(Pattern::Load) => ". It gives them back: this is heavy load, not a leak".to_owned(),
        Some(Pattern::Churn) => {
            format!(". It is churn: {} of them are in TIME_WAIT after short connections", grouped(time_wait.into()))
        }
        Some(Pattern::Reservation) => ", reserved as a range".to_owned(),
        None => String::new(),
    }
}

fn image_sentences(image: &ImageRow, pool: &PoolRow) -> Vec<String> {
    let services =
        if image.services.is_empty() { String::new() } else { format!(" ({})", shown(&image.services.join(", "))) };
    vec![format!(
        "{} processes of {}{services} together held {}{}.",
        grouped(image.processes),
        shown(&image.image),
        part_of(image.ports, pool),
        match image.pattern {
            Some(Pattern::Steady) => {
                ". They took them early and have not grown since: this is steady use, not a leak".to_owned()
            }
            pattern => pattern_clause(pattern, image.time_wait),
        }
    )]
}

fn none_or(count: u64) -> String {
    if count == 0 { "none".to_owned() } else { grouped(count) }
}
