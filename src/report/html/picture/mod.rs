//! Pictures as shapes of SVG: geometry alone, what they show is in the report.

mod axis;
mod listings;
mod pool;
mod stack;
mod strips;

use std::fmt;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

pub(super) use listings::listings;
pub(super) use pool::pools;
pub(super) use strips::{destinations, holders, victims};

use super::cell::{SPARK_HEIGHT, SPARK_WIDTH, Spark, Table};
use crate::report::{Report, TimelineStep};
use crate::time::FileTime;

/// A picture in both sizes, and the table of its values.
#[derive(Debug)]
pub(super) struct Figure {
    /// Its `id` in the page.
    pub(super) id: String,
    /// What it shows, in a line.
    pub(super) title: String,
    /// What is to be known to read it.
    pub(super) note: String,
    /// For wide and for narrow screens.
    pub(super) pictures: Vec<Picture>,
    /// Values.
    pub(super) table: Table,
}

/// A picture in one size.
#[derive(Debug)]
pub(super) struct Picture {
    /// `wide` or `narrow`.
    pub(super) size: &'static str,
    /// Width and height of its box.
    pub(super) width: u32,
    pub(super) height: u32,
    /// What it says, for those who cannot see it.
    pub(super) description: String,
    /// Where its steps lie: left, top, width and height of the plot, and their number; `None` without steps.
    pub(super) plot: Option<Plot>,
    /// Shapes, from back to front.
    pub(super) shapes: Vec<Shape>,
    /// Texts, above all shapes.
    pub(super) labels: Vec<Label>,
}

/// Where the steps of a picture lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plot {
    pub(super) left: At,
    pub(super) top: At,
    pub(super) width: At,
    pub(super) height: At,
    pub(super) steps: usize,
}

/// A shape.
#[derive(Debug)]
pub(super) enum Shape {
    /// An area with a fill of its own.
    Area { path: String, fill: &'static str, name: String },
    /// A line.
    Line { path: String, class: &'static str },
    /// A rectangle.
    Box { x: At, y: At, width: At, height: At, class: &'static str, name: String },
}

/// A text.
#[derive(Debug)]
pub(super) struct Label {
    pub(super) x: At,
    pub(super) y: At,
    pub(super) class: &'static str,
    /// `start`, `middle` or `end`.
    pub(super) anchor: &'static str,
    pub(super) text: String,
    /// The text in full, where it is cut.
    pub(super) full: Option<String>,
    /// Of a time: RFC 3339, and how it is shown (`clock`, `second` or `day`).
    pub(super) time: Option<(String, &'static str)>,
}

impl Label {
    fn new(x: f64, y: f64, anchor: &'static str, class: &'static str, text: impl Into<String>) -> Self {
        Self { x: At(x), y: At(y), class, anchor, text: text.into(), full: None, time: None }
    }

    /// Cut to so many columns, in the middle: the ending stays.
    fn cut_to(mut self, columns: usize) -> Self {
        let cut = cut_middle(&self.text, columns);
        if cut != self.text {
            self.full = Some(std::mem::replace(&mut self.text, cut));
        }
        self
    }
}

/// A coordinate, written with one decimal at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct At(pub(super) f64);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rounded())
    }
}

impl At {
    fn rounded(self) -> f64 {
        (self.0 * 10.0).round() / 10.0
    }
}

/// Fewer steps show no course.
const LEAST_STEPS: usize = 3;

/// Whether there are steps enough to see a course.
pub(super) fn is_long_enough(report: &Report) -> bool {
    report.timeline.len() >= LEAST_STEPS
}

/// Length of the steps of a report.
fn step_length_100ns(timeline: &[TimelineStep]) -> i64 {
    timeline.first().map_or(0, |step| step.seconds.saturating_mul(FileTime::SECOND))
}

/// How large a picture is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    name: &'static str,
    width: f64,
    /// Room for the names at the right edge, and columns that fit there.
    right: f64,
    columns: usize,
    /// Room for the axis at the left edge.
    left: f64,
    /// Height of the plot of a pool.
    plot: f64,
    /// Whether there is room for fine steps; else those of the report are drawn.
    is_fine: bool,
    /// Labels of the time axis at most.
    ticks: usize,
    /// Height of a line of text, and width of a column.
    line: f64,
    column: f64,
}

/// For screens of 640 pixels or more.
const WIDE: Size = Size {
    name: "wide",
    width: 960.0,
    right: 210.0,
    columns: 27,
    left: 62.0,
    plot: 300.0,
    is_fine: true,
    ticks: 8,
    line: 16.0,
    column: 7.7,
};

/// For telephones, and for two windows side by side.
const NARROW: Size = Size {
    name: "narrow",
    width: 360.0,
    right: 152.0,
    columns: 20,
    left: 50.0,
    plot: 300.0,
    is_fine: false,
    ticks: 3,
    line: 14.0,
    column: 7.0,
};

const SIZES: [Size; 2] = [WIDE, NARROW];

impl Size {
    fn inner(self) -> f64 {
        self.width - self.left - self.right
    }
}

/// Shortens a name to so many columns; what is in its middle goes.
fn cut_middle(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let half = columns.saturating_sub(1) / 2;
    let part = |characters: &mut dyn Iterator<Item = char>| {
        let mut left = half;
        let mut part = Vec::new();
        for character in characters {
            let width = character.width().unwrap_or(0);
            let Some(rest) = left.checked_sub(width) else { break };
            left = rest;
            part.push(character);
        }
        part
    };
    let begin: String = part(&mut text.chars()).into_iter().collect();
    let end: String = part(&mut text.chars().rev()).into_iter().rev().collect();
    format!("{begin}…{end}")
}

/// A picture that is being drawn: shapes from back to front, and texts.
struct Canvas {
    size: Size,
    shapes: Vec<Shape>,
    labels: Vec<Label>,
}

impl Canvas {
    fn new(size: Size) -> Self {
        Self { size, shapes: Vec::new(), labels: Vec::new() }
    }

