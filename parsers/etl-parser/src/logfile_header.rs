//! The log-file header record: what the session was, when, on what machine, and what it lost.

use std::io::Cursor;

use binrw::{BinRead, binread};

use crate::bytes::utf16_at;
use crate::clock::ClockKind;
use crate::error::{Consequence, Error, ErrorKind};
use crate::record::PointerSize;
use crate::time::FileTime;

/// `LogFileMode` flags (`EVENT_TRACE_FILE_MODE_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogFileMode(pub u32);

impl LogFileMode {
    /// Oldest buffers are overwritten when the file has reached its size.
    pub const CIRCULAR: u32 = 0x2;
    /// Rewritten by a merge or a relogger.
    pub const RELOG: u32 = 0x1_0000;
    /// `MaximumFileSize` counts KiB instead of MiB.
    pub const USE_KBYTES_FOR_SIZE: u32 = 0x2000;
    /// Buffers may be compressed.
    pub const COMPRESSED: u32 = 0x0400_0000;

    /// Whether all bits of `flag` are set.
    pub fn has(self, flag: u32) -> bool {
        self.0 & flag == flag
    }
}

/// `TIME_ZONE_INFORMATION` as stored; needed to show local times, never to convert.
#[binread]
#[br(little)]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TimeZone {
    /// UTC = local time + this, in minutes.
    pub bias_minutes: i32,
    #[br(temp)]
    _standard_name: [u16; 32],
    /// When standard time begins (`SYSTEMTIME`).
    pub standard_date: [u16; 8],
    /// Added to the bias in standard time, in minutes.
    pub standard_bias_minutes: i32,
    #[br(temp)]
    _daylight_name: [u16; 32],
    /// When daylight saving time begins (`SYSTEMTIME`).
    pub daylight_date: [u16; 8],
    /// Added to the bias in daylight saving time, in minutes.
    pub daylight_bias_minutes: i32,
}

impl TimeZone {
    /// UTC = local time + this, in minutes, at a file time; `None` where the numbers are no time zone's.
    ///
    /// Source: Microsoft's `TIME_ZONE_INFORMATION` page. A month of 0 stands for no daylight saving time; a year of 0 for a
    /// rule that holds each year, whose day is the which-eth such weekday of the month, 5 for the last.
    pub fn bias_at(&self, file_time: i64) -> Option<i32> {
        let sum = |more: i32| self.bias_minutes.checked_add(more).filter(|bias| (-24 * 60..=24 * 60).contains(bias));
        let standard = sum(self.standard_bias_minutes)?;
        let [_, standard_month, ..] = self.standard_date;
        let [_, daylight_month, ..] = self.daylight_date;
        if standard_month == 0 || daylight_month == 0 {
            return sum(0);
        }
        let daylight = sum(self.daylight_bias_minutes)?;
        let local =
            |bias: i32| FileTime(file_time.saturating_sub(i64::from(bias).saturating_mul(60 * FileTime::SECOND)));
        // Each beginning is told in the local time that holds before it.
        let begins_daylight = moment_in_year(&self.daylight_date, local(standard))?;
        let begins_standard = moment_in_year(&self.standard_date, local(daylight))?;
        let is_behind = |begins: i64, bias: i32| local(bias).0 >= begins;
        let (daylight_has_begun, standard_has_begun) =
            (is_behind(begins_daylight, standard), is_behind(begins_standard, daylight));
        // South of the equator a year begins in daylight saving time.
        let is_daylight = if begins_daylight < begins_standard {
            daylight_has_begun && !standard_has_begun
        } else {
            daylight_has_begun || !standard_has_begun
        };
        Some(if is_daylight { daylight } else { standard })
    }
}

