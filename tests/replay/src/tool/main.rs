//! Tools around the replaying library: events as text, renamed imports, reports compared.

#![allow(clippy::print_stdout)]

mod compare;
mod imports;
mod signal;
mod text;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tools for tests of live capture
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes the manifest events of a trace as text, in the order in which a session would deliver them
    Text {
        /// The trace
        trace: PathBuf,
        /// The text file
        out: PathBuf,
        /// Make the trace N times as long, with the same events
        #[arg(long, value_name = "N", default_value_t = 1)]
        stretch: i64,
    },
    /// Copies a program, and renames libraries in its import table
    Rename {
        /// The program
        program: PathBuf,
        /// The copy
        out: PathBuf,
        /// OLD=NEW; NEW is not longer than OLD
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Gives a program an event of the console, as closing its window does
    Signal {
        /// Its image, such as live.exe
        image: String,
        /// The event: 0 Ctrl-C, 1 Ctrl-Break, 2 the window closes, 5 log-off, 6 shutdown
        event: u32,
    },
    /// Compares the reports of a live session and of a trace with the same events, field by field
    Compare {
        /// Report of the session
        live: PathBuf,
        /// Report of the trace
        offline: PathBuf,
        /// Seconds by which the session's events are later
        #[arg(long, default_value_t = 0)]
        shift: i64,
    },
    /// Writes its arguments, and what of its environment begins with OUTOFPORTS_, to a file
    Told {
        /// The file
        out: PathBuf,
        /// Arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn write_told(out: &Path, arguments: &[String]) -> std::io::Result<()> {
    let mut lines: Vec<String> = arguments.iter().map(|argument| format!("argument={argument}")).collect();
    let variables = std::env::vars().filter(|(name, _)| name.starts_with("OUTOFPORTS_"));
    lines.extend(variables.map(|(name, value)| format!("{name}={value}")));
    std::fs::write(out, lines.join("\n") + "\n")
}

fn main() -> ExitCode {
    // In the place of a program of Windows it is one that hangs.
    let name = std::env::current_exe().ok().and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned()));
    if name.is_some_and(|name| !name.starts_with("replay")) {
        loop {
            std::thread::park();
        }
    }
    let result: Result<bool, Box<dyn Error>> = match Cli::parse().command {
        Command::Text { trace, out, stretch } => text::write(&trace, &out, stretch).map(|()| true),
        Command::Rename { program, out, names } => imports::rename(&program, &out, &names).map(|()| true),
        Command::Told { out, arguments } => write_told(&out, &arguments).map(|()| true).map_err(Into::into),
        Command::Signal { image, event } => signal::send(&image, event).map(|()| true),
        Command::Compare { live, offline, shift } => compare::reports(&live, &offline, shift),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            println!("replay-tool: {error}");
            ExitCode::from(2)
        }
    }
}
