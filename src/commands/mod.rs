//! One file for each subcommand: options in, output and exit code out.

mod analyze;
mod batch;
mod events;
mod explain;
mod failure;
mod info;
mod live;
mod packets;
mod redaction;
mod shell;
mod writing;

use std::path::PathBuf;

pub use self::batch::{WORKER, worker};
pub use self::failure::Failure;
pub use self::shell::version;
use crate::case::{Case, Contents, Error, NamedSideFile};
use crate::cli::{Cli, Command, Common};
use crate::diagnosis::state::State;
use crate::pipeline::Threads;
use crate::terminal::with_bar;

/// How a run ended that wrote what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything could be used.
    Complete,
    /// Some input could not be used.
    Incomplete,
    /// A batch in which no case has a report.
    Nothing,
    /// With `--fail-on-verdict`: the verdict.
    Verdict(State),
}

impl Outcome {
    /// Of a report: the verdict where it is asked for and says anything but "not seen", else whether all could be used.
    fn of_report(verdict: State, fail_on_verdict: bool, is_complete: bool) -> Self {
        match (verdict, is_complete) {
            (state, _) if fail_on_verdict && state != State::NotSeen => Self::Verdict(state),
            (_, true) => Self::Complete,
            (_, false) => Self::Incomplete,
        }
    }

    /// The program's exit code, from 0 to 20.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Complete | Self::Verdict(State::NotSeen) => 0,
            Self::Incomplete => 1,
            Self::Nothing => 2,
            Self::Verdict(State::Exhausted) => 10,
            Self::Verdict(State::Near) => 11,
            Self::Verdict(State::CannotTell) => 20,
        }
    }
}

/// Does what the command line asks for.
///
/// # Errors
///
/// Where there is no report: [`Failure`] says why.
pub fn run(cli: &Cli) -> Result<Outcome, Failure> {
    match &cli.command {
        Command::Analyze(options) => analyze::analyze(options),
        Command::Events(options) => events::events(options),
        Command::Info(options) => info::info(options),
        Command::Packets(options) => packets::packets(options),
        Command::Live(options) => live::live(options),
        Command::Collect(options) => live::collect(options),
        Command::Batch(options) => batch::batch(options),
        Command::Explain(options) => explain::explain(options),
        Command::Completions(options) => shell::completions(options),
        Command::Man(options) => shell::man(options),
    }
}

/// What a command reads from: threads, and the inputs opened.
fn open(common: &Common, case: &Case) -> Result<(Threads, Contents), Failure> {
    let threads = Threads::start(common.threads()).map_err(Error::from)?;
    let contents = with_bar(common.is_silent(), |progress| Contents::open(case, progress)).map_err(Error::from)?;
    Ok((threads, contents))
}

/// The case that a command line names: `-` is standard input.
fn case_of(inputs: &[PathBuf], side_files: Vec<NamedSideFile>) -> Case {
    let case = inputs.iter().fold(Case::default(), |case, input| match input.to_str() {
        Some("-") => case.with_standard_input(),
        _ => case.with_path(input),
    });
    case.with_side_files(side_files)
}
