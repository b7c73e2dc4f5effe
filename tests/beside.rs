//! Many cases in one process at once: each report is the one that the case has alone.

use std::io::{Cursor, Write};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use outofports::{Case, Error, NoProgress, Options, Progress};

fn cabinet(name: &str, member: &[u8]) -> Vec<u8> {
    let mut builder = cab::CabinetBuilder::new();
    builder.add_folder(cab::CompressionType::None).add_file(name);
    let mut writer = builder.build(Cursor::new(Vec::new())).unwrap();
    writer.next_file().unwrap().unwrap().write_all(member).unwrap();
    writer.finish().unwrap().into_inner()
}

/// Cabinets that make `cab` panic, not fail: its reader is not ours to mend.
fn panicking_cabinets(trace: &[u8]) -> Vec<Vec<u8>> {
    let whole = cabinet("report.etl", trace);
    let damaged = (0..96).flat_map(|at| [0xFF, 0x07].map(|byte| (at, byte))).map(|(at, byte)| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        bytes
    });
    let panics = |bytes: &Vec<u8>| {
        let read = || {
            let mut cabinet = cab::Cabinet::new(Cursor::new(bytes)).ok()?;
            std::io::copy(&mut cabinet.read_file("report.etl").ok()?, &mut std::io::sink()).ok()
        };
        panic::catch_unwind(AssertUnwindSafe(read)).is_err()
    };
    damaged.filter(panics).take(4).collect()
}

/// What a case gives, in words that can be compared.
fn told(case: &Case, threads: usize) -> String {
    let mut options = Options::default();
    options.threads = threads;
    match outofports::analyze(case, &options, &NoProgress) {
        Ok(analyzed) => serde_json::to_string(&analyzed.report).unwrap(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn cases_beside_each_other_are_as_alone_also_where_a_decoder_panics() {
    let trace = synth::write("modern-64").unwrap().trace;
    let panicking = panicking_cabinets(&trace);
    assert!(!panicking.is_empty(), "no damage makes the cabinet reader panic any more: the guard has nothing to guard");
    let names = ["leak", "legacy", "modern-64", "compressed", "names-mof", "single-failure", "healthy", "no-afd"];
    let traces: Vec<Vec<u8>> = names.iter().map(|name| synth::write(name).unwrap().trace).collect();
    let cases: Vec<Case> = (0..64)
        .map(|number| match number % 4 {
            3 => Case::from_bytes("server.cab", panicking[number / 4 % panicking.len()].clone()),
            2 => Case::from_bytes("server.cab", panicking[number / 4 % panicking.len()].clone())
                .with_bytes("server.etl", traces[number / 4 % traces.len()].clone()),
            _ => Case::from_bytes("server.etl", traces[number % traces.len()].clone()),
        })
        .collect();
    let alone: Vec<String> = cases.iter().map(|case| told(case, 1)).collect();
    let (next, together) = (AtomicUsize::new(0), Mutex::new(vec![String::new(); cases.len()]));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(number) else { break };
                    let told = told(case, 1 + number % 3);
                    together.lock().unwrap()[number] = told;
                }
            });
        }
    });
    let together = together.into_inner().unwrap();
    for (number, (alone, together)) in alone.iter().zip(&together).enumerate() {
        assert_eq!(alone, together, "case {number}");
    }
    assert_eq!(alone.iter().filter(|told| told.contains("its tables are damaged")).count(), 32);
}

#[test]
fn progress_can_stop_a_job_at_any_buffer() {
    struct StopAfter(AtomicUsize);
    impl Progress for StopAfter {
        fn should_stop(&self) -> bool {
            self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
        }
    }
    let case = Case::from_bytes("server.etl", synth::write("modern-64").unwrap().trace)
        .with_bytes("tasklist.csv", "\"Image Name\",\"PID\",\"Services\"\r\n\"a.exe\",\"7\",\"N/A\"\r\n".repeat(9));
    for threads in [1, 2] {
        let mut options = Options::default();
        options.threads = threads;
        let stopped = |left: usize| {
            let result = outofports::analyze(&case, &options, &StopAfter(AtomicUsize::new(left)));
            assert!(matches!(result, Ok(_) | Err(Error::Stopped)), "{left}: {result:?}");
            result.is_err()
        };
        let steps: Vec<usize> = (0..24).step_by(4).chain((5..16).map(|bits| 1 << bits)).collect();
        let stopped: Vec<bool> = steps.iter().map(|left| stopped(*left)).collect();
        let first_whole = stopped.iter().position(|stopped| !stopped).expect("it comes to its end");
        assert!(steps[first_whole] > 20, "asked only {} times", steps[first_whole]);
        assert!(stopped[first_whole..].iter().all(|stopped| !stopped), "what is not stopped is whole");
    }
}
