//! Runs a command of the system, for a limited time.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::system::{CommandOutput, WhyMissing};

/// Output that is kept of a command. `netstat -anobq` of 65,000 sockets prints 10 MB.
const MAX_OUTPUT_BYTES: u64 = 64 << 20;

/// How often it is looked whether the command has ended.
const REST: Duration = Duration::from_millis(20);

/// Runs `command` to its end, or ends it after `limit`, or as soon as `is_interrupted`.
///
/// # Errors
///
/// Why it could not be run, or that it was ended.
pub(super) fn run(
    mut command: Command,
    limit: Duration,
    is_interrupted: &dyn Fn() -> bool,
) -> Result<CommandOutput, WhyMissing> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| crate::words::system_message(&error))?;
    let stdout = read_all(child.stdout.take());
    let stderr = read_all(child.stderr.take());
    let began = Instant::now();
    let code = loop {
        if let Some(status) = child.try_wait().map_err(|error| crate::words::system_message(&error))? {
            break status.code();
        }
        let why = match (is_interrupted(), began.elapsed() >= limit) {
            (true, _) => "was interrupted before it ended".to_owned(),
            (false, true) => format!("took longer than {} s and was ended", limit.as_secs()),
            (false, false) => {
                std::thread::sleep(REST);
                continue;
            }
        };
        let _ = child.kill();
        let _ = child.wait();
        return Err(why);
    };
    // A child of the command may keep the pipe open after its end.
    let rest = limit.saturating_sub(began.elapsed()).max(Duration::from_secs(1));
    let output = |pipe: mpsc::Receiver<Vec<u8>>| pipe.recv_timeout(rest).unwrap_or_default();
    Ok(CommandOutput { stdout: output(stdout), stderr: output(stderr), code })
}

fn read_all(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = (&mut pipe).take(MAX_OUTPUT_BYTES).read_to_end(&mut bytes);
            // What is too much must not block the command.
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        let _ = send.send(bytes);
    });
    receive
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<CommandOutput, WhyMissing> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, limit, &|| false)
    }

    #[test]
    fn output_and_exit_code_come_back() {
        let output = shell("echo out; echo err >&2; exit 3", Duration::from_secs(10)).unwrap();
        assert_eq!((output.stdout, output.stderr, output.code), (b"out\n".to_vec(), b"err\n".to_vec(), Some(3)));
        assert!(
            run(Command::new("no-such-command-here"), Duration::from_secs(1), &|| false)
                .unwrap_err()
                .contains("no such file")
        );
    }

    #[test]
    fn an_interrupt_ends_what_hangs() {
        let began = Instant::now();
        let mut command = Command::new("sleep");
        command.arg("30");
        let why = run(command, Duration::from_secs(60), &|| began.elapsed() > Duration::from_millis(100)).unwrap_err();
        assert!(why.contains("interrupted"), "{why}");
        assert!(began.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn what_takes_too_long_is_ended() {
        let began = Instant::now();
        let why = shell("sleep 30", Duration::from_millis(100)).unwrap_err();
        assert!(why.contains("was ended"), "{why}");
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}
