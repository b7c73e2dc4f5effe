//! Reports of this program, which lie in many a folder that is analyzed again: what they say is no evidence of its own.

/// How a report in Markdown, and the table of processes as CSV, begin.
const BEGINNINGS: [&str; 2] = ["# Port exhaustion: ", "pid,image,image_path,image_source,"];

/// What a report as HTML has in its head.
const GENERATOR: &str = "<meta name=\"generator\" content=\"outofports ";

/// How the line of a text report begins that answers the question.
const ANSWER: &str = "PORT EXHAUSTION: ";

/// In so many lines a text report has answered, or an HTML report has told its generator.
const FIRST_LINES: usize = 60;

/// Whether a text is a report of this program.
pub(super) fn is_own_report(text: &str) -> bool {
    let text = text.trim_start_matches('\u{feff}');
    BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
        || text.lines().take(FIRST_LINES).any(|line| line.starts_with(ANSWER) || line.starts_with(GENERATOR))
}
