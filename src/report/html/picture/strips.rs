//! Pictures of rows: ports of each process over time, who failed when, where connections go.

use super::axis::TimeAxis;
use super::pool::holder_name;
use super::{At, Canvas, Figure, Label, Picture, Plot, SIZES, Shape, Size, bars, is_long_enough, step_length_100ns};
use crate::report::html::cell::{Cell, Column, Row, Table};
use crate::report::wording::who;
use crate::report::{PoolOverTimeRow, Report};
use crate::words::{counted, grouped, shown};

/// Room at the right edge, for half of the last time.
const EDGE: f64 = 24.0;

/// A row of a picture.
struct Strip<'r> {
    label: String,
    detail: String,
    course: Course<'r>,
    /// Its list in the JSON report.
    pointer: String,
}

/// In the steps of the report, and in fine ones.
enum Course<'r> {
    /// Levels: an area, from 0 to its own peak.
    Levels(&'r [u32], &'r [u32]),
    /// Counts: bars.
    Counts(&'r [u64], &'r [u64]),
}

impl Course<'_> {
    fn cell(&self, step: usize) -> Cell {
        match self {
            Self::Levels(values, _) => Cell::optional(values.get(step).copied()),
            Self::Counts(values, _) => Cell::optional(values.get(step).copied()),
        }
    }
}

/// Ports held by each process over time, for each pool that matters.
pub(in crate::report::html) fn holders(report: &Report) -> Vec<Figure> {
    let figure = |(place, told): (usize, &PoolOverTimeRow)| {
        let pool = report.pools.get(told.pool)?;
        let fine = &report.finely.pools.get(place)?.processes;
        let lists = told.processes.iter().zip(fine).enumerate();
        let strips = lists.filter_map(|(number, (holder, fine))| {
            let (name, detail) = holder_name(report, holder)?;
            let most = fine.ports.iter().copied().max().unwrap_or(0);
            Some(Strip {
                label: if detail.is_empty() { name } else { format!("{name} ({detail})") },
                detail: format!("{} at most", counted(most.into(), "port")),
                course: Course::Levels(&holder.ports, &fine.ports),
                pointer: format!("/pools_over_time/{place}/processes/{number}/ports"),
            })
        });
        let rows = Rows {
            id: format!("held-{place}"),
            title: format!("{}: ports held by each process over time", pool.name()),
            note: "Each row has its own scale, from 0 to the most that the process held at one time.",
            unit: "ports",
            strips: strips.collect(),
        };
        rows.figure(report)
    };
    report.pools_over_time.iter().enumerate().filter_map(figure).collect()
}

/// Who failed when.
pub(in crate::report::html) fn victims(report: &Report) -> Option<Figure> {
    let lists = report.failures_over_time.iter().zip(&report.finely.failures).enumerate();
    let strips = lists.filter_map(|(number, (told, fine))| {
        let row = report.processes.get(told.process)?;
        Some(Strip {
            label: who(row),
            detail: counted(told.failures.iter().sum(), "failure"),
            course: Course::Counts(&told.failures, &fine.failures),
            pointer: format!("/failures_over_time/{number}/failures"),
        })
    });
    let rows = Rows {
        id: "failed".to_owned(),
        title: "Failed binds and connects of each process over time".to_owned(),
        note: "Each row has its own scale, from 0 to the most failures of the process in one step of the picture.",
        unit: "failed",
        strips: strips.collect(),
    };
    rows.figure(report)
}

struct Rows<'r> {
    id: String,
    title: String,
    note: &'static str,
    unit: &'static str,
    strips: Vec<Strip<'r>>,
}

