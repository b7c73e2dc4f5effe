//! Axes with round numbers and round times.

use super::{At, Canvas, Label, Shape, Stairs};
use crate::report::Report;
use crate::time::{FileTime, Zone};
use crate::words::grouped;

/// Steps between marks of a time axis, in seconds.
const INTERVALS: [i64; 20] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
];

/// A span of time along the width of a plot.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeAxis {
    pub(super) start: FileTime,
    span: i64,
    pub(super) left: f64,
    pub(super) width: f64,
    /// `None` for the clock of a listing, which does not say how far it is from UTC.
    zone: Option<Zone>,
}

/// Midnight of a day that is as good as any other, where only the time of day is known: 2000-01-01.
const SOME_MIDNIGHT: FileTime = FileTime(125_911_584_000_000_000);

impl TimeAxis {
    /// The time of a timeline; `None` without steps.
    pub(super) fn new(report: &Report, left: f64, width: f64) -> Option<Self> {
        let timeline = &report.timeline;
        let first = timeline.first()?;
        let steps = i64::try_from(timeline.len()).ok()?;
        let span = first.seconds.checked_mul(steps)?.checked_mul(FileTime::SECOND).filter(|span| *span > 0)?;
        Some(Self { start: first.start, span, left, width, zone: Some(report.zone) })
    }

    /// So many seconds from a time of day on, by the clock of a listing.
    pub(super) fn of_listings(second_of_day: u32, seconds: u64, left: f64, width: f64) -> Option<Self> {
        let start = FileTime(SOME_MIDNIGHT.0 + i64::from(second_of_day) * FileTime::SECOND);
        let span = i64::try_from(seconds).ok()?.checked_mul(FileTime::SECOND).filter(|span| *span > 0)?;
        Some(Self { start, span, left, width, zone: None })
    }

    /// The clock at so many seconds from the beginning on.
    pub(super) fn clock_after(&self, seconds: u64) -> String {
        let offset = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(FileTime::SECOND);
        self.zone.unwrap_or_default().second(FileTime(self.start.0.saturating_add(offset)))
    }

    /// Steps that begin so many seconds after the beginning; the last one is as long as the one before.
    pub(super) fn stairs_at(&self, seconds: &[u64]) -> Stairs {
        let x = |seconds: &u64| self.left + self.width * (*seconds as f64 * FileTime::SECOND as f64 / self.span as f64);
        let mut edges: Vec<f64> = seconds.iter().map(x).collect();
        edges.push(self.left + self.width);
        Stairs { edges }
    }

    /// Where a time lies; at an edge where it lies outside.
    pub(super) fn x(&self, time: FileTime) -> f64 {
        let part = time.since(self.start) as f64 / self.span as f64;
        self.left + self.width * part.clamp(0.0, 1.0)
    }

    /// Whether a time lies within.
    pub(super) fn contains(&self, time: FileTime) -> bool {
        (0..=self.span).contains(&time.since(self.start))
    }

    /// So many steps of this length from the beginning on.
    pub(super) fn stairs(&self, steps: usize, length_100ns: i64) -> Stairs {
        let part = length_100ns as f64 / self.span as f64;
        Stairs::even(self.left, self.width * part.min(1.0 / steps.max(1) as f64), steps)
    }

