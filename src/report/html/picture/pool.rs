//! A pool over time: who has its ports, stacked against its size, and when requests failed.

use super::axis::{NumberAxis, TimeAxis};
use super::{At, Figure, Label, Picture, Plot, SIZES, Shape, Size, is_long_enough, spread};
use crate::diagnosis::codes::ReasonCode;
use crate::report::html::cell::{Cell, Column, Row, Table};
use crate::report::wording::{name, who};
use crate::report::{HolderOverTimeRow, OutageRow, PoolOverTimeRow, PoolRow, Report};
use crate::time::{FileTime, duration_text};
use crate::words::{counted, grouped, shown};

/// Fills of holders, largest first.
const FILLS: [&str; 5] = ["s1", "s2", "s3", "s4", "s5"];

/// Outages that are marked with their length, longest first.
const LENGTHS_SHOWN: usize = 6;

/// Height of the lane in which failures are marked.
const LANE: f64 = 14.0;

/// Ports of somebody or something over time.
struct Series<'r> {
    name: String,
    /// For narrow pictures.
    short: String,
    detail: String,
    fill: &'static str,
    values: &'r [u32],
    /// Its list in the JSON report.
    pointer: String,
}

/// A picture for each pool that matters.
pub(in crate::report::html) fn pools(report: &Report) -> Vec<Figure> {
    let told = report.pools_over_time.iter().enumerate().filter(|_| is_long_enough(report));
    told.filter_map(|(place, told)| Some(Drawing::new(report, place, told)?.figure())).collect()
}

struct Drawing<'r> {
    report: &'r Report,
    place: usize,
    told: &'r PoolOverTimeRow,
    pool: &'r PoolRow,
    series: Vec<Series<'r>>,
    outages: Vec<&'r OutageRow>,
}

