//! What each code means that a report can mention, what follows from it, and what to do about it: by the code alone, without a
//! report.

mod events;
mod print;
mod statuses;
mod words;

use serde::Serialize;

pub use self::print::{write_json, write_list, write_markdown, write_text};
use crate::diagnosis::codes::{AlternativeCode, PossibleCause, ReasonCode, RecommendationCode, Remark, Role};
use crate::diagnosis::known::{KnownCause, known_table};
use crate::words::shown;

/// What a code is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The verdict's state.
    Verdict,
    /// How far to trust the verdict.
    Confidence,
    /// A reason of the verdict.
    Reason,
    /// Something to do.
    Recommendation,
    /// Something else that it could be.
    Alternative,
    /// What may hold ports that nothing explains.
    PossibleCause,
    /// Who is named first.
    Suspect,
    /// What a holder's use of ports looks like.
    Pattern,
    /// How a holder is known.
    Evidence,
    /// How the owner of a failure is known.
    OwnerSource,
    /// What a process is in the case.
    Role,
    /// What the classic procedure remarks.
    Remark,
    /// What others found behind the like.
    KnownCause,
    /// A status of an operation.
    Ntstatus,
    /// An error that programs see.
    Winsock,
    /// An event of a trace or of an event log.
    Event,
}

impl Kind {
    /// All of them, in the order of the list.
    pub const ALL: [Self; 16] = [
        Self::Verdict,
        Self::Confidence,
        Self::Reason,
        Self::Recommendation,
        Self::Alternative,
        Self::PossibleCause,
        Self::Suspect,
        Self::Pattern,
        Self::Evidence,
        Self::OwnerSource,
        Self::Role,
        Self::Remark,
        Self::KnownCause,
        Self::Ntstatus,
        Self::Winsock,
        Self::Event,
    ];

    /// What one of them is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Confidence => "confidence in the verdict",
            Self::Reason => "reason of the verdict",
            Self::Recommendation => "recommendation",
            Self::Alternative => "alternative",
            Self::PossibleCause => "possible cause of unexplained ports",
            Self::Suspect => "suspect",
            Self::Pattern => "pattern of a holder",
            Self::Evidence => "evidence for a holder",
            Self::OwnerSource => "source of an owner",
            Self::Role => "role of a process",
            Self::Remark => "remark of the classic procedure",
            Self::KnownCause => "known cause",
            Self::Ntstatus => "NTSTATUS",
            Self::Winsock => "Winsock error",
            Self::Event => "event",
        }
    }

    /// The heading of their list.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Verdict => "Verdicts",
            Self::Confidence => "Confidence in a verdict",
            Self::Reason => "Reasons of a verdict",
            Self::Recommendation => "Recommendations",
            Self::Alternative => "What else it could be",
            Self::PossibleCause => "Possible causes of unexplained ports",
            Self::Suspect => "Suspects",
            Self::Pattern => "Patterns of holders",
            Self::Evidence => "Evidence for holders",
            Self::OwnerSource => "How owners of failures are known",
            Self::Role => "Roles of processes",
            Self::Remark => "Remarks of the classic procedure",
            Self::KnownCause => "Known causes",
            Self::Ntstatus => "NTSTATUS values",
            Self::Winsock => "Winsock errors",
            Self::Event => "Events",
        }
    }
}

/// A code and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What it is of.
    pub kind: Kind,
    /// The code, as reports have it; of an event its id.
    pub code: String,
    /// Its symbol, the word that tables have for it, or the provider of an event; `None` where the code is its own name.
    pub name: Option<String>,
    /// What it stands for, in a line.
    pub meaning: String,
    /// What it means, what follows from it, and what to do.
    pub explanation: String,
    /// Other codes to look at.
    pub see: Vec<String>,
    /// Where it is from: addresses, or names of pages.
    pub sources: Vec<String>,
}

