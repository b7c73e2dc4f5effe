//! Writes the sample set of the queries: synthetic cases, and the tables that `outofports batch` makes of them:
//! `cargo run --example sample -- FOLDER`. Each two scenarios of `synth` stand for two captures of one host.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use outofports::batch::{self, NoWatcher, Settings};

/// Customers that the hosts are shared out to.
const CUSTOMERS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: sample FOLDER")?);
    let cases = folder.join("cases");
    for (number, scenario) in synth::scenarios().iter().chain(synth::cases()).enumerate() {
        let host = number / 2;
        let name = format!("customer-{}/host-{host:03}/{}", host % CUSTOMERS, scenario.name);
        let written = synth::write(scenario.name).ok_or("a scenario that is listed can be written")?;
        let case = cases.join(name);
        fs::create_dir_all(&case)?;
        if !written.trace.is_empty() {
            fs::write(case.join("server.etl"), &written.trace)?;
        }
        for (file, bytes) in &written.side_files {
            fs::write(case.join(file), bytes)?;
        }
    }
    let mut settings = Settings::new([cases], folder.join("tables"));
    settings.name_from = Some("{customer}/{host}/…".parse()?);
    let batch = batch::run(&settings, &mut NoWatcher)?;
    println!("{} cases, {} of them without a report", batch.cases, batch.without_report());
    Ok(())
}
