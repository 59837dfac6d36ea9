//! Values over time, as lines or as areas that lie on each other.

use std::fmt::Write;

use super::{LEFT, RIGHT, Scale};

/// Where a plot is and what it says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plot {
    /// What its values are, with their unit.
    pub(super) title: &'static str,
    /// The metric that they come from.
    pub(super) metric: &'static str,
    /// Its upper edge.
    pub(super) top: f64,
    /// From its upper edge to its zero line.
    pub(super) height: f64,
}

/// The values of one line or area.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'h> {
    /// Its class in the style sheet.
    pub(super) class: &'static str,
    /// Its name in the key.
    pub(super) name: &'static str,
    /// A value for each step.
    pub(super) values: &'h [Option<f64>],
}

/// Above a plot at this height: what it is, and where that comes from.
pub(super) fn head(out: &mut String, title: &str, metric: &str, top: f64) {
    // Writing to a string does not fail, here and below.
    let _ = writeln!(
        out,
        r#"<text class="title" x="{LEFT}" y="{:.1}">{title} <tspan class="metric" dx="8">{metric}</tspan></text>"#,
        top - 13.0
    );
}

/// Above a plot at this height, at its right: what is drawn how.
pub(super) fn key(out: &mut String, top: f64, entries: &[(&str, &str)]) {
    let mut x = RIGHT;
    for (class, name) in entries.iter().rev() {
        // So wide is a letter at most, on average over a word.
        x -= 8.2 * f64::from(u8::try_from(name.len()).unwrap_or(u8::MAX));
        let _ = writeln!(
            out,
            r#"<rect class="{class}" x="{:.1}" y="{:.1}" width="14" height="12"/><text class="key" x="{x:.1}" y="{:.1}">{name}</text>"#,
            x - 20.0,
            top - 24.0,
            top - 13.5,
        );
        x -= 34.0;
    }
}

impl Plot {
    /// Areas on each other, the first one below.
    pub(super) fn stacked(self, out: &mut String, rows: &[Row<'_>], step: f64, scale: Scale) {
        let steps = rows.iter().map(|row| row.values.len()).max().unwrap_or(0);
        let mut below = vec![0.0; steps];
        let mut areas = Vec::new();
        for row in rows {
            let values = row.values.iter().map(|value| value.unwrap_or(0.0));
            let above: Vec<f64> = below.iter().zip(values).map(|(below, value)| below + value).collect();
            areas.push((row, std::mem::replace(&mut below, above.clone()), above));
        }
        let axis = Axis::up_to(below.iter().copied().fold(0.0, f64::max));
        self.frame(out, axis, rows);
        for (row, below, above) in areas {
            let there = above.iter().copied().enumerate();
            let back = below.iter().copied().enumerate().rev();
            let points = there.chain(back).map(|(nth, value)| self.point(nth, value, step, axis, scale));
            let points: Vec<_> = points.collect();
            let _ = writeln!(out, r#"<polygon class="{}" points="{}"/>"#, row.class, points.join(" "));
        }
    }

    /// A line for each row, broken where there is no value.
    pub(super) fn lines(self, out: &mut String, rows: &[Row<'_>], step: f64, scale: Scale) {
        let most = rows.iter().flat_map(|row| row.values.iter().flatten()).copied().fold(0.0, f64::max);
        let axis = Axis::up_to(most);
        self.frame(out, axis, rows);
        for row in rows {
            let numbered: Vec<_> = row.values.iter().enumerate().collect();
            for part in numbered.chunk_by(|(_, one), (_, next)| one.is_some() == next.is_some()) {
                let values = part.iter().filter_map(|(nth, value)| Some((*nth, (**value)?)));
                let points: Vec<_> =
                    values.map(|(nth, value)| self.point(nth, value, step, axis, scale)).collect();
                if !points.is_empty() {
                    let _ = writeln!(
                        out,
                        r#"<polyline class="{} line" points="{}"/>"#,
                        row.class,
                        points.join(" ")
                    );
                }
            }
        }
    }

    fn point(self, nth: usize, value: f64, step: f64, axis: Axis, scale: Scale) -> String {
        let at = f64::from(u32::try_from(nth).unwrap_or(u32::MAX)) * step;
        format!("{:.1},{:.1}", scale.x(at), self.y(value, axis))
    }

    fn y(self, value: f64, axis: Axis) -> f64 {
        self.top + self.height * (1.0 - value / axis.most)
    }

    /// Everything but the values.
    fn frame(self, out: &mut String, axis: Axis, rows: &[Row<'_>]) {
        head(out, self.title, self.metric, self.top);
        let entries: Vec<_> = rows.iter().map(|row| (row.class, row.name)).collect();
        key(out, self.top, &entries);
        for line in 0..=axis.lines {
            let value = axis.step * f64::from(line);
            let y = self.y(value, axis);
            let _ = writeln!(
                out,
                r#"<path class="grid" d="M{LEFT} {y:.1}H{RIGHT}"/><text class="tick" x="{:.1}" y="{:.1}" text-anchor="end">{value}</text>"#,
                LEFT - 8.0,
                y + 4.0,
            );
        }
    }
}

/// The lines of a grid: round numbers, and few.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Axis {
    step: f64,
    lines: u8,
    most: f64,
}

impl Axis {
    fn up_to(most: f64) -> Self {
        let steps = (0..9).flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power)));
        let step = steps.into_iter().find(|step| most / step <= 4.0).unwrap_or(1e9);
        let lines = (1..=4).find(|lines| step * f64::from(*lines) >= most).unwrap_or(4);
        Self { step, lines, most: step * f64::from(lines) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_are_round_and_few() {
        let lines = |most| {
            let Axis { step, lines, .. } = Axis::up_to(most);
            (step.to_string(), lines)
        };
        assert_eq!(lines(0.0), ("1".to_owned(), 1));
        assert_eq!(lines(3.2), ("1".to_owned(), 4));
        assert_eq!(lines(41.0), ("20".to_owned(), 3));
        assert_eq!(lines(123.0), ("50".to_owned(), 3));
    }

    #[test]
    fn a_line_has_gaps_and_areas_add_up() {
        let plot = Plot { title: "t", metric: "m", top: 0.0, height: 100.0 };
        let scale = Scale { total: 3.0 };
        let (one, two) = ([Some(1.0), None, Some(2.0), Some(2.0)], [Some(1.0); 4]);
        let rows = [("a", &one), ("b", &two)].map(|(class, values)| Row { class, name: class, values });
        let mut drawn = String::new();
        plot.lines(&mut drawn, &rows, 1.0, scale);
        assert_eq!(drawn.matches("<polyline class=\"a line\"").count(), 2);
        let mut drawn = String::new();
        plot.stacked(&mut drawn, &rows, 1.0, scale);
        let top = drawn.lines().find(|line| line.contains("class=\"b\" points")).expect("an area");
        assert!(top.contains("points=\"84.0,33.3 381.3,66.7 678.7,0.0 976.0,0.0 976.0,33.3 "), "{top}");
    }
}
