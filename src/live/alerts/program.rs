//! A program that is run when an outage begins: without a shell, its arguments as they were given, the outage in its environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::super::system::ending;
use super::super::watch::OutageNow;
use super::change::Change;
use crate::words::{shown, system_message};

/// Runs at once at most: of programs that hang no more are started.
const MAX_RUNNING: usize = 4;

/// What runs longer is told, once.
const LONG: Duration = Duration::from_secs(60);

/// Scripts that Windows gives to `cmd.exe`, which reads their arguments anew: no quoting is safe there.
const OF_SHELL: [&str; 2] = ["bat", "cmd"];

/// Scripts that Windows does not start by themselves.
const SCRIPTS: [&str; 6] = ["ps1", "vbs", "vbe", "js", "wsf", "py"];

/// The program.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    since: Instant,
    is_told: bool,
}

impl Program {
    /// The program that these words are, and its arguments. It is looked for now, and not when it is needed.
    ///
    /// # Errors
    ///
    /// Why it cannot be run, for people.
    pub fn new(words: &[OsString]) -> Result<Self, String> {
        let (program, arguments) = words.split_first().ok_or("there is no program to run")?;
        let name = Path::new(program);
        let told = shown(&name.display().to_string());
        if let Some(ending) = script_ending(name) {
            let why = if OF_SHELL.contains(&ending) {
                "scripts of cmd.exe are not run, since it reads their arguments anew"
            } else {
                "this is a script, which Windows does not start"
            };
            return Err(format!(
                "{told}: {why}; name a program, as powershell.exe -NoProfile -NonInteractive -File C:\\tools\\notify.ps1"
            ));
        }
        let path = found(name).ok_or_else(|| format!("{told}: there is no such program"))?;
        Ok(Self { path, arguments: arguments.to_vec(), running: Vec::new() })
    }

    /// Starts it for an outage that began, and does not wait for it.
    ///
    /// # Errors
    ///
    /// Why it was not started, for people.
    pub fn run(&mut self, change: &Change, outage: OutageNow) -> Result<(), String> {
        if self.running.len() >= MAX_RUNNING {
            return Err(format!("{}: not run: {MAX_RUNNING} of it run still", self.name()));
        }
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).envs(change.environment(outage));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        #[cfg(windows)]
        {
            use std::os::windows::process::CommandExt as _;
            // A console of its own, which nobody sees: Ctrl-C ends the capture and not the program.
            command.creation_flags(super::super::windows::NO_WINDOW);
        }
        let child = command.spawn().map_err(|error| format!("{}: not run: {}", self.name(), system_message(&error)))?;
        self.running.push(Running { child, since: Instant::now(), is_told: false });
        Ok(())
    }

    /// What is to be told of those that were started: which failed, and which take long.
    pub fn troubles(&mut self) -> Vec<String> {
        let name = self.name();
        let mut troubles = Vec::new();
        self.running.retain_mut(|running| {
            let pid = running.child.id();
            match running.child.try_wait() {
                Ok(Some(status)) if status.success() => false,
                Ok(Some(status)) => {
                    troubles.push(format!("{name} (PID {pid}): {}", ending(status.code())));
                    false
                }
                Ok(None) => {
                    if !running.is_told && running.since.elapsed() >= LONG {
                        running.is_told = true;
                        troubles.push(format!("{name} (PID {pid}): runs for more than {} s", LONG.as_secs()));
                    }
                    true
                }
                Err(error) => {
                    troubles.push(format!("{name} (PID {pid}): {}", system_message(&error)));
                    false
                }
            }
        });
        troubles
    }

    /// What is to be told at the end: what still runs is left to itself.
    pub fn left_running(&mut self) -> Vec<String> {
        let mut troubles = self.troubles();
        let name = self.name();
        let still = self.running.iter().map(|running| format!("{name} (PID {}): runs still", running.child.id()));
        troubles.extend(still);
        troubles
    }

    fn name(&self) -> String {
        format!("--on-failure {}", shown(&self.path.display().to_string()))
    }
}

/// The ending of a script. Windows leaves out dots and blanks at the end of a name, and knows a stream behind a colon.
fn script_ending(name: &Path) -> Option<&'static str> {
    let text = name.to_string_lossy();
    let file = text.rsplit(['/', '\\']).next()?;
    file.split(':').find_map(|part| {
        let (_, ending) = part.trim_end_matches(['.', ' ']).rsplit_once('.')?;
        OF_SHELL.into_iter().chain(SCRIPTS).find(|known| known.eq_ignore_ascii_case(ending.trim_end()))
    })
}

/// The program's file: a path as it is, a name alone in the folders of `PATH`, never in the current folder unasked.
fn found(name: &Path) -> Option<PathBuf> {
    let with_ending = |path: PathBuf| {
        let ending = std::env::consts::EXE_EXTENSION;
        if path.extension().is_none() && !ending.is_empty() { path.with_extension(ending) } else { path }
    };
    let is_path = name.components().count() > 1 || name.is_absolute();
    let candidates: Vec<PathBuf> = if is_path {
        vec![std::path::absolute(name).ok()?]
    } else {
        let folders = std::env::var_os("PATH")?;
        std::env::split_paths(&folders).filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).collect()
    };
    candidates.into_iter().map(with_ending).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(program: &str) -> String {
        Program::new(&[program.into(), "argument".into()]).unwrap_err()
    }

    #[test]
    fn scripts_of_a_shell_are_refused_however_they_are_spelled() {
        for name in ["a.bat", "a.CMD", r"C:\tools\notify.Bat", "a.cmd. .", "a.bat::$DATA", "tools/x.cmd ", "C:a.cmd"] {
            assert!(refused(name).contains("reads their arguments anew"), "{name}");
        }
        assert!(refused("notify.ps1").contains("powershell.exe -NoProfile"));
        assert!(refused("no-such-program-here").contains("there is no such program"));
        assert!(refused("/no/such/folder.cmd/program").contains("there is no such program"));
        assert!(Program::new(&[]).is_err());
    }

    #[test]
    fn a_program_of_the_system_is_found() {
        let (name, file) = if cfg!(windows) { ("netsh", "netsh.exe") } else { ("sh", "sh") };
        let program = Program::new(&[name.into()]).unwrap();
        assert!(program.path.is_absolute() && program.path.ends_with(file), "{program:?}");
    }
}
