//! What a reader of a report sees first.

use outofports::Format;
use outofports::report::Report;
use outofports::report::text::Layout;
use serde_json::Value;

/// Wide enough that no sentence is broken.
const WIDE: Layout = Layout { width: 4_000, table_width: None, top: 100, is_ascii: false };

/// A name on the first screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) image: String,
    pub(crate) pid: Option<u32>,
    /// The sentence counts its failures: it stands there as one that suffers.
    pub(crate) suffers: bool,
}

/// A report as data, as text, and as its first screen.
pub(crate) struct Seen {
    pub(crate) json: Value,
    pub(crate) text: String,
    /// As in a file, with lines of the usual width.
    pub(crate) narrow: String,
    pub(crate) screen: String,
    pub(crate) mentions: Vec<Mention>,
}

fn written(report: &Report, format: Format, layout: Layout) -> String {
    let mut out = Vec::new();
    report.write_with(format, layout, &mut out).unwrap();
    anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
}

impl Seen {
    /// `names` are those that a reader may meet: PID and image.
    pub(crate) fn new(report: &Report, names: Vec<(Option<u32>, String)>) -> Self {
        let text = written(report, Format::Text, WIDE);
        let screen = first_screen(&text);
        let mentions = mentions(&screen, &names);
        let json = serde_json::from_str(&written(report, Format::Json, WIDE)).unwrap();
        Self { json, narrow: written(report, Format::Text, Layout::default()), text, screen, mentions }
    }

    /// The line that the first screen begins with.
    pub(crate) fn headline(&self) -> &str {
        self.text.lines().find(|line| line.starts_with("PORT EXHAUSTION")).unwrap_or_default()
    }

    pub(crate) fn state(&self) -> &str {
        self.json["verdict"]["state"].as_str().unwrap()
    }

    pub(crate) fn confidence(&self) -> Option<&str> {
        self.json["verdict"]["confidence"].as_str()
    }

    /// Codes of the recommendations.
    pub(crate) fn steps(&self) -> Vec<&str> {
        self.rows("recommendations").filter_map(|step| step["code"].as_str()).collect()
    }

    /// The rows of a list; none where the report has no such list.
    pub(crate) fn rows(&self, list: &str) -> impl Iterator<Item = &Value> {
        self.json[list].as_array().into_iter().flatten()
    }

    /// The first mention that does not stand there as one that suffers.
    pub(crate) fn blamed(&self) -> Option<&Mention> {
        self.mentions.iter().find(|mention| !mention.suffers)
    }

    /// Who is named first, as the table shows it.
    pub(crate) fn first_name(&self) -> String {
        match self.mentions.first() {
            None if self.screen.contains("TIME_WAIT") => "TIME_WAIT".to_owned(),
            None => "nobody".to_owned(),
            Some(Mention { image, pid, suffers }) => {
                let who = pid.map_or_else(|| image.clone(), |pid| format!("{image} {pid}"));
                if *suffers { format!("{who} as a victim") } else { who }
            }
        }
    }
}

/// What stands between the headline and the first heading after it.
fn first_screen(text: &str) -> String {
    let after = text.lines().skip_while(|line| !line.starts_with("PORT EXHAUSTION"));
    let below = after.skip(1).take_while(|line| line.is_empty() || line.starts_with(' '));
    below.map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn mentions(screen: &str, names: &[(Option<u32>, String)]) -> Vec<Mention> {
    let mut found = Vec::new();
    for sentence in screen.lines().flat_map(|line| line.split(". ")) {
        let lower = sentence.to_lowercase();
        let suffers = ["failed", "suffer", "victim"].iter().any(|word| lower.contains(word));
        let mut here: Vec<(usize, Mention)> = Vec::new();
        for (pid, image) in names {
            for at in places(sentence, image, *pid) {
                let told = pid_behind(&sentence[at..]);
                let mention = Mention { image: image.clone(), pid: told, suffers };
                if !here.iter().any(|(known, _)| *known == at) {
                    here.push((at, mention));
                }
            }
        }
        here.sort_by_key(|(at, _)| *at);
        found.extend(here.into_iter().map(|(_, mention)| mention));
    }
    found
}

/// Where a name stands in a sentence as a word; System is a word of its own only beside its PID.
fn places(sentence: &str, image: &str, pid: Option<u32>) -> Vec<usize> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    let words = sentence.match_indices(image).filter(|(at, name)| {
        let (before, after) = (&sentence[..*at], &sentence[at + name.len()..]);
        let is_end = after.trim_start_matches('.').is_empty() || !after.starts_with(is_part);
        !before.ends_with(is_part) && is_end && (image.contains('.') || after.starts_with(" (PID"))
    });
    let mut places: Vec<usize> = words.map(|(at, _)| at).collect();
    // A process without a name.
    if places.is_empty()
        && let Some(pid) = pid
    {
        let behind_a_name = |at: usize| sentence[..at].trim_end_matches(" (").ends_with(".exe");
        let unnamed = sentence.match_indices("PID ").filter(|(at, _)| !behind_a_name(*at));
        places.extend(unnamed.filter(|(at, _)| pid_behind(&sentence[*at..]) == Some(pid)).map(|(at, _)| at));
    }
    places
}

/// The PID in `name.exe (PID 7312)`, or in `PID 7312`.
fn pid_behind(text: &str) -> Option<u32> {
    let (before, after) = text.split_once("PID ")?;
    let is_beside = before.is_empty() || before.ends_with('(') && !before.trim_end_matches(" (").contains(' ');
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|_| is_beside)
}

#[test]
fn names_are_found_in_sentences() {
    let names = [(Some(7), "a.exe".to_owned()), (Some(4), "System".to_owned()), (Some(9), "b.exe".to_owned())];
    let screen = "the System log\nb.exe (PID 9) failed. a.exe (PID 7) held 5 ports.\nxa.exe and a.exe-old, 30 a.exe";
    let mention = |image: &str, pid, suffers| Mention { image: image.to_owned(), pid, suffers };
    let want = [mention("b.exe", Some(9), true), mention("a.exe", Some(7), false), mention("a.exe", None, false)];
    assert_eq!(mentions(screen, &names), want);
    assert_eq!(mentions("System (PID 4) held it", &names), [mention("System", Some(4), false)]);
    assert_eq!(mentions("(name unknown) (PID 7) held it", &names), [mention("a.exe", Some(7), false)]);
    assert_eq!(mentions("PID 70 held it", &names), []);
    let text = "x.etl\n  span\n\nPORT EXHAUSTION: YES\n  one\n\n  two\n\nWHO HOLDS\n  three\n";
    assert_eq!(first_screen(text), "one\ntwo");
}
