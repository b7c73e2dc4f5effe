//! The `outofports` program: see the library of the same name.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use outofports::cli::Cli;
use outofports::commands::{self, Failure};

fn main() -> ExitCode {
    outofports::foreign::install_hook();
    let arguments = arguments();
    let is_worker = arguments.len() == 2 && arguments.iter().any(|argument| argument == commands::WORKER);
    let outcome = if is_worker {
        commands::worker()
    } else if Cli::asks_what_it_is(&arguments) {
        commands::version()
    } else {
        commands::run(&Cli::parse_from(Cli::with_subcommand(arguments)))
    };
    match outcome {
        Ok(outcome) => ExitCode::from(outcome.exit_code()),
        Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Err(failure) => {
            for line in failure.to_string().lines() {
                let _ = writeln!(std::io::stderr(), "outofports: {line}");
            }
            ExitCode::from(2)
        }
    }
}

/// The arguments; those of Windows with patterns such as `*.etl` replaced by the files that they match.
fn arguments() -> Vec<OsString> {
    #[cfg(windows)]
    let all = wild::args_os();
    #[cfg(not(windows))]
    let all = std::env::args_os();
    all.collect()
}
