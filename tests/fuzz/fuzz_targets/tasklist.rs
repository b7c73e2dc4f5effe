//! Side files: any bytes as the output of `tasklist`.
#![no_main]

use outofports::side::{decode_text, tasklist};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = decode_text(bytes).text;
    let Some(tasks) = tasklist::parse(&text) else { return };
    assert!(!tasks.is_empty(), "a list without processes is none");
    assert!(tasks.len() <= text.split(['\r', '\n']).count(), "at most one process in a line");
    for task in &tasks {
        assert!(task.services.iter().all(|service| !service.is_empty() && service.trim() == service));
    }
    assert_eq!(tasklist::parse(&text), Some(tasks), "the same text gives the same list");
});