    /// Grid lines from `top` to `bottom`, and round times below; the day at the first, and where it changes.
    pub(super) fn draw(&self, canvas: &mut Canvas, (top, bottom): (f64, f64)) {
        let size = canvas.size;
        let seconds = self.span / FileTime::SECOND;
        let fits = |interval: &&i64| {
            let columns = if **interval < 60 { 10.0 } else { 7.0 };
            let most = (self.width / (columns * size.column)).min(size.ticks as f64).max(1.0);
            seconds as f64 / **interval as f64 <= most
        };
        let interval = INTERVALS.iter().find(fits).copied().unwrap_or(seconds.max(1)).saturating_mul(FileTime::SECOND);
        let kind = if interval < 60 * FileTime::SECOND { "second" } else { "minute" };
        let zone = self.zone.unwrap_or_default();
        // Round in the zone that is shown.
        let before = zone.shifted(self.start).0.rem_euclid(interval);
        let mut at = if before == 0 { self.start.0 } else { self.start.0.saturating_add(interval - before) };
        let mut day = String::new();
        // What a listing's clock shows is moved to no other zone.
        let moved = |label: Label, time: FileTime, form| match self.zone {
            Some(_) => Label { time: Some((time.to_string(), form)), ..label },
            None => label,
        };
        // No more than the labels that fit: the interval says so.
        for _ in 0..=size.ticks {
            let time = FileTime(at);
            if !self.contains(time) {
                break;
            }
            let x = self.x(time);
            let path = format!("M{} {}V{}", At(x), At(top), At(bottom + 4.0));
            canvas.shapes.push(Shape::Line { path, class: "grid" });
            let clock = if kind == "second" { zone.second(time) } else { zone.minute(time) };
            let label = Label::new(x, bottom + size.line + 2.0, "middle", "tick", clock);
            canvas.labels.push(moved(label, time, kind));
            let date = zone.date(time);
            if date != day && self.zone.is_some() {
                let label = Label::new(x, bottom + 2.0 * size.line + 2.0, "middle", "tick", date.clone());
                canvas.labels.push(moved(label, time, "day"));
                day = date;
            }
            at = at.saturating_add(interval);
        }
        let (class, name) = match self.zone {
            Some(zone) => ("tick zone", zone.name()),
            None => ("tick", "by the clock of the listing".to_owned()),
        };
        let right = self.left + self.width;
        canvas.labels.push(Label::new(right, bottom + 2.0 * size.line + 2.0, "end", class, name));
    }
}

/// Numbers from 0 up the height of a plot.
#[derive(Debug, Clone, Copy)]
pub(super) struct NumberAxis {
    pub(super) top: f64,
    pub(super) bottom: f64,
    most: f64,
}

impl NumberAxis {
    /// From 0 to `most`, and at least to 1.
    pub(super) fn new(most: f64, top: f64, bottom: f64) -> Self {
        Self { top, bottom, most: most.max(1.0) }
    }

    /// Where a number lies.
    pub(super) fn y(&self, number: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * (number / self.most).clamp(0.0, 1.0)
    }

    /// Grid lines at round numbers, with the numbers at the left; those close to `taken` go without.
    pub(super) fn draw(&self, canvas: &mut Canvas, taken: Option<f64>) {
        let size = canvas.size;
        let step = round_step(self.most / 4.0);
        let mut number = 0.0;
        while number <= self.most {
            let y = self.y(number);
            let (left, right) = (size.left, size.width - size.right);
            let path = format!("M{} {}H{}", At(left), At(y), At(right));
            canvas.shapes.push(Shape::Line { path, class: "grid" });
            if taken.is_none_or(|taken| (self.y(taken) - y).abs() >= size.line) {
                canvas.labels.push(Label::new(left - 6.0, y + 4.0, "end", "tick", grouped(number as u64)));
            }
            number += step;
        }
    }
}

/// The first of 1, 2, 5, 10, 20, … that is not less, and at least 1.
fn round_step(wanted: f64) -> f64 {
    let power = 10_f64.powf(wanted.max(1.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.iter().map(|step| step * power).find(|step| *step >= wanted).unwrap_or(power * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        assert_eq!([0.3, 1.0, 3.0, 4_096.0, 70.0].map(round_step), [1.0, 1.0, 5.0, 5_000.0, 100.0]);
    }

    #[test]
    fn numbers_begin_at_zero() {
        let axis = NumberAxis::new(200.0, 10.0, 110.0);
        assert_eq!((axis.y(0.0), axis.y(200.0), axis.y(50.0)), (110.0, 10.0, 85.0));
    }
}
