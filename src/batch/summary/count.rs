//! Counts the cases for the summary.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{Cell, Section, Summary};
use crate::batch::cases::{CaseFacts, CaseRow, Status};
use crate::batch::settings::Shard;
use crate::words::table::Align::{Left, Right};
use crate::words::{counted, grouped, shown, windows_name};

/// Rows of each table.
const TOP: usize = 20;

/// Characters of a reason.
const REASON_CHARACTERS: usize = 300;

/// What is told of a batch as its cases come by.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    shard: Option<Shard>,
    is_redacted: bool,
    remarks: Vec<String>,
    cases: u64,
    duplicates: u64,
    statuses: BTreeMap<Status, u64>,
    verdicts: BTreeMap<(usize, String), u64>,
    /// Cases with a report, duplicates left out.
    told: u64,
    images: BTreeMap<String, Group>,
    machines: BTreeMap<Machine, Group>,
    builds: BTreeMap<Option<u32>, Group>,
    months: BTreeMap<String, Group>,
    without_report: Vec<(String, Status, String)>,
}

/// A machine: without a host, each case stands for its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Machine {
    customer: String,
    /// The host, else the path of the case.
    name: String,
    has_host: bool,
}

impl Machine {
    fn of(case: &CaseRow) -> Self {
        Self {
            customer: case.customer.clone().unwrap_or_default(),
            name: case.host.as_ref().unwrap_or(&case.path).clone(),
            has_host: case.host.is_some(),
        }
    }
}

/// Cases with something in common.
#[derive(Debug, Default)]
struct Group {
    cases: u64,
    exhausted: u64,
    seconds: f64,
    machines: BTreeSet<Machine>,
    images: BTreeSet<String>,
    builds: BTreeSet<u32>,
    /// First failure, as JSON has it: such texts are in the order of time.
    first: Option<String>,
}

impl Group {
    fn add(&mut self, facts: &CaseFacts, machine: &Machine) {
        self.cases += 1;
        self.exhausted += u64::from(facts.is_exhausted());
        self.seconds += facts.seconds;
        self.machines.insert(machine.clone());
        self.images.extend(facts.suspect_image.clone());
        self.builds.extend(facts.os_build);
        let first = [self.first.take(), facts.first_failure.clone()];
        self.first = first.into_iter().flatten().min();
    }

    fn hours(&self) -> String {
        let hours = self.seconds / 3600.0;
        if hours > 0.0 && hours < 0.01 { "<0.01".to_owned() } else { format!("{hours:.2}") }
    }

    fn first(&self) -> String {
        let date = self.first.as_ref().and_then(|first| first.get(..19));
        date.map_or_else(String::new, |date| format!("{} UTC", date.replace('T', " ")))
    }

    fn versions(&self) -> String {
        let versions: Vec<String> = self.builds.iter().map(|build| windows(Some(*build))).collect();
        versions.join(", ")
    }

    fn images(&self) -> String {
        let mut images: Vec<&str> = self.images.iter().take(3).map(String::as_str).collect();
        if self.images.len() > images.len() {
            images.push("...");
        }
        images.join(", ")
    }
}

fn windows(build: Option<u32>) -> String {
    match build {
        Some(build) => match windows_name(build) {
            Some(name) => format!("{name} ({build})"),
            None => build.to_string(),
        },
        None => "not told".to_owned(),
    }
}

impl Counting {
    pub(crate) fn new(shard: Option<Shard>, is_redacted: bool, remarks: &[String]) -> Self {
        // Remarks name files.
        let remarks = if is_redacted { Vec::new() } else { remarks.to_vec() };
        Self { shard, is_redacted, remarks, ..Self::default() }
    }