impl Rows<'_> {
    /// `None` where there is nothing to show.
    fn figure(&self, report: &Report) -> Option<Figure> {
        if self.strips.is_empty() || !is_long_enough(report) {
            return None;
        }
        let mut columns = vec![Column::time("Step from", report.zone)];
        columns.extend(self.strips.iter().map(|strip| Column::number(strip.label.as_str(), self.unit)));
        let row = |(number, step): (usize, &crate::report::TimelineStep)| {
            let mut cells = vec![Cell::clock(Some(step.start), report.zone).at(format!("/timeline/{number}/start"))];
            let cell = |strip: &Strip<'_>| strip.course.cell(number).at(format!("{}/{number}", strip.pointer));
            cells.extend(self.strips.iter().map(cell));
            Row { pointer: number.to_string(), cells }
        };
        Some(Figure {
            id: self.id.clone(),
            title: self.title.clone(),
            note: self.note.to_owned(),
            pictures: SIZES.iter().filter_map(|size| self.picture(*size, report)).collect(),
            table: Table {
                id: format!("values-{}", self.id),
                caption: self.title.clone(),
                columns,
                rows: report.timeline.iter().enumerate().map(row).collect(),
                left_out: None,
            }
            .share_pointers(),
        })
    }

    fn picture(&self, size: Size, report: &Report) -> Option<Picture> {
        let axis = TimeAxis::new(report, size.left, size.width - size.left - EDGE)?;
        let stairs = |values: usize| {
            let length_100ns =
                if size.is_fine { report.finely.length_100ns } else { step_length_100ns(&report.timeline) };
            axis.stairs(values, length_100ns)
        };
        let mut canvas = Canvas::new(size);
        let mut y = 4.0;
        for strip in &self.strips {
            let height = if matches!(strip.course, Course::Levels(..)) { 36.0 } else { 22.0 };
            let (top, bottom) = (y + size.line + 4.0, y + size.line + 4.0 + height);
            let columns = ((size.width - size.left - EDGE) / size.column) as usize;
            let room = columns.saturating_sub(strip.detail.chars().count() + 2);
            canvas
                .labels
                .push(Label::new(size.left, y + size.line - 2.0, "start", "name", strip.label.as_str()).cut_to(room));
            let class = if matches!(strip.course, Course::Levels(..)) { "tick" } else { "failing" };
            canvas.labels.push(Label::new(size.width - EDGE, y + size.line - 2.0, "end", class, strip.detail.as_str()));
            let (path, fill, most) = match &strip.course {
                Course::Levels(values, fine) => {
                    let values = if size.is_fine { fine } else { values };
                    let most = u64::from(values.iter().copied().max().unwrap_or(0));
                    let top = |ports: &u32| bottom - height * f64::from(*ports) / most.max(1) as f64;
                    let upper: Vec<f64> = values.iter().map(top).collect();
                    (stairs(values.len()).between(&upper, &vec![bottom; values.len()]), "s1", most)
                }
                Course::Counts(values, fine) => {
                    let values = if size.is_fine { fine } else { values };
                    let most = values.iter().copied().max().unwrap_or(0);
                    (bars(values, &stairs(values.len()), (top, bottom)).unwrap_or_default(), "failed", most)
                }
            };
            canvas.shapes.push(Shape::Area { path, fill, name: strip.label.clone() });
            canvas.shapes.push(Shape::Line {
                path: format!("M{} {}H{}", At(axis.left), At(bottom), At(axis.left + axis.width)),
                class: "base",
            });
            canvas.labels.push(Label::new(size.left - 6.0, top + 8.0, "end", "tick", grouped(most)));
            canvas.labels.push(Label::new(size.left - 6.0, bottom, "end", "tick", "0"));
            y = bottom + 6.0;
        }
        let bottom = y;
        axis.draw(&mut canvas, (4.0, bottom));
        // The grid lies behind.
        canvas.shapes.sort_by_key(|shape| !matches!(shape, Shape::Line { class: "grid", .. }));
        let parts: Vec<String> = self.strips.iter().map(|strip| format!("{}: {}", strip.label, strip.detail)).collect();
        let plot = Plot {
            left: At(axis.left),
            top: At(4.0),
            width: At(axis.width),
            height: At(bottom - 4.0),
            steps: report.timeline.len(),
        };
        let description = format!("{}. The table of values says the same for each step.", parts.join("; "));
        Some(canvas.finish(bottom, description, Some(plot)))
    }
}

