//! Which files are a case: by folder, by file, from lists, in parts, by their age.

use std::collections::BTreeSet;
use std::path::Path;

use super::herd::{self, Count};
use super::{batch, statuses, table};
use crate::common::{fixtures, run, scratch};

/// A folder with cases of all forms.
fn folder(root: &Path) {
    let trace = std::fs::read(fixtures().join("synthetic/legacy.etl")).unwrap();
    let archive = crate::inputs::zip(&[("x.etl", &trace)]);
    let write = |path: &str, bytes: &[u8]| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    write("alone.etl", &trace);
    write("readme.txt", b"for people");
    write("leaf/a.etl", &trace);
    write("leaf/notes.txt", b"for people");
    write("archives/one.zip", &archive);
    write("archives/two.zip", &archive);
    write("mixed/server.etl", &trace);
    write("mixed/listings/tasklist.txt", b"nothing");
    write("deep/er/b.etl", &trace);
}

fn paths(out: &Path) -> Vec<String> {
    statuses(out).into_keys().collect()
}

#[test]
fn cases_are_folders_archives_and_traces() {
    let scratch = scratch();
    let (input, out) = (scratch.path().join("in"), scratch.path().join("out"));
    folder(&input);
    let ran = batch(&input, &out, []);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(
        paths(&out),
        ["alone.etl", "archives/one.zip", "archives/two.zip", "deep/er", "leaf", "mixed/listings", "mixed/server.etl"]
    );
    assert!(ran.stdout.contains("1 file beside cases belongs to none"), "{ran:?}");
    batch(&input, &out, ["--cases-by", "folder"]);
    assert_eq!(paths(&out), ["alone.etl", "archives", "deep/er", "leaf", "mixed"]);
    batch(&input, &out, ["--cases-by", "file"]);
    assert_eq!(
        paths(&out),
        ["alone.etl", "archives/one.zip", "archives/two.zip", "deep/er/b.etl", "leaf/a.etl", "mixed/server.etl"]
    );
    // All hold the same trace, packed or not.
    let cases = table(&out, "cases");
    let contents: BTreeSet<&str> = cases.iter().map(|case| case["content_id"].as_str().unwrap()).collect();
    let ids: BTreeSet<&str> = cases.iter().map(|case| case["case_id"].as_str().unwrap()).collect();
    assert_eq!((contents.len(), ids.len()), (1, 6));
    assert_eq!(cases.iter().filter(|case| case["duplicate_of"] == cases[0]["case_id"]).count(), 5);
}

#[test]
fn a_list_names_cases() {
    let scratch = scratch();
    let (input, out) = (scratch.path().join("in"), scratch.path().join("out"));
    folder(&input);
    let list = scratch.path().join("list");
    let at = |name: &str| input.join(name).display().to_string();
    std::fs::write(&list, [at("leaf"), at("alone.etl"), at("leaf/"), at("gone.etl")].join("\r\n")).unwrap();
    let ran = batch(&list, &out, []);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(paths(&out), [at("alone.etl"), at("gone.etl"), at("leaf")]);
    assert_eq!(table(&out, "cases")[1]["reason"], "no such file or folder");
    std::fs::write(&list, "no list\nat all\n").unwrap();
    let ran = batch(&list, &out, []);
    assert!(ran.code == 2 && ran.stderr.contains("of 2 lines in it none is there"), "{ran:?}");
}

#[test]
fn parts_have_all_cases_once() {
    let scratch = scratch();
    let (input, out, whole) = (scratch.path().join("in"), scratch.path().join("out"), scratch.path().join("whole"));
    std::fs::create_dir(&input).unwrap();
    let truth = herd::write(&input, Count { cases: 40, ..Count::default() });
    let mut found = Vec::new();
    for shard in ["1/3", "2/3", "3/3"] {
        // In one folder: no part replaces another.
        assert_eq!(batch(&input, &out, ["--shard", shard]).code, 0);
    }
    for number in 1..=3 {
        let rows = super::lines(&out.join(format!("cases-{number}-of-3.ndjson")));
        assert!(rows.len() > 4, "{number}: {}", rows.len());
        found.extend(rows);
        assert!(out.join(format!("summary-{number}-of-3.html")).is_file());
    }
    found.sort_by_key(|row| row["path"].as_str().unwrap().to_owned());
    batch(&input, &whole, []);
    assert_eq!(found.len(), truth.len());
    assert_eq!(found, table(&whole, "cases"));
    assert_eq!(batch(&input, &out, ["--shard", "4/3"]).code, 2);
}

