//! A pool over time: who has its ports, stacked against its size, and when requests failed.

use super::axis::{NumberAxis, TimeAxis};
use super::stack::{FILLS, Series, Stack};
use super::{At, Canvas, Figure, Label, Picture, Plot, SIZES, Shape, Size, Stairs, is_long_enough, step_length_100ns};
use crate::diagnosis::codes::ReasonCode;
use crate::report::html::cell::{Cell, Column, Row, Table};
use crate::report::wording::{name, who};
use crate::report::{HolderOverTimeRow, OutageRow, PoolOverTimeRow, PoolRow, Report};
use crate::time::{FileTime, duration_text};
use crate::words::{counted, grouped, shown};

/// Outages that are marked with their length, longest first.
const LENGTHS_SHOWN: usize = 6;

/// Height of the lane in which failures are marked.
const LANE: f64 = 14.0;

/// Fewer points of a picture are not drawn as a range within a step.
const LEAST_RANGE: f64 = 2.0;

/// A picture for each pool that matters.
pub(in crate::report::html) fn pools(report: &Report) -> Vec<Figure> {
    let told = report.pools_over_time.iter().enumerate().filter(|_| is_long_enough(report));
    told.filter_map(|(place, told)| Some(Drawing::new(report, place, told)?.figure())).collect()
}

struct Drawing<'r> {
    report: &'r Report,
    place: usize,
    told: &'r PoolOverTimeRow,
    /// The same in fine steps.
    fine: &'r PoolOverTimeRow,
    pool: &'r PoolRow,
    series: Vec<Series<'r>>,
    outages: Vec<&'r OutageRow>,
}

impl<'r> Drawing<'r> {
    fn new(report: &'r Report, place: usize, told: &'r PoolOverTimeRow) -> Option<Self> {
        let pool = report.pools.get(told.pool)?;
        let fine = report.finely.pools.get(place)?;
        let base = format!("/pools_over_time/{place}");
        let mut series: Vec<Series<'r>> = Vec::new();
        for (number, (holder, finely)) in told.holders.iter().zip(&fine.holders).enumerate() {
            let (name, detail) = holder_name(report, holder)?;
            let fill = FILLS.get(number).copied().unwrap_or("others");
            series.push(Series {
                short: name.clone(),
                name,
                detail,
                fill,
                values: &holder.ports,
                fine: &finely.ports,
                pointer: format!("{base}/holders/{number}/ports"),
            });
        }
        let mut rest = |name: &str, short: &str, fill, (values, fine): (&'r [u32], &'r [u32]), field: &str| {
            if fine.iter().any(|ports| *ports > 0) {
                let pointer = format!("{base}/{field}");
                let (name, short) = (name.to_owned(), short.to_owned());
                series.push(Series { name, short, detail: String::new(), fill, values, fine, pointer });
            }
        };
        rest("others", "others", "others", (&told.others, &fine.others), "others");
        rest("TIME_WAIT (estimate)", "TIME_WAIT", "wait", (&told.time_wait, &fine.time_wait), "time_wait");
        rest("older, or the kernel's", "older or kernel's", "own", (&told.transport, &fine.transport), "transport");
        rest(
            "not visible in the trace",
            "not visible",
            "unseen",
            (&told.not_visible, &fine.not_visible),
            "not_visible",
        );
        // Outages of one local address are drawn with the pool of all.
        let is_part = |other: &PoolRow| {
            (other.protocol, other.family, other.compartment) == (pool.protocol, pool.family, pool.compartment)
        };
        let is_here = |outage: &&OutageRow| report.pools.get(outage.pool).is_some_and(is_part);
        let outages = report.outages.iter().filter(is_here).collect();
        Some(Self { report, place, told, fine, pool, series, outages })
    }

    fn figure(&self) -> Figure {
        let PoolRow { start, count, .. } = *self.pool;
        Figure {
            id: format!("pool-{}", self.place),
            title: format!(
                "{}: ports in use over time, of {} ({start}–{})",
                self.pool.name(),
                counted(count.into(), "port"),
                self.pool.end()
            ),
            note: self.note(),
            pictures: SIZES.iter().filter_map(|size| self.picture(*size)).collect(),
            table: self.table(),
        }
    }