impl<'r> Drawing<'r> {
    fn new(report: &'r Report, place: usize, told: &'r PoolOverTimeRow) -> Option<Self> {
        let pool = report.pools.get(told.pool)?;
        let base = format!("/pools_over_time/{place}");
        let mut series: Vec<Series<'r>> = Vec::new();
        for (number, holder) in told.holders.iter().enumerate() {
            let (name, detail) = holder_name(report, holder)?;
            let fill = FILLS.get(number).copied().unwrap_or("others");
            series.push(Series {
                short: name.clone(),
                name,
                detail,
                fill,
                values: &holder.ports,
                pointer: format!("{base}/holders/{number}/ports"),
            });
        }
        let mut rest = |name: &str, short: &str, fill, values: &'r [u32], field: &str| {
            if values.iter().any(|ports| *ports > 0) {
                let pointer = format!("{base}/{field}");
                let (name, short) = (name.to_owned(), short.to_owned());
                series.push(Series { name, short, detail: String::new(), fill, values, pointer });
            }
        };
        rest("others", "others", "others", &told.others, "others");
        rest("TIME_WAIT (estimate)", "TIME_WAIT", "wait", &told.time_wait, "time_wait");
        rest("older, or the kernel's", "older or kernel's", "own", &told.transport, "transport");
        rest("not visible in the trace", "not visible", "unseen", &told.not_visible, "not_visible");
        // Outages of one local address are drawn with the pool of all.
        let is_part = |other: &PoolRow| {
            (other.protocol, other.family, other.compartment) == (pool.protocol, pool.family, pool.compartment)
        };
        let is_here = |outage: &&OutageRow| report.pools.get(outage.pool).is_some_and(is_part);
        let outages = report.outages.iter().filter(is_here).collect();
        Some(Self { report, place, told, pool, series, outages })
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
        let timeline = &self.report.timeline;
        let lane = 2.0 * size.line + 8.0;
        let top = lane + LANE + 8.0;
        let bottom = top + size.plot;
        let axis = TimeAxis::new(self.report, size.left, size.inner())?;
        let count = f64::from(self.pool.count);
        let numbers = NumberAxis::new(count * 1.07, top, bottom);
        let (mut shapes, mut labels) = (Vec::new(), Vec::new());
        let title = if size.name == "wide" { "ports in use, by who has them" } else { "ports in use" };
        labels.push(Label::new(0.0, size.line, "start", "title", format!("{}: {title}", self.pool.name())));
        self.outages(size, &axis, (lane, bottom), &mut shapes, &mut labels);
        axis.draw(size, (top, bottom), &mut shapes, &mut labels);
        numbers.draw(size, Some(count), &mut shapes, &mut labels);
        self.areas(size, &axis, &numbers, &mut shapes, &mut labels);
        self.size_line(size, &numbers, &mut shapes, &mut labels);
        self.rug(size, &axis, lane, &mut shapes, &mut labels);
        self.marks(size, &axis, (top, bottom), &mut shapes, &mut labels);
        Some(Picture {
            size: size.name,
            width: size.width as u32,
            height: (bottom + 2.0 * size.line + 8.0) as u32,
            description: self.description(),
            plot: Some(Plot {
                left: At(axis.left),
                top: At(lane),
                width: At(axis.width),
                height: At(bottom - lane),
                steps: timeline.len(),
            }),
            shapes,
            labels,
        })
    }

    /// The areas, each on those before it, and their names at the right edge.
    fn areas(
        &self,
        size: Size,
        axis: &TimeAxis,
        numbers: &NumberAxis,
        shapes: &mut Vec<Shape>,
        labels: &mut Vec<Label>,
    ) {
        let steps = self.report.timeline.len();
        let stairs = axis.stairs(steps);
        let mut base = vec![0.0; steps];
        // Name, height that is wanted, and where the area ends.
        let mut named: Vec<(&Series<'_>, f64, f64)> = Vec::new();
        for series in &self.series {
            let above: Vec<f64> =
                base.iter().zip(series.values).map(|(base, ports)| base + f64::from(*ports)).collect();
            let (lower, upper): (Vec<f64>, Vec<f64>) =
                (base.iter().map(|n| numbers.y(*n)).collect(), above.iter().map(|n| numbers.y(*n)).collect());
            shapes.push(Shape::Area {
                path: stairs.between(&upper, &lower),
                fill: series.fill,
                name: format!("{} {}", series.name, series.detail),
            });
            let last = series.values.iter().rposition(|ports| *ports > 0);
            let middle = last.and_then(|last| Some(((upper.get(last)? + lower.get(last)?) / 2.0, stairs.x(last + 1))));
            named.extend(middle.map(|(y, x)| (series, y, x)));
            base = above;
        }
        // From the top of the picture down. Of areas side by side, the one that ends first has the lowest name, so that no
        // leader crosses another.
        named.sort_by(|one, other| one.1.total_cmp(&other.1).then(other.2.total_cmp(&one.2)));
        let wanted: Vec<f64> = named.iter().map(|(_, y, _)| *y).collect();
        let gap = 2.0 * size.line + 2.0;
        let heights = spread(&wanted, gap, (numbers.top + size.line, numbers.bottom - size.line + 4.0));
        for ((series, y, x), height) in named.into_iter().zip(heights) {
            let edge = size.width - size.right;
            shapes.push(Shape::Line {
                path: format!("M{} {}L{} {}H{}", At(x), At(y), At(edge + 6.0), At(height), At(edge + 10.0)),
                class: "leader",
            });
            let name = if size.name == "narrow" { &series.short } else { &series.name };
            let most = series.values.iter().copied().max().unwrap_or(0);
            let detail = if series.detail.is_empty() || size.name == "narrow" {
                format!("{} at most", grouped(most.into()))
            } else {
                format!("{}, {} at most", series.detail, grouped(most.into()))
            };
            let label = Label::new(edge + 13.0, height - 1.0, "start", "name", name.as_str());
            labels.push(label.cut_to(size.columns));
            labels.push(
                Label::new(edge + 13.0, height + size.line - 2.0, "start", "tick", detail).cut_to(size.columns + 3),
            );
        }
    }

    /// The size of the pool, and below it what is given to nobody.
    fn size_line(&self, size: Size, numbers: &NumberAxis, shapes: &mut Vec<Shape>, labels: &mut Vec<Label>) {
        let count = f64::from(self.pool.count);
        let y = numbers.y(count);
        if self.told.set_aside > 0 {
            let lower = numbers.y(count - f64::from(self.told.set_aside));
            let name = format!("{} excluded or reserved", counted(self.told.set_aside.into(), "port"));
            shapes.push(Shape::Box {
                x: At(size.left),
                y: At(y),
                width: At(size.inner()),
                height: At((lower - y).max(1.5)),
                class: "aside",
                name: name.clone(),
            });
            let text = if size.name == "wide" { name } else { "excluded or reserved".to_owned() };
            labels.push(Label::new(size.left + 6.0, (y + lower) / 2.0 + 14.0, "start", "halo", text));
        }
        shapes.push(Shape::Line {
            path: format!("M{} {}H{}", At(size.left), At(y), At(size.width - size.right)),
            class: "pool",
        });
        labels.push(Label::new(size.left - 6.0, y + 4.0, "end", "tick strong", grouped(self.pool.count.into())));
        labels.push(Label::new(size.left + 6.0, y - 7.0, "start", "halo strong", "size of the pool"));
    }

    fn outages(
        &self,
        size: Size,
        axis: &TimeAxis,
        (top, bottom): (f64, f64),
        shapes: &mut Vec<Shape>,
        labels: &mut Vec<Label>,
    ) {
        let mut longest: Vec<(FileTime, f64, f64, String)> = Vec::new();
        for outage in &self.outages {
            let (from, to) = (axis.x(outage.first), axis.x(outage.last));
            let length = duration_text(outage.last.since(outage.first));
            let zone = self.report.zone;
            let (first, last) = (zone.clock(outage.first), zone.clock(outage.last));
            shapes.push(Shape::Box {
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
                labels.push(Label::new(x, lane, "middle", "failing", text));
            } else if to - from >= size.column * length.chars().count() as f64 {
                labels.push(Label::new((from + to) / 2.0, lane, "middle", "failing", length));
            }
        }
    }

    /// A tick for each step with failures, darker where there are many.
    fn rug(&self, size: Size, axis: &TimeAxis, lane: f64, shapes: &mut Vec<Shape>, labels: &mut Vec<Label>) {
        let failures = &self.told.failures;
        let Some(peak) = failures.iter().copied().max().filter(|peak| *peak > 0) else { return };
        let stairs = axis.stairs(failures.len());
        for (step, count) in failures.iter().enumerate().filter(|(_, count)| **count > 0) {
            let class = match u128::from(*count) * 4 / u128::from(peak) {
                0 => "few",
                1 => "some",
                2 => "many",
                _ => "most",
            };
            shapes.push(Shape::Box {
                x: At(stairs.x(step)),
                y: At(lane),
                width: At(stairs.step.max(2.0)),
                height: At(LANE),
                class,
                name: counted(*count, "failure"),
            });
        }
        let all = counted(failures.iter().sum(), "failure");
        labels.push(Label::new(size.left - 6.0, lane + LANE - 3.0, "end", "failing", "failed"));
        labels.push(Label::new(size.width - size.right + 13.0, lane + LANE - 3.0, "start", "failing", all));
    }

    /// Where something else happened that the picture is to be read with.
    fn marks(
        &self,
        size: Size,
        axis: &TimeAxis,
        (top, bottom): (f64, f64),
        shapes: &mut Vec<Shape>,
        labels: &mut Vec<Label>,
    ) {
        let has = |code: ReasonCode| self.report.verdict.reasons.iter().any(|reason| reason.code == code);
        let mut y = top + 2.0 * size.line + 10.0;
        let mut said = |x: f64, text: &str, labels: &mut Vec<Label>| {
            let is_right = x > axis.left + axis.width / 2.0;
            let (x, anchor) = if is_right { (x - 5.0, "end") } else { (x + 5.0, "start") };
            labels.push(Label::new(x, y, anchor, "halo", text));
            y += size.line;
        };
        if self.place == 0 && has(ReasonCode::BeganAfter) {
            said(axis.left, "full when the trace began", labels);
        }
        if has(ReasonCode::EventsLost) || has(ReasonCode::LossFlags) {
            said(axis.left, "events were lost: counts are lower bounds", labels);
        }
        let traces = &self.report.traces;
        let starts = traces.iter().skip(1).filter_map(|trace| Some((trace.started?, "next trace")));
        let boots = traces.iter().filter_map(|trace| Some((trace.boot_time?, "boot")));
        for (time, word) in starts.chain(boots).filter(|(time, _)| axis.contains(*time)) {
            let x = axis.x(time);
            shapes.push(Shape::Line { path: format!("M{} {}V{}", At(x), At(top), At(bottom)), class: "mark" });
            said(x, word, labels);
        }
    }

    /// The values of each step.
    fn table(&self) -> Table {
        let mut columns = vec![Column::time("Step from", self.report.zone), Column::number("Failed", "")];
        for series in &self.series {
            let detail = if series.detail.is_empty() { String::new() } else { format!(" ({})", series.detail) };
            columns.push(Column::number(format!("{}{detail}", series.name), "ports"));
        }
        let row = |(number, step): (usize, &crate::report::TimelineStep)| {
            let mut cells = vec![
                Cell::clock(Some(step.start), self.report.zone).at(format!("/timeline/{number}/start")),
                Cell::optional(self.told.failures.get(number).copied())
                    .at(format!("/pools_over_time/{}/failures/{number}", self.place)),
            ];
            for series in &self.series {
                let cell = Cell::optional(series.values.get(number).copied());
                cells.push(cell.at(format!("{}/{number}", series.pointer)));
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
    Some(match row.pid {
        Some(pid) => (name(row), format!("PID {pid}")),
        None => (who(row), String::new()),
    })
}

fn counted_processes(count: u64) -> String {
    format!("{} processes", grouped(count))
}