    /// Counts a case. Of cases with the same content the first alone counts beyond the states.
    pub(crate) fn add(&mut self, case: &CaseRow) {
        self.cases += 1;
        *self.statuses.entry(case.status).or_default() += 1;
        if case.duplicate_of.is_some() {
            self.duplicates += 1;
            return;
        }
        let Some(facts) = &case.facts else {
            let reason = case.reason.clone().unwrap_or_default();
            self.without_report.push((case.path.clone(), case.status, reason));
            return;
        };
        self.told += 1;
        let confidence = facts.confidence.clone().unwrap_or_default();
        *self.verdicts.entry((rank(&facts.state), format!("{} {confidence}", facts.state))).or_default() += 1;
        let machine = Machine::of(case);
        self.builds.entry(facts.os_build).or_default().add(facts, &machine);
        self.months.entry(facts.month().unwrap_or("not dated").to_owned()).or_default().add(facts, &machine);
        if facts.is_exhausted() {
            self.machines.entry(machine.clone()).or_default().add(facts, &machine);
            if let Some(image) = &facts.suspect_image {
                self.images.entry(image.clone()).or_default().add(facts, &machine);
            }
        }
    }

    /// The summary of all that was counted.
    pub(crate) fn finish(self) -> Summary {
        let sections = [
            self.verdicts(),
            self.images(),
            self.machines(),
            self.months(),
            self.versions(),
            self.states(),
            self.without_report(),
        ];
        Summary {
            sentences: self.sentences(),
            sections: sections.into_iter().filter(|section| !section.rows.is_empty()).collect(),
            tool: format!("outofports {}", env!("CARGO_PKG_VERSION")),
        }
    }

    fn sentences(&self) -> Vec<String> {
        let exhausted: u64 = self.machines.values().map(|group| group.cases).sum();
        let mut sentences = vec![format!(
            "{} of {} different cases with a report ran out of ports, on {}.",
            grouped(exhausted),
            grouped(self.told),
            counted(self.machines.len() as u64, "machine")
        )];
        if let Some(shard) = self.shard {
            sentences.push(format!("This is part {} of {} of all cases.", shard.number(), shard.count()));
        }
        let without: u64 =
            self.statuses.iter().filter(|(status, _)| !status.has_report()).map(|(_, count)| count).sum();
        let mut all = format!("{} in all", counted(self.cases, "case"));
        if self.duplicates > 0 {
            all.push_str(&format!(
                ", {} of them with the content of another, which counts once",
                grouped(self.duplicates)
            ));
        }
        if without > 0 {
            all.push_str(&format!(", {} without a report", grouped(without)));
        }
        sentences.push(format!("{all}."));
        if self.is_redacted {
            sentences.push(
                "Redacted: names of hosts, customers, users and files are replaced, the same everywhere.".to_owned(),
            );
        }
        sentences.extend(self.remarks.iter().map(|remark| format!("{}.", shown(remark))));
        sentences
    }

    fn verdicts(&self) -> Section {
        let rows = self.verdicts.iter().map(|((_, verdict), cases)| {
            let (state, confidence) = verdict.split_once(' ').unwrap_or((verdict, ""));
            vec![own(state_word(state)), own(confidence), own(grouped(*cases))]
        });
        Section {
            title: "Verdicts",
            note: String::new(),
            headings: vec![("verdict", Left), ("confidence", Left), ("cases", Right)],
            rows: rows.collect(),
        }
    }

    fn images(&self) -> Section {
        let mut images: Vec<(&String, &Group)> = self.images.iter().collect();
        images.sort_by(|(name, one), (other_name, other)| {
            let by = |group: &Group| Reverse(group.machines.len());
            by(one).cmp(&by(other)).then(other.seconds.total_cmp(&one.seconds)).then(name.cmp(other_name))
        });
        let row = |(image, group): &(&String, &Group)| {
            vec![
                Cell::Name((*image).clone()),
                own(grouped(group.machines.len() as u64)),
                own(grouped(group.cases)),
                own(group.hours()),
                own(group.first()),
                own(group.versions()),
            ]
        };
        Section {
            title: "Images that held the ports",
            note: more(
                images.len(),
                "The image that the report of an exhausted case names; a trace does not tell its version.",
            ),
            headings: vec![
                ("image", Left),
                ("machines", Right),
                ("cases", Right),
                ("hours out of ports", Right),
                ("first seen", Left),
                ("on", Left),
            ],
            rows: images.iter().take(TOP).map(row).collect(),
        }
    }

