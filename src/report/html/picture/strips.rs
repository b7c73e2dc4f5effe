//! Pictures of rows: ports of each process over time, who failed when, where connections go.

use super::axis::TimeAxis;
use super::pool::holder_name;
use super::{At, Figure, Label, Picture, Plot, SIZES, Shape, Size, bars, is_long_enough};
use crate::report::html::cell::{Cell, Column, Row, Table};
use crate::report::wording::who;
use crate::report::{PoolOverTimeRow, Report};
use crate::words::{counted, grouped, shown};

/// Room at the right edge, for half of the last time.
const EDGE: f64 = 24.0;

/// A row of a picture.
struct Strip {
    label: String,
    detail: String,
    course: Course,
    /// Its list in the JSON report.
    pointer: String,
}

enum Course {
    /// Levels: an area, from 0 to its own peak.
    Levels(Vec<u32>),
    /// Counts: bars.
    Counts(Vec<u64>),
}

impl Course {
    fn cell(&self, step: usize) -> Cell {
        match self {
            Self::Levels(values) => Cell::optional(values.get(step).copied()),
            Self::Counts(values) => Cell::optional(values.get(step).copied()),
        }
    }
}

/// Ports held by each process over time, for each pool that matters.
pub(in crate::report::html) fn holders(report: &Report) -> Vec<Figure> {
    let figure = |(place, told): (usize, &PoolOverTimeRow)| {
        let pool = report.pools.get(told.pool)?;
        let strip = |(number, holder): (usize, &crate::report::HolderOverTimeRow)| {
            let (name, detail) = holder_name(report, holder)?;
            let most = holder.ports.iter().copied().max().unwrap_or(0);
            Some(Strip {
                label: if detail.is_empty() { name } else { format!("{name} ({detail})") },
                detail: format!("{} at most", counted(most.into(), "port")),
                course: Course::Levels(holder.ports.clone()),
                pointer: format!("/pools_over_time/{place}/processes/{number}/ports"),
            })
        };
        let strips: Vec<Strip> = told.processes.iter().enumerate().filter_map(strip).collect();
        let rows = Rows {
            id: format!("held-{place}"),
            title: format!("{}: ports held by each process over time", pool.name()),
            note: "Each row has its own scale, from 0 to the most that the process held at one time.",
            unit: "ports",
            strips,
        };
        rows.figure(report)
    };
    report.pools_over_time.iter().enumerate().filter_map(figure).collect()
}

/// Who failed when.
pub(in crate::report::html) fn victims(report: &Report) -> Option<Figure> {
    let strip = |(number, told): (usize, &crate::report::VictimOverTimeRow)| {
        let row = report.processes.get(told.process)?;
        Some(Strip {
            label: who(row),
            detail: counted(told.failures.iter().sum(), "failure"),
            course: Course::Counts(told.failures.clone()),
            pointer: format!("/failures_over_time/{number}/failures"),
        })
    };
    let rows = Rows {
        id: "failed".to_owned(),
        title: "Failed binds and connects of each process over time".to_owned(),
        note: "Each row has its own scale, from 0 to the most failures of the process in one step.",
        unit: "failed",
        strips: report.failures_over_time.iter().enumerate().filter_map(strip).collect(),
    };
    rows.figure(report)
}

struct Rows {
    id: String,
    title: String,
    note: &'static str,
    unit: &'static str,
    strips: Vec<Strip>,
}