/// When a `SYSTEMTIME` rule applies in the year of `local`, as a file time of the same clock.
fn moment_in_year(rule: &[u16; 8], local: FileTime) -> Option<i64> {
    const DAY_100NS: i64 = 86_400 * FileTime::SECOND;
    let [year, month, weekday, day, hour, minute, second, _] = rule.map(i64::from);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || weekday > 6 {
        return None;
    }
    let (current, ..) = crate::time::date(local.0.div_euclid(DAY_100NS));
    let day_number = if year == 0 {
        let first = crate::time::day_of(current, month, 1);
        // 1601-01-01 was a Monday.
        let first_weekday = (first + 1).rem_euclid(7);
        let (next_year, next_month) = if month == 12 { (current + 1, 1) } else { (current, month + 1) };
        let days = crate::time::day_of(next_year, next_month, 1) - first;
        let mut wanted = (weekday - first_weekday).rem_euclid(7) + 7 * (day.min(5) - 1);
        while wanted >= days {
            wanted -= 7;
        }
        first + wanted
    } else {
        crate::time::day_of(year, month, day)
    };
    let seconds = hour.min(23) * 3600 + minute.min(59) * 60 + second.min(59);
    Some(day_number.saturating_mul(DAY_100NS).saturating_add(seconds * FileTime::SECOND))
}

/// `TRACE_LOGFILE_HEADER`, and the two names behind it.
///
/// Source: Microsoft's `TRACE_LOGFILE_HEADER` page for the fields; the on-disk offsets of both pointer sizes from
/// Geoff Chappell and phnt, confirmed on real files (`FORMAT.md`).
#[binread]
#[br(little, import(pointer_size: PointerSize))]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LogfileHeader {
    /// Bytes per buffer; of a compressed trace the largest uncompressed buffer.
    pub buffer_bytes: u32,
    /// Windows major version (6, 10).
    pub os_major: u8,
    /// Windows minor version.
    pub os_minor: u8,
    /// Layout version, major part: 1, or 2 where readers need Windows 8.
    pub layout_major: u8,
    /// Layout version, minor part.
    pub layout_minor: u8,
    /// Windows build number (`ProviderVersion`).
    pub os_build: u32,
    /// Number of processors; 1 for a session without per-processor buffers.
    pub processors: u32,
    /// End of the session, file time; 0 while it is still being written. See [`LogfileHeader::ended`].
    pub end_time: i64,
    /// Timer resolution in 100 ns.
    pub timer_resolution_100ns: u32,
    /// Largest file size in MiB (KiB with [`LogFileMode::USE_KBYTES_FOR_SIZE`]); 0 for no limit.
    pub maximum_file_size: u32,
    /// Logging mode.
    #[br(map = LogFileMode)]
    pub log_file_mode: LogFileMode,
    /// Buffers written, the header buffer included; 0 in a log that was not closed.
    pub buffers_written: u32,
    #[br(temp)]
    _start_buffers: u32,
    /// Pointer size that the header states, in bytes. Records state their own.
    pub pointer_bytes: u32,
    /// Events lost, as the session counted them.
    pub events_lost: u32,
    /// Processor speed in MHz.
    pub cpu_mhz: u32,
    #[br(temp, count = 2 * pointer_size.bytes())]
    _name_pointers: Vec<u8>,
    /// Time zone of the machine.
    pub time_zone: TimeZone,
    #[br(temp)]
    _padding: u32,
    /// Boot time of the machine, file time; 0 where it is not told. See [`LogfileHeader::booted`].
    pub boot_time: i64,
    /// Performance counter frequency in Hz.
    pub perf_freq_hz: i64,
    /// Start of the session, file time; 0 where it is not told. See [`LogfileHeader::started`].
    pub start_time: i64,
    /// `ReservedFlags`: the clock.
    pub clock: u32,
    /// Buffers lost, as the session counted them.
    pub buffers_lost: u32,
    /// Session name.
    #[br(ignore)]
    pub logger_name: String,
    /// File name as the session knew it.
    #[br(ignore)]
    pub log_file_name: String,
}

impl LogfileHeader {
    /// Reads the payload of the header record, whose header type tells `pointer_size`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Truncated`] where the fixed part does not fit into `payload`. Missing or unterminated names are not
    /// an error: they come out empty or cut.
    pub(crate) fn read(payload: &[u8], pointer_size: PointerSize, offset: u64) -> Result<Self, Error> {
        let fixed = match pointer_size {
            PointerSize::Four => 0x110,
            PointerSize::Eight => 0x118,
        };
        let too_short = || {
            Error::new(
                ErrorKind::Truncated,
                Consequence::File,
                offset,
                "TRACE_LOGFILE_HEADER",
                fixed as u64,
                payload.len() as u64,
            )
        };
        if payload.len() < fixed {
            return Err(too_short());
        }
        let mut header =
            Self::read_args(&mut Cursor::new(payload), (pointer_size,)).map_err(|_: binrw::Error| too_short())?;
        let (logger_name, next) = utf16_at(payload, fixed);
        header.logger_name = logger_name;
        header.log_file_name = utf16_at(payload, next).0;
        Ok(header)
    }