    fn machines(&self) -> Section {
        let mut machines: Vec<(&Machine, &Group)> = self.machines.iter().collect();
        machines.sort_by(|(name, one), (other_name, other)| {
            other.seconds.total_cmp(&one.seconds).then(other.cases.cmp(&one.cases)).then(name.cmp(other_name))
        });
        let row = |(machine, group): &(&Machine, &Group)| {
            vec![
                Cell::Name(machine.customer.clone()),
                Cell::Name(machine.name.clone()),
                own(grouped(group.cases)),
                own(group.hours()),
                own(group.first()),
                Cell::Name(group.images()),
            ]
        };
        Section {
            title: "Machines that ran out of ports",
            note: more(machines.len(), "Where no host is known, a case stands for its machine."),
            headings: vec![
                ("customer", Left),
                ("host or case", Left),
                ("cases", Right),
                ("hours out of ports", Right),
                ("first seen", Left),
                ("held by", Left),
            ],
            rows: machines.iter().take(TOP).map(row).collect(),
        }
    }

    fn months(&self) -> Section {
        let rows = self.months.iter().map(|(month, group)| {
            vec![
                own(month.clone()),
                own(grouped(group.cases)),
                own(grouped(group.exhausted)),
                own(grouped(group.machines.len() as u64)),
                own(group.hours()),
            ]
        });
        Section {
            title: "Months",
            note: String::new(),
            headings: vec![
                ("month", Left),
                ("cases", Right),
                ("out of ports", Right),
                ("machines", Right),
                ("hours out of ports", Right),
            ],
            rows: rows.collect(),
        }
    }

    fn versions(&self) -> Section {
        let rows = self.builds.iter().map(|(build, group)| {
            vec![own(windows(*build)), own(grouped(group.cases)), own(grouped(group.exhausted)), own(group.hours())]
        });
        Section {
            title: "Versions of Windows",
            note: String::new(),
            headings: vec![("version", Left), ("cases", Right), ("out of ports", Right), ("hours out of ports", Right)],
            rows: rows.collect(),
        }
    }

    fn states(&self) -> Section {
        let rows = Status::ALL.into_iter().map(|status| {
            let cases = self.statuses.get(&status).copied().unwrap_or(0);
            vec![own(status.as_str()), own(grouped(cases)), own(status_meaning(status))]
        });
        Section {
            title: "What became of the cases",
            note: String::new(),
            headings: vec![("status", Left), ("cases", Right), ("meaning", Left)],
            rows: rows.collect(),
        }
    }

    fn without_report(&self) -> Section {
        let row = |(path, status, reason): &(String, Status, String)| {
            let mut reason: String = shown(reason);
            if let Some((end, _)) = reason.char_indices().nth(REASON_CHARACTERS) {
                reason.truncate(end);
                reason.push('…');
            }
            vec![Cell::Name(path.clone()), own(status.as_str()), Cell::Name(reason)]
        };
        Section {
            title: "Cases without a report",
            note: more(self.without_report.len(), ""),
            headings: vec![("case", Left), ("status", Left), ("reason", Left)],
            rows: self.without_report.iter().take(TOP).map(row).collect(),
        }
    }
}

fn own(text: impl Into<String>) -> Cell {
    Cell::Own(text.into())
}

/// A note, and how many rows there are where not all are shown.
fn more(rows: usize, note: &str) -> String {
    if rows <= TOP {
        return note.to_owned();
    }
    format!("{note} The first {TOP} of {}; the tables have all.", grouped(rows as u64)).trim_start().to_owned()
}

/// The order of states: the worst first.
fn rank(state: &str) -> usize {
    ["exhausted", "near", "not_seen", "cannot_tell"].iter().position(|one| *one == state).unwrap_or(usize::MAX)
}

fn state_word(state: &str) -> &str {
    match state {
        "exhausted" => "ran out of ports",
        "near" => "nearly ran out",
        "not_seen" => "not seen",
        "cannot_tell" => "cannot tell",
        other => other,
    }
}

fn status_meaning(status: Status) -> &'static str {
    match status {
        Status::Ok => "a report, of which nothing is to be said",
        Status::Notes => "a report with notes: losses, damage, files not used",
        Status::Unusable => "nothing in it is a trace or a known listing",
        Status::Timeout => "took longer than --timeout allows",
        Status::TooLarge => "needs more memory than it may have",
        Status::Failed => "cannot be read, or its reader broke down",
    }
}
