use crate::logfile_header::LogfileHeader;
use crate::time::FileTime;

/// How the session's time stamps count (`TRACE_LOGFILE_HEADER.ReservedFlags`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClockKind(pub u32);

impl ClockKind {
    /// Performance counter, `PerfFreq` ticks a second.
    pub const QPC: Self = Self(1);
    /// System time: the time stamps are file times.
    pub const SYSTEM_TIME: Self = Self(2);
    /// Processor cycles, `CpuSpeedInMHz` million a second. Microsoft calls this clock unreliable.
    pub const CPU_CYCLES: Self = Self(3);

    /// `qpc`, `system_time` or `cpu_cycles`; `None` for a value that no source documents.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::QPC => Some("qpc"),
            Self::SYSTEM_TIME => Some("system_time"),
            Self::CPU_CYCLES => Some("cpu_cycles"),
            _ => None,
        }
    }
}

/// File times of the years 1986 to 2086, in 100 ns: what a time stamp must look like to be taken for one.
const PLAUSIBLE_FILE_TIME: std::ops::Range<i64> = 0x01B0_0000_0000_0000..0x0220_0000_0000_0000;

/// The frequency assumed for a performance counter whose header says 0 or less: that of Windows 10 and later, in Hz.
const ASSUMED_QPC_HZ: i64 = 10_000_000;

/// Converts raw time stamps (ticks) to file times: 100 ns units since 1601-01-01 UTC.
///
/// Exact: it multiplies in 128 bits before it divides, and rounds down.
/// Source: Microsoft's `WNODE_HEADER` page gives the conversion in floating point; the integer form differs from it by
/// at most one unit. The reference point is the time stamp of the log-file header record, which belongs to `StartTime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    kind: ClockKind,
    mode: Mode,
    start_file_time: i64,
    reference_ticks: i64,
    /// What file times are more than ticks, where both count the same units: then there is nothing to divide.
    shift: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// `multiply` file-time units are `divide` ticks.
    Scaled { multiply: i64, divide: i64, assumed: bool },
    /// The ticks are file times.
    FileTime { assumed: bool },
}

impl Clock {
    /// The clock that a trace header describes; `reference_ticks` is the time stamp of the header record.
    pub fn new(header: &LogfileHeader, reference_ticks: i64) -> Self {
        let kind = header.clock_kind();
        let qpc = |assumed| match header.perf_freq_hz {
            hz if hz > 0 => Mode::Scaled { multiply: 10_000_000, divide: hz, assumed },
            _ => Mode::Scaled { multiply: 10_000_000, divide: ASSUMED_QPC_HZ, assumed: true },
        };
        let mode = match kind {
            ClockKind::QPC => qpc(false),
            ClockKind::SYSTEM_TIME => Mode::FileTime { assumed: false },
            ClockKind::CPU_CYCLES if header.cpu_mhz > 0 => {
                Mode::Scaled { multiply: 10, divide: i64::from(header.cpu_mhz), assumed: false }
            }
            ClockKind::CPU_CYCLES => qpc(true),
            _ if PLAUSIBLE_FILE_TIME.contains(&reference_ticks) => Mode::FileTime { assumed: true },
            _ => qpc(true),
        };
        let shift = match mode {
            Mode::FileTime { .. } => Some(0),
            // The counter of Windows 10 and later counts as file times do.
            Mode::Scaled { multiply, divide, .. } if multiply == divide => {
                header.start_time.checked_sub(reference_ticks)
            }
            Mode::Scaled { .. } => None,
        };
        Self { kind, mode, start_file_time: header.start_time, reference_ticks, shift }
    }

    /// The clock that the header names.
    pub fn kind(&self) -> ClockKind {
        self.kind
    }

    /// Whether the header did not tell enough and the conversion is a guess: an unknown clock, or a frequency of 0.
    pub fn is_assumed(&self) -> bool {
        match self.mode {
            Mode::Scaled { assumed, .. } | Mode::FileTime { assumed } => assumed,
        }
    }

    /// When `ticks` was; saturates at the range of [`FileTime`].
    #[inline]
    pub fn file_time(&self, ticks: i64) -> FileTime {
        match self.shift.and_then(|shift| ticks.checked_add(shift)) {
            Some(time) => FileTime(time),
            None => FileTime(self.scaled(ticks)),
        }
    }

    #[inline(never)]
    fn scaled(&self, ticks: i64) -> i64 {
        match self.mode {
            Mode::FileTime { .. } => ticks,
            Mode::Scaled { multiply, divide, .. } => {
                // 64 bits do for a day at 10 MHz, and cost much less.
                let elapsed = ticks.checked_sub(self.reference_ticks);
                if let Some(scaled) = elapsed.and_then(|elapsed| elapsed.checked_mul(multiply))
                    && let Some(time) = self.start_file_time.checked_add(scaled.div_euclid(divide))
                {
                    return time;
                }
                let elapsed = i128::from(ticks) - i128::from(self.reference_ticks);
                let scaled = (elapsed * i128::from(multiply)).div_euclid(i128::from(divide));
                let time = i128::from(self.start_file_time) + scaled;
                i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logfile_header::LogfileHeader;

    const START: i64 = 0x01CC_08C8_6806_DDC9;

    fn clock(kind: u32, perf_freq_hz: i64, cpu_mhz: u32, t0: i64) -> Clock {
        let header =
            LogfileHeader { clock: kind, perf_freq_hz, cpu_mhz, start_time: START, ..LogfileHeader::default() };
        Clock::new(&header, t0)
    }

    #[test]
    fn qpc_multiplies_before_it_divides_and_rounds_down() {
        let clock = clock(1, 14_318_180, 0, 1000);
        assert_eq!(clock.file_time(1000).0, START);
        assert_eq!(clock.file_time(1000 + 14_318_180).0, START + 10_000_000);
        assert_eq!(clock.file_time(1001).0, START);
        assert_eq!(clock.file_time(1002).0, START + 1);
        assert_eq!(clock.file_time(999).0, START - 1);
        assert!(!clock.is_assumed());
    }

    #[test]
    fn system_time_is_taken_as_it_is() {
        assert_eq!(clock(2, 0, 0, 5).file_time(START + 7).0, START + 7);
    }

    #[test]
    fn cpu_cycles_use_megahertz() {
        let clock = clock(3, 1, 2400, 0);
        assert_eq!(clock.file_time(2400).0, START + 10);
        assert_eq!(clock.file_time(239).0, START);
        assert_eq!(clock.file_time(240).0, START + 1);
    }

    #[test]
    fn missing_facts_are_assumed_and_said() {
        let zero_frequency = clock(1, 0, 0, 0);
        assert!(zero_frequency.is_assumed());
        assert_eq!(zero_frequency.file_time(10_000_000).0, START + 10_000_000);
        assert!(clock(3, 1, 0, 0).is_assumed());
        let raw = clock(0, 3_000_000, 0, START);
        assert!(raw.is_assumed());
        assert_eq!(raw.file_time(START + 3).0, START + 3);
        assert_eq!(clock(9, 10_000_000, 0, 50).file_time(60).0, START + 10);
    }

    #[test]
    fn extreme_ticks_saturate() {
        let clock = clock(1, 1, 0, 0);
        assert_eq!(clock.file_time(i64::MAX).0, i64::MAX);
        assert_eq!(clock.file_time(i64::MIN).0, i64::MIN);
    }
}