impl Rows {
    /// `None` where there is nothing to show.
    fn figure(&self, report: &Report) -> Option<Figure> {
        if self.strips.is_empty() || !is_long_enough(report) {
            return None;
        }
        let mut columns = vec![Column::time("Step from", report.zone)];
        columns.extend(self.strips.iter().map(|strip| Column::number(strip.label.as_str(), self.unit)));
        let row = |(number, step): (usize, &crate::report::TimelineStep)| {
            let mut cells = vec![Cell::clock(Some(step.start), report.zone).at(format!("/timeline/{number}/start"))];
            let cell = |strip: &Strip| strip.course.cell(number).at(format!("{}/{number}", strip.pointer));
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
        let steps = report.timeline.len();
        let axis = TimeAxis::new(report, size.left, size.width - size.left - EDGE)?;
        let stairs = axis.stairs(steps);
        let (mut shapes, mut labels) = (Vec::new(), Vec::new());
        let mut y = 4.0;
        for strip in &self.strips {
            let height = if matches!(strip.course, Course::Levels(_)) { 36.0 } else { 22.0 };
            let (top, bottom) = (y + size.line + 4.0, y + size.line + 4.0 + height);
            let columns = ((size.width - size.left - EDGE) / size.column) as usize;
            let room = columns.saturating_sub(strip.detail.chars().count() + 2);
            labels.push(Label::new(size.left, y + size.line - 2.0, "start", "name", strip.label.as_str()).cut_to(room));
            let class = if matches!(strip.course, Course::Levels(_)) { "tick" } else { "failing" };
            labels.push(Label::new(size.width - EDGE, y + size.line - 2.0, "end", class, strip.detail.as_str()));
            let (path, fill, most) = match &strip.course {
                Course::Levels(values) => {
                    let most = u64::from(values.iter().copied().max().unwrap_or(0));
                    let top = |ports: &u32| bottom - height * f64::from(*ports) / most.max(1) as f64;
                    let upper: Vec<f64> = values.iter().map(top).collect();
                    (stairs.between(&upper, &vec![bottom; values.len()]), "s1", most)
                }
                Course::Counts(values) => {
                    let most = values.iter().copied().max().unwrap_or(0);
                    (bars(values, &stairs, (top, bottom)).unwrap_or_default(), "failed", most)
                }
            };
            shapes.push(Shape::Area { path, fill, name: strip.label.clone() });
            shapes.push(Shape::Line {
                path: format!("M{} {}H{}", At(axis.left), At(bottom), At(axis.left + axis.width)),
                class: "base",
            });
            labels.push(Label::new(size.left - 6.0, top + 8.0, "end", "tick", grouped(most)));
            labels.push(Label::new(size.left - 6.0, bottom, "end", "tick", "0"));
            y = bottom + 6.0;
        }
        let bottom = y;
        axis.draw(size, (4.0, bottom), &mut shapes, &mut labels);
        // The grid lies behind.
        shapes.sort_by_key(|shape| !matches!(shape, Shape::Line { class: "grid", .. }));
        let parts: Vec<String> = self.strips.iter().map(|strip| format!("{}: {}", strip.label, strip.detail)).collect();
        Some(Picture {
            size: size.name,
            width: size.width as u32,
            height: (bottom + 2.0 * size.line + 8.0) as u32,
            description: format!("{}. The table of values says the same for each step.", parts.join("; ")),
            plot: Some(Plot {
                left: At(axis.left),
                top: At(4.0),
                width: At(axis.width),
                height: At(bottom - 4.0),
                steps,
            }),
            shapes,
            labels,
        })
    }
}

/// Destinations drawn.
const DESTINATIONS: usize = 10;

/// Where connections go.
pub(in crate::report::html) fn destinations(report: &Report) -> Option<Figure> {
    let rows = &report.destinations;
    let peak = rows.iter().map(|row| row.sockets.max(row.connects)).max().filter(|peak| *peak > 0)?;
    let any = || "(any)".to_owned();
    let table_row = |(index, row): (usize, &crate::report::CaseDestination)| {
        let pointer = format!("/destinations/{index}");
        let remote = Cell::text(row.remote.map_or_else(any, |remote| remote.to_string()));
        let port = Cell::text(row.port.map_or_else(any, |port| port.to_string()));
        let cells = vec![
            remote.at(format!("{pointer}/remote")),
            port.at(format!("{pointer}/port")),
            Cell::text(row.state.as_deref().unwrap_or("")).at(format!("{pointer}/state")),
            Cell::number(row.sockets).at(format!("{pointer}/sockets")),
            Cell::number(row.connects).at(format!("{pointer}/connects")),
        ];
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
            columns: vec![
                Column::text("Remote address"),
                Column::number("Port", ""),
                Column::text("State"),
                Column::number("Sockets", ""),
                Column::number("Connects", ""),
            ],
            rows: rows.iter().enumerate().map(table_row).collect(),
            left_out: None,
        }
        .share_pointers(),
    })
}
