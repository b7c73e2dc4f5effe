//! Who has the ports of a pool, as areas on each other against its size.

use super::axis::NumberAxis;
use super::{At, Canvas, Label, Shape, Size, Stairs, spread};
use crate::words::{counted, grouped};

/// Fills of holders, largest first.
pub(super) const FILLS: [&str; 5] = ["s1", "s2", "s3", "s4", "s5"];

/// Ports of somebody or something over time.
pub(super) struct Series<'r> {
    pub(super) name: String,
    /// For narrow pictures.
    pub(super) short: String,
    pub(super) detail: String,
    pub(super) fill: &'static str,
    pub(super) values: &'r [u32],
    /// The same in fine steps.
    pub(super) fine: &'r [u32],
    /// Its list in the JSON report.
    pub(super) pointer: String,
}

impl<'r> Series<'r> {
    fn drawn(&self, size: Size) -> &'r [u32] {
        if size.is_fine { self.fine } else { self.values }
    }
}

/// The ports of a pool.
pub(super) struct Stack<'r> {
    /// How many it has.
    pub(super) count: u32,
    /// Of these, excluded or reserved ones that nobody holds.
    pub(super) set_aside: u32,
    /// Who has them, from the bottom up.
    pub(super) series: &'r [Series<'r>],
}

impl Stack<'_> {
    /// From 0 to a little over the size of the pool.
    pub(super) fn axis(&self, top: f64, bottom: f64) -> NumberAxis {
        NumberAxis::new(f64::from(self.count) * 1.07, top, bottom)
    }

    /// The areas, each on those before it, and their names at the right edge.
    pub(super) fn areas(&self, canvas: &mut Canvas, stairs: &Stairs, numbers: &NumberAxis) {
        let size = canvas.size;
        let mut base = vec![0.0; stairs.edges.len().saturating_sub(1)];
        // Name, height that is wanted, and where the area ends.
        let mut named: Vec<(&Series<'_>, f64, f64)> = Vec::new();
        for series in self.series {
            let above: Vec<f64> =
                base.iter().zip(series.drawn(size)).map(|(base, ports)| base + f64::from(*ports)).collect();
            let (lower, upper): (Vec<f64>, Vec<f64>) =
                (base.iter().map(|n| numbers.y(*n)).collect(), above.iter().map(|n| numbers.y(*n)).collect());
            canvas.shapes.push(Shape::Area {
                path: stairs.between(&upper, &lower),
                fill: series.fill,
                name: format!("{} {}", series.name, series.detail),
            });
            let last = series.drawn(size).iter().rposition(|ports| *ports > 0);
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
            canvas.shapes.push(Shape::Line {
                path: format!("M{} {}L{} {}H{}", At(x), At(y), At(edge + 6.0), At(height), At(edge + 10.0)),
                class: "leader",
            });
            let name = if size.name == "narrow" { &series.short } else { &series.name };
            let most = series.fine.iter().copied().max().unwrap_or(0);
            let detail = if series.detail.is_empty() || size.name == "narrow" {
                format!("{} at most", grouped(most.into()))
            } else {
                format!("{}, {} at most", series.detail, grouped(most.into()))
            };
            let label = Label::new(edge + 13.0, height - 1.0, "start", "name", name.as_str());
            canvas.labels.push(label.cut_to(size.columns));
            canvas.labels.push(
                Label::new(edge + 13.0, height + size.line - 2.0, "start", "tick", detail).cut_to(size.columns + 3),
            );
        }
    }

    /// The size of the pool, and below it what is given to nobody.
    pub(super) fn size_line(&self, canvas: &mut Canvas, numbers: &NumberAxis) {
        let size = canvas.size;
        let count = f64::from(self.count);
        let y = numbers.y(count);
        if self.set_aside > 0 {
            let lower = numbers.y(count - f64::from(self.set_aside));
            let name = format!("{} excluded or reserved", counted(self.set_aside.into(), "port"));
            canvas.shapes.push(Shape::Box {
                x: At(size.left),
                y: At(y),
                width: At(size.inner()),
                height: At((lower - y).max(1.5)),
                class: "aside",
                name: name.clone(),
            });
            let text = if size.name == "wide" { name } else { "excluded or reserved".to_owned() };
            canvas.labels.push(Label::new(size.left + 6.0, (y + lower) / 2.0 + 14.0, "start", "halo", text));
        }
        canvas.shapes.push(Shape::Line {
            path: format!("M{} {}H{}", At(size.left), At(y), At(size.width - size.right)),
            class: "pool",
        });
        canvas.labels.push(Label::new(size.left - 6.0, y + 4.0, "end", "tick strong", grouped(self.count.into())));
        canvas.labels.push(Label::new(size.left + 6.0, y - 7.0, "start", "halo strong", "size of the pool"));
    }
}