/// Destinations drawn.
const DESTINATIONS: usize = 10;

/// Where connections go.
pub(in crate::report::html) fn destinations(report: &Report) -> Option<Figure> {
    let rows = &report.destinations;
    let peak = rows.iter().map(|row| row.sockets.max(row.connects)).max().filter(|peak| *peak > 0)?;
    let any = || "(any)".to_owned();
    // Without listings no sockets are listed, without a trace no connects are seen.
    let (sockets, connects) = (rows.iter().any(|row| row.sockets > 0), rows.iter().any(|row| row.connects > 0));
    let mut columns = vec![Column::text("Remote address"), Column::number("Port", ""), Column::text("State")];
    columns.extend(sockets.then(|| Column::number("Sockets", "in the last listing")));
    columns.extend(connects.then(|| Column::number("Connects", "in the trace")));
    let table_row = |(index, row): (usize, &crate::report::CaseDestination)| {
        let pointer = format!("/destinations/{index}");
        let remote = Cell::text(row.remote.map_or_else(any, |remote| remote.to_string()));
        let port = Cell::text(row.port.map_or_else(any, |port| port.to_string()));
        let mut cells = vec![
            remote.at(format!("{pointer}/remote")),
            port.at(format!("{pointer}/port")),
            Cell::text(row.state.as_deref().unwrap_or("")).at(format!("{pointer}/state")),
        ];
        cells.extend(sockets.then(|| Cell::number(row.sockets).at(format!("{pointer}/sockets"))));
        cells.extend(connects.then(|| Cell::number(row.connects).at(format!("{pointer}/connects"))));
        Row { pointer, cells }
    };
    let picture = |size: Size| {
        let (mut shapes, mut labels) = (Vec::new(), Vec::new());
        let mut y = 4.0;
        let mut parts = Vec::new();
        for row in rows.iter().take(DESTINATIONS) {
            let (count, noun) =
                if row.sockets >= row.connects { (row.sockets, "socket") } else { (row.connects, "connect") };
            let remote = match (row.remote, row.port) {
                (Some(ip), Some(port)) => crate::net::SocketAddress { ip, port }.to_string(),
                (Some(ip), None) => ip.to_string(),
                (None, Some(port)) => format!("port {port}"),
                (None, None) => any(),
            };
            let state = row.state.as_ref().map(|state| format!(" {}", shown(state))).unwrap_or_default();
            let (text, many) = (format!("{remote}{state}"), counted(count, noun));
            let columns = ((size.width - 12.0) / size.column) as usize;
            let room = columns.saturating_sub(many.chars().count() + 2);
            labels.push(Label::new(2.0, y + size.line - 3.0, "start", "name", text.as_str()).cut_to(room));
            labels.push(Label::new(size.width - 2.0, y + size.line - 3.0, "end", "tick", many.as_str()));
            shapes.push(Shape::Box {
                x: At(2.0),
                y: At(y + size.line + 1.0),
                width: At(((size.width - 4.0) * count as f64 / peak as f64).max(1.5)),
                height: At(10.0),
                class: "bar",
                name: format!("{text}: {many}"),
            });
            parts.push(format!("{text}: {many}"));
            y += size.line + 18.0;
        }
        Picture {
            size: size.name,
            width: size.width as u32,
            height: (y + 2.0) as u32,
            description: format!("{}.", parts.join("; ")),
            plot: None,
            shapes,
            labels,
        }
    };
    Some(Figure {
        id: "destinations".to_owned(),
        title: "Remote ends with most sockets and connects".to_owned(),
        note: "Sockets are those of listings, connects those of the trace.".to_owned(),
        pictures: SIZES.iter().map(|size| picture(*size)).collect(),
        table: Table {
            id: "values-destinations".to_owned(),
            caption: "Remote ends with most sockets and connects".to_owned(),
            columns,
            rows: rows.iter().enumerate().map(table_row).collect(),
            left_out: None,
        }
        .share_pointers(),
    })
}
