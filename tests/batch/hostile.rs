//! Names, links and folders that somebody made up to break it.

#![cfg(unix)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::{batch, statuses, table};
use crate::common::{fixtures, scratch};

fn case(path: &Path) {
    std::fs::create_dir_all(path).unwrap();
    std::fs::copy(fixtures().join("synthetic/legacy.etl"), path.join("server.etl")).unwrap();
}

#[test]
fn names_of_any_bytes_are_told_apart_and_break_no_face() {
    let scratch = scratch();
    let (input, out) = (scratch.path().join("in"), scratch.path().join("out"));
    for name in [
        b"\xFF".as_slice(),
        b"\xFE",
        b"\\xFF",
        b"two\\u{a}lines",
        b"two\nlines",
        b"\x1B[31mred",
        b"<script>alert(1)</script>",
        b"a|b`c",
        b"{{ x }}",
        b"-",
        b"--out",
        "\u{202E}gpj.exe".as_bytes(),
        &[b'n'; 255],
    ] {
        case(&input.join(OsStr::from_bytes(name)));
    }
    let ran = batch(&input, &out, []);
    assert_eq!(ran.code, 0, "{ran:?}");
    let statuses = statuses(&out);
    assert_eq!(statuses.len(), 13, "{statuses:?}");
    assert!(statuses.contains_key("\\xFF") && statuses.contains_key("two\\u{a}lines"), "{statuses:?}");
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    for text in [read("summary.md"), read("summary.html"), read("cases.ndjson"), ran.stdout] {
        assert!(!text.contains("<script>alert") || text.starts_with('{'), "{text}");
        assert!(!text.contains(['\u{1B}', '\u{202E}']), "{text}");
    }
    assert!(read("summary.html").contains("content=\"default-src &#39;none&#39;; style-src &#39;sha256-"));
}

#[test]
fn links_in_circles_end_and_broken_ones_are_told() {
    let scratch = scratch();
    let (input, out) = (scratch.path().join("in"), scratch.path().join("out"));
    case(&input.join("a/case"));
    symlink(&input, input.join("a/circle")).unwrap();
    symlink(input.join("a/case"), input.join("linked")).unwrap();
    symlink(input.join("gone.etl"), input.join("broken.etl")).unwrap();
    symlink("itself", input.join("itself")).unwrap();
    std::process::Command::new("mkfifo").arg(input.join("pipe.etl")).status().unwrap();
    let ran = batch(&input, &out, []);
    assert_eq!(ran.code, 1, "{ran:?}");
    let statuses = statuses(&out);
    assert_eq!(
        statuses.into_iter().collect::<Vec<_>>(),
        [("a/case".to_owned(), "ok".to_owned()), ("broken.etl".to_owned(), "failed".to_owned())]
    );
}

#[test]
fn what_cannot_be_read_has_a_row() {
    let scratch = scratch();
    let (input, out) = (scratch.path().join("in"), scratch.path().join("out"));
    case(&input.join("good"));
    case(&input.join("closed"));
    case(&input.join("closed-file"));
    let close = |path: &str, mode| {
        std::fs::set_permissions(input.join(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    close("closed", 0);
    close("closed-file/server.etl", 0);
    // Root reads everything.
    let is_root = std::fs::read_dir(input.join("closed")).is_ok();
    let ran = batch(&input, &out, []);
    let (statuses, cases) = (statuses(&out), table(&out, "cases"));
    close("closed", 0o755);
    let status = if is_root { "ok" } else { "failed" };
    assert_eq!(statuses.values().collect::<Vec<_>>(), [status, status, "ok"], "{ran:?}");
    if !is_root {
        assert_eq!((&cases[0]["reason"], &cases[1]["reason"]), (&"access denied".into(), &"access denied".into()));
    }
}
