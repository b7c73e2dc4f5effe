//! Classes 42 and 43: clocks, dates, order.

use etl_parser::Trace;

use super::support::*;

/// Offsets in the payload of the log-file header record, 64-bit.
const END_TIME: usize = 0x10;
const CPU_MHZ: usize = 0x34;
const BOOT_TIME: usize = 0xF8;
const PERF_FREQ: usize = 0x100;
const START_TIME: usize = 0x108;
const CLOCK: usize = 0x110;

pub fn clocks_and_dates() -> String {
    let sound = sound();
    let steps = (0..300).collect::<Vec<i64>>();
    let mut count = 0;
    let mut check = |what: &str, assumed: bool, change: &dyn Fn(&mut Vec<u8>)| {
        let bytes = sound.with(|bytes| change(bytes));
        assert_eq!(read(&bytes).unwrap(), whole(sound.records), "{what}");
        assert_eq!(steps_by_time(&bytes), steps, "{what}");
        let trace = Trace::new(&bytes).unwrap();
        assert_eq!(trace.clock().is_assumed(), assumed, "{what}");
        for ticks in [i64::MIN, -1, 0, 1, i64::MAX] {
            let _ = trace.clock().file_time(ticks);
        }
        let (report, code) = report_on(&bytes, 1);
        for key in ["started", "ended", "boot_time"] {
            let date = &report["traces"][0][key];
            let year = date.as_str().map(|date| date[..4].parse::<u16>().unwrap());
            assert!(date.is_null() || year.is_some_and(|year| year >= 1980), "{what}: {date}");
        }
        assert_eq!((code, report["traces"][0]["records"].as_u64()), (0, Some(sound.records)), "{what}");
        assert_eq!(report["coverage"]["notes"].to_string().contains("times are estimates"), assumed, "{what}");
        count += 1;
    };
    let at = |field: usize| HEADER_PAYLOAD + field;
    for (frequency, assumed) in [(0, true), (1, false), (-1, true), (i64::MIN, true), (i64::MAX, false)] {
        check("PerfFreq", assumed, &|bytes| put64(bytes, at(PERF_FREQ), frequency));
    }
    check("CpuSpeed 0", true, &|bytes| {
        put32(bytes, at(CPU_MHZ), 0);
        put32(bytes, at(CLOCK), 3);
    });
    for (clock, assumed) in [(0, true), (1, false), (2, false), (3, false), (4, true), (u32::MAX, true)] {
        check("clock", assumed, &|bytes| put32(bytes, at(CLOCK), clock));
    }
    for time in [0, 1, -1, i64::MIN, i64::MAX, 0x24C8_5A5E_D1C0_4000] {
        check("StartTime", false, &|bytes| put64(bytes, at(START_TIME), time));
        check("BootTime", false, &|bytes| put64(bytes, at(BOOT_TIME), time));
        check("EndTime", false, &|bytes| put64(bytes, at(END_TIME), time));
        // The header record's own time stamp, to which all others are relative.
        check("t0", false, &|bytes| put64(bytes, 0x48 + 0x10, time));
    }
    format!(
        "{count} changes of clock, frequency, start, end, boot and t0: all records in order; what is assumed is told; no date outside of 1980 to 9999"
    )
}

pub fn going_back_and_equal() -> String {
    let sound = sound();
    let stamp = |record: usize| STRIDE + 0x48 + record * 160 + 0x10;
    // Inside of a buffer, one record: all of them once, time does not go back, the other processor keeps its order.
    for ticks in [i64::MIN, 0, i64::MAX] {
        let bytes = sound.with(|bytes| put64(bytes, stamp(5), ticks));
        assert_eq!(read(&bytes).unwrap(), whole(sound.records));
        let other: Vec<i64> = steps_by_time(&bytes).into_iter().filter(|step| step % 2 == 1).collect();
        assert!(other.is_sorted(), "{ticks}");
    }
    // Between buffers of one processor: their times exchanged.
    let bytes = sound.with(|bytes| {
        let (first, second) = (STRIDE, 3 * STRIDE);
        for record in 0..25 {
            for at in 0..8 {
                let place = 0x48 + record * 160 + 0x10 + at;
                bytes.swap(first + place, second + place);
            }
        }
    });
    assert_eq!(read(&bytes).unwrap(), whole(sound.records));
    // All equal, on all processors: the order is that of processors, the same for any number of threads.
    let bytes = sound.with(|bytes| {
        for start in (STRIDE..bytes.len()).step_by(STRIDE) {
            let end = start + get32(bytes, start + 0x30) as usize;
            for at in (start + 0x48..end).step_by(160) {
                put64(bytes, at + 0x10, options().t0);
            }
        }
    });
    assert_eq!(read(&bytes).unwrap(), whole(sound.records));
    let expected: Vec<i64> = (0..300).step_by(2).chain((1..300).step_by(2)).collect();
    assert_eq!(steps_by_time(&bytes), expected);
    let one = report_on(&bytes, 1);
    for threads in [2, 7] {
        assert_eq!(report_on(&bytes, threads), one);
    }
    "back by one record, by a buffer: all records once, the other processor in order; all equal: by processor, for 1, 2 and 7 threads".to_owned()
}
