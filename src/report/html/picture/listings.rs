//! A pool over the listings of a file: who has its ports at the moment of each, stacked against its size.

use super::axis::TimeAxis;
use super::pool::holder_name;
use super::stack::{FILLS, Series, Stack};
use super::{At, Canvas, Figure, Label, Picture, Plot, SIZES, Shape, Size};
use crate::event::base_name;
use crate::report::html::cell::{Cell, Column, Row, Table};
use crate::report::{ListedOverTimeRow, PoolRow, Report};
use crate::words::{counted, grouped, shown};

/// A picture for each pool and file.
pub(in crate::report::html) fn listings(report: &Report) -> Vec<Figure> {
    let told = report.listings_over_time.iter().enumerate();
    told.filter_map(|(place, told)| Some(Drawing::new(report, place, told)?.figure())).collect()
}

struct Drawing<'r> {
    place: usize,
    told: &'r ListedOverTimeRow,
    pool: &'r PoolRow,
    /// Name of the file.
    file: String,
    series: Vec<Series<'r>>,
}

impl<'r> Drawing<'r> {
    fn new(report: &'r Report, place: usize, told: &'r ListedOverTimeRow) -> Option<Self> {
        let pool = report.pools.get(told.pool)?;
        let file = shown(base_name(&report.side_inputs.get(told.source)?.path));
        let base = format!("/listings_over_time/{place}");
        let mut series: Vec<Series<'r>> = Vec::new();
        for (number, (holder, fill)) in told.holders.iter().zip(FILLS).enumerate() {
            let (name, detail) = holder_name(report, holder)?;
            let pointer = format!("{base}/holders/{number}/ports");
            let (values, fine) = (holder.ports.as_slice(), holder.ports.as_slice());
            series.push(Series { short: name.clone(), name, detail, fill, values, fine, pointer });
        }
        for (name, fill, values, field) in
            [("others", "others", &told.others, "others"), ("TIME_WAIT", "wait", &told.time_wait, "time_wait")]
        {
            if values.iter().any(|ports| *ports > 0) {
                let (name, short, detail) = (name.to_owned(), name.to_owned(), String::new());
                series.push(Series {
                    name,
                    short,
                    detail,
                    fill,
                    values,
                    fine: values,
                    pointer: format!("{base}/{field}"),
                });
            }
        }
        Some(Self { place, told, pool, file, series })
    }

    fn figure(&self) -> Figure {
        let PoolRow { start, count, .. } = *self.pool;
        let title = format!(
            "{}: ports in use at each listing of {}, of {} ({start}–{})",
            self.pool.name(),
            self.file,
            counted(count.into(), "port"),
            self.pool.end()
        );
        Figure {
            id: format!("listed-{}", self.place),
            note:
                "What was in use is known at the moments of the listings alone, which the marks below the picture show."
                    .to_owned(),
            pictures: SIZES.iter().filter_map(|size| self.picture(*size)).collect(),
            table: self.table(&title),
            title,
        }
    }

    fn axis(&self, left: f64, width: f64) -> Option<TimeAxis> {
        TimeAxis::of_listings(self.told.first_second_of_day, self.told.seconds.last().copied()?, left, width)
    }

    fn picture(&self, size: Size) -> Option<Picture> {
        let top = 2.0 * size.line + 8.0;
        let bottom = top + size.plot;
        // Behind the last listing nothing is known: it gets a column of its own.
        let last = size.inner() / (self.told.seconds.len() + 1) as f64;
        let axis = self.axis(size.left, size.inner() - last)?;
        let mut stairs = axis.stairs_at(&self.told.seconds);
        if let Some(end) = stairs.edges.last_mut() {
            *end += last;
        }
        let stack = Stack { count: self.pool.count, set_aside: 0, series: &self.series };
        let numbers = stack.axis(top, bottom);
        let mut canvas = Canvas::new(size);
        let title = format!("{}: ports in use, as listed", self.pool.name());
        canvas.labels.push(Label::new(0.0, size.line, "start", "title", title));
        axis.draw(&mut canvas, (top, bottom));
        numbers.draw(&mut canvas, Some(self.pool.count.into()));
        stack.areas(&mut canvas, &stairs, &numbers);
        stack.size_line(&mut canvas, &numbers);
        let mark = |step: usize| format!("M{} {}v6", At(stairs.x(step)), At(bottom));
        let path = (0..self.told.seconds.len()).map(mark).collect();
        canvas.shapes.push(Shape::Line { path, class: "moment" });
        Some(canvas.finish(bottom, self.description(), None::<Plot>))
    }

    fn description(&self) -> String {
        let last = |series: &Series<'_>| {
            format!("{} {}", series.name, grouped(series.values.last().copied().unwrap_or(0).into()))
        };
        let parts: Vec<String> = self.series.iter().map(last).collect();
        format!(
            "In the last listing, of {}: {}. The table of values says the same for each listing.",
            counted(self.pool.count.into(), "port"),
            if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
        )
    }

    /// The values of each listing.
    fn table(&self, title: &str) -> Table {
        let base = format!("/listings_over_time/{}", self.place);
        let mut columns = vec![Column::text("Listing at"), Column::number("After", "s")];
        for series in &self.series {
            let detail = if series.detail.is_empty() { String::new() } else { format!(" ({})", series.detail) };
            columns.push(Column::number(format!("{}{detail}", series.name), "ports"));
        }
        let axis = self.axis(0.0, 1.0);
        let row = |(number, seconds): (usize, &u64)| {
            let clock = axis.map(|axis| axis.clock_after(*seconds)).unwrap_or_default();
            let mut cells = vec![Cell::text(clock), Cell::number(*seconds).at(format!("{base}/seconds/{number}"))];
            for series in &self.series {
                let cell = Cell::optional(series.values.get(number).copied());
                cells.push(cell.at(format!("{}/{number}", series.pointer)));
            }
            Row { pointer: number.to_string(), cells }
        };
        Table {
            id: format!("values-listed-{}", self.place),
            caption: title.to_owned(),
            columns,
            rows: self.told.seconds.iter().enumerate().map(row).collect(),
            left_out: None,
        }
        .share_pointers()
    }
}
