//! The `outofports` program: see the library of the same name.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use outofports::cli::Cli;
use outofports::error::Error;

fn main() -> ExitCode {
    match outofports::commands::run(&Cli::parse()) {
        Ok(outcome) => ExitCode::from(outcome.exit_code()),
        Err(Error::ClosedPipe) => ExitCode::SUCCESS,
        Err(error) => {
            for line in error.to_string().lines() {
                let _ = writeln!(std::io::stderr(), "outofports: {line}");
            }
            ExitCode::from(2)
        }
    }
}
