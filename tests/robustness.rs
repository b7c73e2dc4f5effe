//! The classes of hostile and damaged input: for each the exact outcome, and a table of all of them.
//!
//! `cargo test --test main robustness -- --nocapture` prints the table, and leaves it in `target/tmp/robustness.md`.

mod buffers;
mod files;
mod items;
mod output;
mod packed;
mod program;
mod records;
mod regressions;
mod rounds;
mod schemas;
mod support;
mod times;

use std::fmt::Write;
use std::panic;
use std::path::Path;

/// One class: its number, what the input is, and the test, which gives its outcome in a line.
struct Class {
    number: u8,
    input: &'static str,
    test: &'static str,
    run: fn() -> String,
}

macro_rules! classes {
    ($($number:literal $input:literal $module:ident :: $test:ident;)*) => {
        &[$(Class {
            number: $number,
            input: $input,
            test: concat!(stringify!($module), "::", stringify!($test)),
            run: $module::$test,
        }),*]
    };
}

const CLASSES: &[Class] = classes! {
    1 "nothing, or a part of the first header" files::too_short;
    2 "other files: zeros, ones, noise, text, archives, a Git LFS pointer" files::not_traces;
    3 "the header buffer cut at every byte" files::header_cut_everywhere;
    4 "cut at every 8th byte" files::cut_everywhere;
    5 "counts of an open log, slack of any content, trailing bytes" files::open_logs_and_trailing_bytes;
    6 "two traces put together" files::put_together;
    7 "header buffer missing, not first, twice" files::header_buffer_out_of_place;
    8 "beyond 4 GiB, growing, a pipe" files::large_growing_and_pipes;
    9 "buffer sizes" buffers::sizes;
    10 "empty buffers, many" buffers::empty_ones;
    11 "ends of data" buffers::ends_of_data;
    12 "sequence numbers" buffers::sequence_numbers;
    13 "processor numbers" buffers::processor_numbers;
    14 "flags, types, states" buffers::flags_types_and_states;
    15 "layout of Windows 5.x" buffers::layout_of_windows_xp;
    16 "records of size 0" records::size_zero;
    17 "records of every wrong size" records::sizes;
    18 "padding behind the end of data" records::padding_behind_the_end;
    19 "markers and types" records::markers_and_types;
    20 "damage in the first record" records::first_record_damaged;
    21 "extension words that do not fit" records::extension_words;
    22 "the log-file header record" records::header_record;
    23 "session and file names" records::names;
    24 "instance records of both layouts" records::instances;
    25 "item chains that do not fit" items::chains_that_do_not_fit;
    26 "item chains without an end" items::chains_without_end;
    27 "items of wrong sizes" items::wrong_sizes;
    28 "item types twice and unknown" items::types;
    29 "TraceLogging: metadata cut" schemas::self_description_cut;
    30 "TraceLogging: types and structures" schemas::self_description_types;
    31 "TraceLogging: counts and lengths" schemas::self_description_lengths;
    32 "TraceLogging: names" schemas::self_description_names;
    33 "EventInfo: counts and offsets" schemas::event_info_offsets;
    34 "EventInfo: structures" schemas::event_info_structures;
    35 "EventInfo: references" schemas::event_info_references;
    36 "EventInfo: large counts, types" schemas::event_info_counts;
    37 "EventMapInfo" schemas::maps;
    38 "EventInfo: conflicts" schemas::conflicting_descriptions;
    39 "payload and schema disagree" schemas::payloads_that_do_not_suit;
    40 "manifest chunks" schemas::manifest_parts;
    41 "WPP messages with all option flags" records::messages;
    42 "clocks and dates" times::clocks_and_dates;
    43 "time stamps that go back, equal time stamps" times::going_back_and_equal;
    44 "the compressed flag where it does not belong" packed::flag_out_of_place;
    45 "compressed streams" packed::streams;
    46 "states of the header buffer, other formats" packed::states_and_formats;
    47 "many buffers that expand to 16 MiB" packed::many_large_ones;
    48 "threads, batches, a consumer that gives up" program::threads_batches_and_giving_up;
    49 "map, read, slice; a file that shrinks" program::map_read_slice;
    50 "hostile names in the output" output::hostile_names;
};

#[test]
fn every_class_has_its_outcome() {
    let mut table = "| class | input | test | outcome |\n| --- | --- | --- | --- |\n".to_owned();
    let mut failed = Vec::new();
    for (place, class) in CLASSES.iter().enumerate() {
        assert_eq!(place + 1, usize::from(class.number));
        let outcome = match panic::catch_unwind(class.run) {
            Ok(outcome) => outcome,
            Err(_) => {
                failed.push(class.number);
                "FAILED".to_owned()
            }
        };
        writeln!(table, "| {} | {} | `{}` | {outcome} |", class.number, class.input, class.test).unwrap();
    }
    let passed = CLASSES.len() - failed.len();
    writeln!(table, "\n{passed} of 50").unwrap();
    println!("{table}");
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("robustness.md"), table).unwrap();
    assert_eq!(failed, [] as [u8; 0], "classes that failed");
    assert_eq!(CLASSES.len(), 50);
}
