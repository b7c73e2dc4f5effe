//! Traces in an S3-compatible store on loopback, which `.ci/sql` starts; credentials come from the environment alone.

use std::process::Command;

use crate::cluster::{Cluster, alone};
use crate::common::fixture;

#[test]
#[ignore = "needs a store: .ci/sql starts one"]
fn a_bucket_is_read_as_a_folder_is() {
    let endpoint = std::env::var("AWS_ENDPOINT").expect("AWS_ENDPOINT, AWS_ACCESS_KEY_ID and their like name a store");
    let put = |key: &str, name: &str| {
        let url = format!("{endpoint}/traces/{key}");
        let mut command = Command::new("curl");
        command.args(["--fail", "--silent", "--show-error", "--output", "/dev/null", "--request", "PUT", &url]);
        if !name.is_empty() {
            command.args(["--upload-file", &fixture(name)]);
        }
        assert!(command.status().unwrap().success(), "{url}");
    };
    put("", "");
    put("a/one.etl", "modern-64.etl");
    put("a/two.etl", "legacy.etl");
    put("b/one.etl", "leak.etl");
    let folder = tempfile::tempdir().unwrap();
    for (key, name) in [("a/one.etl", "modern-64.etl"), ("a/two.etl", "legacy.etl"), ("b/one.etl", "leak.etl")] {
        std::fs::create_dir_all(folder.path().join(key).parent().unwrap()).unwrap();
        std::fs::copy(fixture(name), folder.path().join(key)).unwrap();
    }
    let cluster = Cluster::start(2, &[]);
    for (sql, files) in [
        ("SELECT id, provider, count(*) FROM etl_events('ROOT/**/*.etl') GROUP BY id, provider", 3),
        ("SELECT owner_pid, count(*) FROM etl_failures('ROOT/a/*.etl') GROUP BY owner_pid", 2),
        ("SELECT status, state, bind_failures, trace_bytes FROM outofports_cases('ROOT/*/')", 2),
        ("SELECT status, records FROM etl_files('ROOT/')", 3),
    ] {
        let of = |root: &str| sql.replace("ROOT", root);
        let expected = alone(&of(&folder.path().display().to_string()), &[]);
        assert!(expected.len() > files, "{sql}: {expected:?}");
        assert_eq!(alone(&of("s3://traces"), &[]), expected, "{sql}");
        assert_eq!(cluster.rows(&of("s3://traces"), &[]), expected, "{sql} on a cluster");
    }
}