    /// When the machine was booted; `None` where the header does not tell.
    pub fn booted(&self) -> Option<FileTime> {
        FileTime::known(self.boot_time)
    }

    /// When the session was started; `None` where the header does not tell.
    pub fn started(&self) -> Option<FileTime> {
        FileTime::known(self.start_time)
    }

    /// When the session was stopped; `None` while it is still being written, or where that was never noted.
    pub fn ended(&self) -> Option<FileTime> {
        FileTime::known(self.end_time)
    }

    /// The clock of the session's time stamps.
    pub fn clock_kind(&self) -> ClockKind {
        ClockKind(self.clock)
    }

    /// The most that the file may hold, in bytes; `None` where it has no limit.
    pub fn maximum_file_bytes(&self) -> Option<u64> {
        let unit = if self.log_file_mode.has(LogFileMode::USE_KBYTES_FOR_SIZE) { 1 << 10 } else { 1 << 20 };
        (self.maximum_file_size > 0).then(|| u64::from(self.maximum_file_size) * unit)
    }

    /// Whether the session wrote its end into the header, as it does when it is stopped.
    pub fn closed_cleanly(&self) -> bool {
        self.buffers_written != 0 && self.end_time != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 ns units of so many days and hours behind 2026-01-01, a Thursday.
    fn at(days: i64, hours: i64) -> i64 {
        crate::time::day_of(2026, 1, 1) * 864_000_000_000 + days * 864_000_000_000 + hours * 36_000_000_000
    }

    #[test]
    fn the_bias_follows_the_rules_of_daylight_saving_time() {
        // Berlin: the last Sundays of March, 02:00, and of October, 03:00.
        let berlin = TimeZone {
            bias_minutes: -60,
            standard_date: [0, 10, 0, 5, 3, 0, 0, 0],
            daylight_date: [0, 3, 0, 5, 2, 0, 0, 0],
            daylight_bias_minutes: -60,
            ..TimeZone::default()
        };
        // 2026-03-29 and 2026-10-25, both at 01:00 UTC.
        let (spring, autumn) = (at(87, 1), at(297, 1));
        let bias = |time| berlin.bias_at(time).unwrap();
        assert_eq!(
            [bias(at(0, 0)), bias(spring - 1), bias(spring), bias(autumn - 1), bias(autumn)],
            [-60, -60, -120, -120, -60]
        );
        // Sydney begins the year in daylight saving time: first Sundays of April, 03:00, and of October, 02:00.
        let sydney = TimeZone {
            bias_minutes: -600,
            standard_date: [0, 4, 0, 1, 3, 0, 0, 0],
            daylight_date: [0, 10, 0, 1, 2, 0, 0, 0],
            ..berlin
        };
        assert_eq!(
            [at(0, 0), at(93, 15), at(93, 16), at(300, 0)].map(|time| sydney.bias_at(time)),
            [Some(-660), Some(-660), Some(-600), Some(-660)]
        );
        let plain = TimeZone { bias_minutes: 300, daylight_bias_minutes: -60, ..TimeZone::default() };
        assert_eq!(plain.bias_at(at(180, 0)), Some(300));
        assert_eq!(TimeZone { bias_minutes: i32::MAX, ..plain }.bias_at(0), None);
        // Rules that are none.
        let odd = TimeZone { standard_date: [u16::MAX; 8], daylight_date: [9; 8], ..plain };
        assert_eq!(odd.bias_at(i64::MAX), None);
        assert!(
            TimeZone { standard_date: [0, 10, 6, 5, 99, 99, 99, 0], daylight_date: [0, 3, 1, 1, 2, 0, 0, 0], ..odd }
                .bias_at(i64::MIN)
                .is_some()
        );
    }

    #[test]
    fn dates_and_days_are_each_others_inverse() {
        for day in (-1000..200_000).step_by(37) {
            let (year, month, of_month) = crate::time::date(day);
            assert_eq!(crate::time::day_of(year, month, of_month), day);
        }
    }
}