    /// The picture, with room for a time axis below `bottom`.
    fn finish(self, bottom: f64, description: String, plot: Option<Plot>) -> Picture {
        let Self { size, shapes, labels } = self;
        Picture {
            size: size.name,
            width: size.width as u32,
            height: (bottom + 2.0 * size.line + 8.0) as u32,
            description,
            plot,
            shapes,
            labels,
        }
    }
}

/// The path of steps: the top of an area over steps of a plot.
struct Stairs {
    /// Where the steps begin, and where the last one ends.
    edges: Vec<f64>,
}

impl Stairs {
    /// Steps of one width.
    fn even(left: f64, step: f64, steps: usize) -> Self {
        Self { edges: (0..=steps).map(|number| left + step * number as f64).collect() }
    }

    /// Where a step begins.
    fn x(&self, step: usize) -> f64 {
        self.edges.get(step).or(self.edges.last()).copied().unwrap_or_default()
    }

    fn width(&self, step: usize) -> f64 {
        self.x(step + 1) - self.x(step)
    }

    /// The line along the heights, from left to right.
    fn along(&self, heights: &[f64]) -> String {
        let mut path = String::new();
        let mut step = 0;
        for level in heights.chunk_by(is_same) {
            let height = At(level.first().copied().unwrap_or_default());
            let start = if step == 0 { format!("M{} {height}", At(self.x(0))) } else { format!("V{height}") };
            step += level.len();
            path.push_str(&start);
            path.push_str(&format!("H{}", At(self.x(step))));
        }
        path
    }