    fn note(&self) -> String {
        let mut note = String::new();
        let is_listed = self.told.not_visible.iter().any(|ports| *ports > 0)
            && self.report.side_inputs.iter().any(|side| side.used && side.kind.starts_with("net"));
        if is_listed {
            note.push_str("The picture shows what the trace tells; the tables below count listings too. ");
        }
        if self.told.holders.iter().any(|holder| holder.image.is_some()) {
            note.push_str("Processes of one image are drawn as one. ");
        }
        if SIZES.iter().any(|size| !self.ranges(*size).is_empty()) {
            note.push_str("A thin upright line goes from the fewest to the most ports in use within a step. ");
        }
        note
    }

    /// What is said at one step, for those who cannot see the picture: at the end.
    fn description(&self) -> String {
        let failures: u64 = self.told.failures.iter().sum();
        let last = |series: &Series<'_>| {
            let ports = series.values.last().copied().unwrap_or(0);
            let detail = if series.detail.is_empty() { String::new() } else { format!(" ({})", series.detail) };
            format!("{}{detail} {}", series.name, grouped(ports.into()))
        };
        let parts: Vec<String> = self.series.iter().map(last).collect();
        format!(
            "In the last step, of {}: {}. {} in all. The table of values says the same for each step.",
            counted(self.pool.count.into(), "port"),
            if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") },
            counted(failures, "failure")
        )
    }

    fn picture(&self, size: Size) -> Option<Picture> {
        let lane = 2.0 * size.line + 8.0;
        let top = lane + LANE + 8.0;
        let bottom = top + size.plot;
        let axis = TimeAxis::new(self.report, size.left, size.inner())?;
        let stack = Stack { count: self.pool.count, set_aside: self.told.set_aside, series: &self.series };
        let numbers = stack.axis(top, bottom);
        let mut canvas = Canvas::new(size);
        let title = if size.name == "wide" { "ports in use, by who has them" } else { "ports in use" };
        canvas.labels.push(Label::new(0.0, size.line, "start", "title", format!("{}: {title}", self.pool.name())));
        self.outages(&mut canvas, &axis, (lane, bottom));
        axis.draw(&mut canvas, (top, bottom));
        numbers.draw(&mut canvas, Some(self.pool.count.into()));
        stack.areas(&mut canvas, &self.stairs(size, &axis), &numbers);
        self.range_lines(&mut canvas, &axis, &numbers);
        stack.size_line(&mut canvas, &numbers);
        self.rug(&mut canvas, &axis, lane);
        self.marks(&mut canvas, &axis, (top, bottom));
        let plot = Plot {
            left: At(axis.left),
            top: At(lane),
            width: At(axis.width),
            height: At(bottom - lane),
            steps: self.report.timeline.len(),
        };
        Some(canvas.finish(bottom, self.description(), Some(plot)))
    }

    /// What is drawn in this size.
    fn drawn(&self, size: Size) -> &'r PoolOverTimeRow {
        if size.is_fine { self.fine } else { self.told }
    }

    fn stairs(&self, size: Size, axis: &TimeAxis) -> Stairs {
        let length_100ns =
            if size.is_fine { self.report.finely.length_100ns } else { step_length_100ns(&self.report.timeline) };
        axis.stairs(self.drawn(size).held.len(), length_100ns)
    }

    /// Steps in which the ports in use went beyond those at its beginning and at its end, by more than a line is wide: the step,
    /// fewest and most.
    fn ranges(&self, size: Size) -> Vec<(usize, u32, u32)> {
        let drawn = self.drawn(size);
        let line = (f64::from(self.pool.count) / size.plot * LEAST_RANGE) as u32;
        let in_use: Vec<u32> =
            drawn.held.iter().zip(&drawn.time_wait).map(|(held, waits)| held.saturating_add(*waits)).collect();
        let before = std::iter::once(&0).chain(&in_use);
        let ranges = drawn.least.iter().zip(&drawn.most).zip(before.zip(&in_use)).enumerate();
        let seen = ranges.filter(|(_, ((least, most), (before, after)))| {
            before.min(after).saturating_sub(**least) > line || most.saturating_sub(**before.max(after)) > line
        });
        seen.map(|(step, ((least, most), _))| (step, *least, *most)).collect()
    }

    /// A line in each step from the fewest to the most ports in use.
    fn range_lines(&self, canvas: &mut Canvas, axis: &TimeAxis, numbers: &NumberAxis) {
        let stairs = self.stairs(canvas.size, axis);
        let line = |(step, least, most): (usize, u32, u32)| {
            let x = (stairs.x(step) + stairs.x(step + 1)) / 2.0;
            format!("M{} {}V{}", At(x), At(numbers.y(most.into())), At(numbers.y(least.into())))
        };
        let path: String = self.ranges(canvas.size).into_iter().map(line).collect();
        if !path.is_empty() {
            canvas.shapes.push(Shape::Line { path, class: "range" });
        }
    }

    fn outages(&self, canvas: &mut Canvas, axis: &TimeAxis, (top, bottom): (f64, f64)) {
        let size = canvas.size;
        let mut longest: Vec<(FileTime, f64, f64, String)> = Vec::new();
        for outage in &self.outages {
            let (from, to) = (axis.x(outage.first), axis.x(outage.last));
            let length = duration_text(outage.last.since(outage.first));
            let zone = self.report.zone;
            let (first, last) = (zone.clock(outage.first), zone.clock(outage.last));
            canvas.shapes.push(Shape::Box {
                x: At(from),
                y: At(top),
                width: At((to - from).max(1.5)),
                height: At(bottom - top),
                class: "outage",
                name: format!("out of ports from {first} to {last} {} ({length})", zone.name()),
            });
            longest.push((outage.first, from, to, length));
        }
        longest.sort_by(|one, other| (other.2 - other.1).total_cmp(&(one.2 - one.1)));
        let lane = top - 4.0;
        for (_, from, to, length) in longest.into_iter().take(LENGTHS_SHOWN) {
            let text = format!("out of ports {length}");
            let width = size.column * text.chars().count() as f64;
            let is_first = self.outages.len() == 1;
            if is_first {
                // Alone, it may lie anywhere, and its name beside it.
                let x = ((from + to) / 2.0).clamp(size.left + width / 2.0, size.width - width / 2.0);
                canvas.labels.push(Label::new(x, lane, "middle", "failing", text));
            } else if to - from >= size.column * length.chars().count() as f64 {
                canvas.labels.push(Label::new((from + to) / 2.0, lane, "middle", "failing", length));
            }
        }
    }

    /// A tick for each step with failures, darker where there are many.
    fn rug(&self, canvas: &mut Canvas, axis: &TimeAxis, lane: f64) {
        let size = canvas.size;
        let failures = &self.drawn(size).failures;
        let Some(peak) = failures.iter().copied().max().filter(|peak| *peak > 0) else { return };
        let stairs = self.stairs(size, axis);
        let class = |count: u64| match u128::from(count) * 4 / u128::from(peak) {
            _ if count == 0 => None,
            0 => Some("few"),
            1 => Some("some"),
            2 => Some("many"),
            _ => Some("most"),
        };
        let mut step = 0;
        // Steps of one darkness that follow each other are one tick.
        for alike in failures.chunk_by(|one, other| class(*one) == class(*other)) {
            if let Some(class) = alike.first().and_then(|count| class(*count)) {
                canvas.shapes.push(Shape::Box {
                    x: At(stairs.x(step)),
                    y: At(lane),
                    width: At((stairs.x(step + alike.len()) - stairs.x(step)).max(2.0)),
                    height: At(LANE),
                    class,
                    name: counted(alike.iter().sum(), "failure"),
                });
            }
            step += alike.len();
        }
        let all = counted(failures.iter().sum(), "failure");
        canvas.labels.push(Label::new(size.left - 6.0, lane + LANE - 3.0, "end", "failing", "failed"));
        canvas.labels.push(Label::new(size.width - size.right + 13.0, lane + LANE - 3.0, "start", "failing", all));
    }

    /// Where something else happened that the picture is to be read with.
    fn marks(&self, canvas: &mut Canvas, axis: &TimeAxis, (top, bottom): (f64, f64)) {
        let size = canvas.size;
        let has = |code: ReasonCode| self.report.verdict.reasons.iter().any(|reason| reason.code == code);
        let mut y = top + 2.0 * size.line + 10.0;
        let mut said = |canvas: &mut Canvas, x: f64, text: &str| {
            let is_right = x > axis.left + axis.width / 2.0;
            let (x, anchor) = if is_right { (x - 5.0, "end") } else { (x + 5.0, "start") };
            canvas.labels.push(Label::new(x, y, anchor, "halo", text));
            y += size.line;
        };
        if self.place == 0 && has(ReasonCode::BeganAfter) {
            said(canvas, axis.left, "full when the trace began");
        }
        if has(ReasonCode::EventsLost) || has(ReasonCode::LossFlags) {
            said(canvas, axis.left, "events were lost: counts are lower bounds");
        }
        let traces = &self.report.traces;
        let starts = traces.iter().skip(1).filter_map(|trace| Some((trace.started?, "next trace")));
        let boots = traces.iter().filter_map(|trace| Some((trace.boot_time?, "boot")));
        for (time, word) in starts.chain(boots).filter(|(time, _)| axis.contains(*time)) {
            let x = axis.x(time);
            canvas.shapes.push(Shape::Line { path: format!("M{} {}V{}", At(x), At(top), At(bottom)), class: "mark" });
            said(canvas, x, word);
        }
    }

    /// The values of each step.
    fn table(&self) -> Table {
        let mut columns = vec![Column::time("Step from", self.report.zone), Column::number("Failed", "")];
        for series in &self.series {
            let detail = if series.detail.is_empty() { String::new() } else { format!(" ({})", series.detail) };
            columns.push(Column::number(format!("{}{detail}", series.name), "ports"));
        }
        let has_ranges = SIZES.iter().any(|size| !self.ranges(*size).is_empty());
        if has_ranges {
            columns.extend([Column::number("Fewest in use", "ports"), Column::number("Most in use", "ports")]);
        }
        let row = |(number, step): (usize, &crate::report::TimelineStep)| {
            let own = |field: &str| format!("/pools_over_time/{}/{field}/{number}", self.place);
            let mut cells = vec![
                Cell::clock(Some(step.start), self.report.zone).at(format!("/timeline/{number}/start")),
                Cell::optional(self.told.failures.get(number).copied()).at(own("failures")),
            ];
            for series in &self.series {
                let cell = Cell::optional(series.values.get(number).copied());
                cells.push(cell.at(format!("{}/{number}", series.pointer)));
            }
            if has_ranges {
                cells.push(Cell::optional(self.told.least.get(number).copied()).at(own("least")));
                cells.push(Cell::optional(self.told.most.get(number).copied()).at(own("most")));
            }
            Row { pointer: number.to_string(), cells }
        };
        Table {
            id: format!("values-{}", self.place),
            caption: format!(
                "{}: ports at the end of each step, or where it was fuller then, at a failure in it; and failures",
                self.pool.name()
            ),
            columns,
            rows: self.report.timeline.iter().enumerate().map(row).collect(),
            left_out: None,
        }
        .share_pointers()
    }
}

/// A holder's name, and what tells it from others of that name.
pub(super) fn holder_name(report: &Report, holder: &HolderOverTimeRow) -> Option<(String, String)> {
    if let Some(image) = holder.image {
        let image = report.images.get(image)?;
        return Some((shown(&image.image), counted_processes(image.processes)));
    }
    let row = report.processes.get(holder.process?)?;
    Some(match (row.pid, &row.image) {
        (Some(pid), Some(_)) => (name(row), format!("PID {pid}")),
        _ => (who(row), String::new()),
    })
}

fn counted_processes(count: u64) -> String {
    format!("{} processes", grouped(count))
}