impl Explanation {
    fn new(kind: Kind, code: &str, meaning: &str, explanation: &str) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            name: None,
            meaning: meaning.to_owned(),
            explanation: explanation.to_owned(),
            see: Vec::new(),
            sources: Vec::new(),
        }
    }

    /// As lists and headings have it: the code, behind it its name.
    pub fn title(&self) -> String {
        match (&self.name, self.kind) {
            (Some(provider), Kind::Event) => format!("{provider} {}", self.code),
            (Some(name), _) => format!("{} {name}", self.code),
            (None, _) => self.code.clone(),
        }
    }
}

/// Everything that can be explained, by kind.
pub fn all() -> Vec<Explanation> {
    let mut all = words::all();
    macro_rules! of_codes {
        ($kind:expr, $codes:ident) => {
            all.extend(
                $codes::ALL
                    .iter()
                    .map(|code| Explanation::new($kind, code.as_str(), code.meaning(), code.explanation())),
            );
        };
    }
    of_codes!(Kind::Reason, ReasonCode);
    of_codes!(Kind::Recommendation, RecommendationCode);
    of_codes!(Kind::Alternative, AlternativeCode);
    of_codes!(Kind::PossibleCause, PossibleCause);
    of_codes!(Kind::Role, Role);
    of_codes!(Kind::Remark, Remark);
    all.extend(known_table().map(known_cause));
    all.extend(statuses::all());
    all.extend(events::all());
    all.sort_by_key(|one| one.kind);
    all
}

fn known_cause(cause: KnownCause) -> Explanation {
    let trust = cause.trust.phrase();
    let explanation = format!(
        "Others saw this; a report names it only as a hint, never as the verdict. What helped: {}. It is {trust}.",
        cause.fix
    );
    let mut explained = Explanation::new(Kind::KnownCause, cause.code, cause.text, &explanation);
    explained.sources = cause.sources.iter().map(|source| (*source).to_owned()).collect();
    explained
}

/// What a text stands for: a code, the name of a status, or a number (of an event, a Winsock error, or a status). Of a code of
/// several kinds all of them; nothing where no report mentions it.
pub fn find(text: &str) -> Vec<Explanation> {
    let text = text.trim();
    let same = |one: &Explanation| {
        let is_name =
            one.kind != Kind::Event && one.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(text));
        one.code.eq_ignore_ascii_case(text) || is_name || one.title().eq_ignore_ascii_case(text)
    };
    let found: Vec<Explanation> = all().into_iter().filter(same).collect();
    if found.is_empty() { statuses::by_number(text).into_iter().collect() } else { found }
}

/// Codes and names that look like a text, the likeliest first, five at most.
pub fn near(text: &str) -> Vec<String> {
    let text = text.trim().to_lowercase();
    let mut near: Vec<(f64, String)> = Vec::new();
    for one in all() {
        for name in [Some(one.code), one.name.filter(|_| one.kind != Kind::Event)].into_iter().flatten() {
            let lower = name.to_lowercase();
            let contained = text.len().min(lower.len()) >= 3 && (lower.contains(&text) || text.contains(&lower));
            let likeness = strsim::jaro_winkler(&text, &lower) + if contained { 1.0 } else { 0.0 };
            if likeness >= LIKE && !near.iter().any(|(_, known)| *known == name) {
                near.push((likeness, name));
            }
        }
    }
    near.sort_by(|(one, name), (other, other_name)| other.total_cmp(one).then_with(|| name.cmp(other_name)));
    near.into_iter().map(|(_, name)| name).take(5).collect()
}

/// What is said of a text that stands for nothing: `no report has the code ...`, and what is like it.
pub fn unknown(text: &str) -> String {
    let near = near(text);
    let like = if near.is_empty() { String::new() } else { format!("; like it are {}", near.join(", ")) };
    format!("no report has the code {}{like}", shown(text))
}

/// From here on a name looks like a text, on Jaro and Winkler's scale from 0 to 1.
const LIKE: f64 = 0.82;