    /// The area between two lines.
    fn between(&self, upper: &[f64], lower: &[f64]) -> String {
        let mut path = self.along(upper);
        let mut step = lower.len();
        for level in lower.chunk_by(is_same).rev() {
            step -= level.len();
            path.push_str(&format!("V{}H{}", At(level.first().copied().unwrap_or_default()), At(self.x(step))));
        }
        path.push('Z');
        path
    }
}

/// Whether two heights are drawn alike.
fn is_same(one: &f64, other: &f64) -> bool {
    At(*one).rounded() == At(*other).rounded()
}

/// A small drawing of levels: an area from 0 to their peak; `None` where all are 0.
pub(super) fn level_spark(values: &[u32]) -> Option<Spark> {
    if values.len() < LEAST_STEPS {
        return None;
    }
    let peak = values.iter().copied().max().filter(|peak| *peak > 0)?;
    let top = |value: &u32| 1.0 + (SPARK_HEIGHT - 1.0) * (1.0 - f64::from(*value) / f64::from(peak));
    let stairs = Stairs::even(0.0, SPARK_WIDTH / values.len() as f64, values.len());
    let upper: Vec<f64> = values.iter().map(top).collect();
    Some(Spark { path: stairs.between(&upper, &vec![SPARK_HEIGHT; values.len()]), class: "level" })
}

/// A small drawing of counts: a bar for each that is not 0; `None` where all are.
pub(super) fn count_spark(values: &[u64]) -> Option<Spark> {
    let stairs = Stairs::even(0.0, SPARK_WIDTH / values.len().max(1) as f64, values.len());
    let path = bars(values, &stairs, (1.0, SPARK_HEIGHT))?;
    Some(Spark { path, class: "failed" })
}

/// Bars for counts that are not 0, between `top` and `bottom`, the largest as high as there is room; `None` where all are 0.
fn bars(values: &[u64], stairs: &Stairs, (top, bottom): (f64, f64)) -> Option<String> {
    let peak = values.iter().copied().max().filter(|peak| *peak > 0)?;
    let mut path = String::new();
    for (step, count) in values.iter().enumerate().filter(|(_, count)| **count > 0) {
        // What is little is seen.
        let height = ((bottom - top) * (*count as f64 / peak as f64)).max(2.0);
        let (x, width) = (stairs.x(step), stairs.width(step).max(1.5));
        path.push_str(&format!("M{} {}h{}v{}h-{}z", At(x), At(bottom), At(width), At(-height), At(width)));
    }
    Some(path)
}

/// Heights for labels that are wanted at some, so that none covers another: in their order, `gap` apart, within bounds.
fn spread(wanted: &[f64], gap: f64, (top, bottom): (f64, f64)) -> Vec<f64> {
    let mut placed: Vec<f64> = Vec::with_capacity(wanted.len());
    for height in wanted {
        let after = placed.last().map_or(top, |last| last + gap);
        placed.push(height.max(after));
    }
    let mut limit = bottom;
    for height in placed.iter_mut().rev() {
        *height = height.min(limit);
        limit = *height - gap;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_stay_steps() {
        let stairs = Stairs::even(10.0, 10.0, 2);
        assert_eq!(stairs.along(&[5.0, 7.25]), "M10 5H20V7.3H30");
        assert_eq!(stairs.between(&[5.0, 7.0], &[9.0, 9.04]), "M10 5H20V7H30V9H10Z");
        assert_eq!(stairs.between(&[5.0, 5.0], &[9.0, 8.0]), "M10 5H30V8H20V9H10Z");
    }

    #[test]
    fn labels_do_not_cover_each_other() {
        assert_eq!(spread(&[10.0, 11.0, 90.0], 15.0, (0.0, 100.0)), [10.0, 25.0, 90.0]);
        assert_eq!(spread(&[99.0, 100.0], 15.0, (0.0, 100.0)), [85.0, 100.0]);
    }

    #[test]
    fn names_keep_their_ends() {
        assert_eq!(cut_middle("MeterSync.Agent.exe", 27), "MeterSync.Agent.exe");
        assert_eq!(cut_middle("MeterSync.Agent.exe", 15), "MeterSy…ent.exe");
        assert_eq!(cut_middle("日本日本日本", 7), "日…本");
    }

    #[test]
    fn nothing_has_no_drawing() {
        assert!(level_spark(&[0, 0, 0]).is_none() && level_spark(&[5]).is_none() && count_spark(&[]).is_none());
        assert_eq!(count_spark(&[0, 4]).unwrap().path, "M60 22h60v-21h-60z");
    }
}