#[test]
fn only_what_changed_is_looked_at() {
    let scratch = scratch();
    let (input, out) = (scratch.path().join("in"), scratch.path().join("out"));
    std::fs::create_dir(&input).unwrap();
    herd::write(&input, Count { cases: 6, ..Count::default() });
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(86_400 * 365);
    let touch = |name: &str, at| {
        let file = std::fs::File::options().write(true).open(input.join(name)).unwrap();
        file.set_modified(at).unwrap();
    };
    touch("00001.etl", old);
    touch("customer-0/host-00000/server.etl", old);
    batch(&input, &out, ["--since-mtime", "2026-01-01T00:00:00Z"]);
    // A folder is as new as its newest file.
    assert_eq!(paths(&out).len(), 5);
    assert!(!paths(&out).contains(&"00001.etl".to_owned()));
    batch(&input, &out, []);
    assert_eq!(paths(&out).len(), 6);
    // Nothing was changed since that run, and nothing is lost.
    let ran = batch(&input, &out, ["--resume", "--since-mtime"]);
    assert!(ran.stderr.contains("6 not read again"), "{ran:?}");
    assert_eq!(paths(&out).len(), 6);
    let trace = input.join("customer-2/host-00002/server.etl");
    std::thread::sleep(std::time::Duration::from_millis(20));
    std::fs::copy(input.join("00001.etl"), &trace).unwrap();
    let ran = batch(&input, &out, ["--resume", "--since-mtime"]);
    assert!(ran.stderr.contains("5 not read again"), "{ran:?}");
    assert_eq!(table(&out, "cases").iter().filter(|case| case["duplicate_of"] != serde_json::Value::Null).count(), 1);
}

#[test]
fn customer_and_host_are_told_by_folders() {
    let scratch = scratch();
    let (input, out) = (scratch.path().join("in"), scratch.path().join("out"));
    std::fs::create_dir(&input).unwrap();
    herd::write(&input, Count { cases: 4, ..Count::default() });
    batch(&input, &out, ["--name-from", "customer-{customer}/{host}/..."]);
    let cases = table(&out, "cases");
    let names = |case: &serde_json::Value| (case["customer"].clone(), case["host"].clone());
    assert_eq!(names(&cases[0]), (serde_json::Value::Null, serde_json::Value::Null));
    assert_eq!(names(&cases[1]), ("0".into(), "host-00000".into()));
    let ran = batch(&input, &out, ["--name-from", "{somebody}"]);
    assert!(ran.code == 2 && ran.stderr.contains("{customer} and {host} are"), "{ran:?}");
}

#[test]
fn a_host_that_files_name_is_told_where_no_folder_does() {
    let scratch = scratch();
    let (input, out) = (scratch.path().join("in"), scratch.path().join("out"));
    let listing = |host: &str| {
        format!("[{host}]: PS C:\\> netstat -ano\r\n  TCP    10.0.0.7:50001    10.0.0.9:443    ESTABLISHED    7312\r\n")
    };
    for (folder, hosts) in [("one", ["SRV01", "srv01.contoso.com"]), ("two", ["SRV01", "SRV02"])] {
        std::fs::create_dir_all(input.join(folder)).unwrap();
        for (number, host) in hosts.iter().enumerate() {
            std::fs::write(input.join(folder).join(format!("{number}.txt")), listing(host)).unwrap();
        }
    }
    std::fs::create_dir_all(input.join("log")).unwrap();
    let log = fixtures().join("side/system.evtx");
    std::fs::copy(log, input.join("log/System.evtx")).unwrap();
    let told = |options: &[&str]| -> Vec<_> {
        batch(&input, &out, options.iter().copied());
        table(&out, "cases").into_iter().map(|case| (case["host"].clone(), case["host_by"].clone())).collect()
    };
    // Of two machines one is told.
    let by_files = || ("SRV01".into(), "side_input".into());
    let of_log = ("synthetic.example".into(), "side_input".into());
    assert_eq!(told(&[]), [of_log, by_files(), by_files()]);
    let by_folder = |name: &str| (name.into(), "name_from".into());
    assert_eq!(told(&["--name-from", "{host}"]), ["log", "one", "two"].map(by_folder));
    let redacted = told(&["--redact"]);
    assert!(
        redacted.iter().all(|(host, _)| host.as_str().is_none_or(|host| host.starts_with("host-"))),
        "{redacted:?}"
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    let scratch = scratch();
    let (input, out) = (scratch.path().join("in"), scratch.path().join("out"));
    folder(&input);
    let ran = batch(&scratch.path().join("nothing"), &out, []);
    assert!(ran.code == 2 && ran.stderr.contains("nothing: no such file or folder"), "{ran:?}");
    let ran = batch(&input.join("leaf"), &input.join("leaf/out"), []);
    assert!(ran.code == 2 && ran.stderr.contains("--out lies in"), "{ran:?}");
    let ran = batch(&input, &out, ["--redact", "--resume"]);
    assert!(ran.code == 2 && ran.stderr.contains("--redact-key"), "{ran:?}");
    std::fs::create_dir(scratch.path().join("none")).unwrap();
    let ran = batch(&scratch.path().join("none"), &out, []);
    assert_eq!((ran.code, statuses(&out).len()), (2, 0), "{ran:?}");
    // Results beside cases are none.
    let beside = input.join("results");
    batch(&input, &beside, []);
    let before = paths(&beside);
    batch(&input, &beside, []);
    assert_eq!(paths(&beside), before);
    let ran = run(["batch", "--out"].map(std::ffi::OsStr::new));
    assert_eq!(ran.code, 2);
}
