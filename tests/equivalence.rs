//! The report is the same, byte for byte, for any number of threads.

use crate::common::{run, scratch, write_scenario};

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let folder = scratch();
    for name in ["shuffled-64cpu", "compressed", "multi-provider"] {
        let (trace, _) = write_scenario(name, folder.path());
        for format in ["json", "csv", "text", "html"] {
            let with = |threads: &str| {
                let arguments = ["analyze".as_ref(), trace.as_os_str(), "-f".as_ref(), format.as_ref()];
                let ran = run(arguments.into_iter().chain(["--threads".as_ref(), threads.as_ref()]));
                assert_eq!(ran.code, 0, "{ran:?}");
                ran.stdout
            };
            let one = with("1");
            for threads in ["2", "7", "64"] {
                assert_eq!(with(threads), one, "{name}, {format}, {threads} threads");
            }
        }
    }
}

/// Large enough for many batches, which a small trace never has.
#[test]
fn batches_do_not_show() {
    let folder = scratch();
    let path = folder.path().join("large.etl");
    let expected = crate::common::write_afd(&path, 48 << 20);
    let report = |threads: &str| {
        let ran = run([
            "analyze".as_ref(),
            path.as_os_str(),
            "-f".as_ref(),
            "json".as_ref(),
            "--threads".as_ref(),
            threads.as_ref(),
        ]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout
    };
    let one = report("1");
    assert_eq!(report("2"), one);
    assert_eq!(report("7"), one);
    let document: serde_json::Value = serde_json::from_str(&one).unwrap();
    assert_eq!(document["failures"]["binds"], expected.binds);
    assert_eq!(document["verdict"]["last_failure"], serde_json::json!(expected.last_failure));
}
