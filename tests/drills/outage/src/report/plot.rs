//! A curve for the guarded clients and one for the naive ones, over the same time.

use std::fmt::Write;

use super::chart::{LEFT, Scale};
use crate::{
    arrivals::BUCKET,
    client::{Client, Mode},
    run::Run,
    script::millis,
};

/// How many buckets make one point of the load: enough that a steady load is a steady line.
const GRAIN: usize = 2;

/// Where a plot is and what it says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plot {
    /// What its curves are.
    pub(super) title: &'static str,
    /// Its upper edge.
    pub(super) top: f64,
    /// From its upper edge to its zero line.
    pub(super) height: f64,
}

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    /// Requests in each second.
    Load,
    /// Requests open at once.
    Open,
}

/// Values over time, each for `step` milliseconds.
struct Curve {
    values: Vec<f64>,
    step: f64,
}

impl Curve {
    fn of(run: &Run, mode: Mode, quantity: Quantity) -> Self {
        let bucket = millis(BUCKET);
        let last = crate::arrivals::bucket(run.script.total());
        match quantity {
            Quantity::Load => {
                let mut counts = run.by_bucket(mode, |seen| &seen.requests);
                counts.resize(last, 0);
                let step = bucket * f64::from(u8::try_from(GRAIN).unwrap_or(1));
                let rate = |counts: &[u32]| f64::from(counts.iter().sum::<u32>()) * 1000.0 / step;
                Self { values: counts.chunks(GRAIN).map(rate).collect(), step }
            }
            Quantity::Open => {
                let mut counts = run.by_bucket(mode, |seen| &seen.open);
                counts.resize(last, 0);
                Self { values: counts.into_iter().map(f64::from).collect(), step: bucket }
            }
        }
    }

    /// Each value with the time at which it begins.
    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.values.iter().scan(0.0, |at, value| {
            let start = *at;
            *at += self.step;
            Some((start, *value))
        })
    }

    fn peak(&self) -> (f64, f64) {
        self.points().max_by(|one, other| one.1.total_cmp(&other.1)).unwrap_or_default()
    }

    fn at(&self, time: f64) -> f64 {
        self.points().take_while(|(start, _)| *start <= time).last().map_or(0.0, |(_, value)| value)
    }
}

/// Draws a plot.
pub(super) fn draw(out: &mut String, run: &Run, plot: Plot, quantity: Quantity, scale: Scale) {
    let guarded = Curve::of(run, Mode::Guarded, quantity);
    let naive = Curve::of(run, Mode::Naive, quantity);
    let step = grid_step(naive.peak().1.max(guarded.peak().1));
    let most = (naive.peak().1.max(guarded.peak().1) / step).ceil().max(1.0) * step;
    let y = |value: f64| plot.top + plot.height * (1.0 - value / most);
    let end = scale.x(millis(run.script.total()));
    // Writing to a string does not fail, here and below.
    let _ =
        writeln!(out, r#"<text class="title" x="{LEFT}" y="{:.1}">{}</text>"#, plot.top - 14.0, plot.title);
    let mut value = 0.0;
    while value <= most {
        let _ = writeln!(
            out,
            r#"<path class="grid" d="M{LEFT} {0:.1}H{end:.1}"/><text class="tick" x="{1:.1}" y="{2:.1}" text-anchor="end">{value}</text>"#,
            y(value),
            LEFT - 8.0,
            y(value) + 4.0,
        );
        value += step;
    }
    area(out, "naive", &naive, &y, scale);
    area(out, "guarded", &guarded, &y, scale);
    if quantity == Quantity::Load {
        offered(out, run, &y, end);
    }
    labels(out, run, (&guarded, &naive), &y, scale);
    hover(out, (&guarded, &naive), plot, quantity, scale);
}

/// A distance of grid lines that gives two to five of them.
fn grid_step(most: f64) -> f64 {
    let mut step = 10.0;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
        if most / step <= 5.0 {
            break;
        }
        step *= factor;
    }
    step
}

fn area(out: &mut String, class: &str, curve: &Curve, y: &impl Fn(f64) -> f64, scale: Scale) {
    let mut line = String::new();
    for (start, value) in curve.points() {
        let step = if line.is_empty() { 'M' } else { 'L' };
        let _ =
            write!(line, "{step}{:.1} {:.1}H{:.1}", scale.x(start), y(value), scale.x(start + curve.step));
    }
    let last = scale.x(f64::INFINITY);
    let _ = writeln!(
        out,
        r#"<path class="{class} area" d="{line}V{0:.1}H{LEFT}Z"/><path class="{class} line" d="{line}"/><path class="axis" d="M{LEFT} {0:.1}H{last:.1}"/>"#,
        y(0.0)
    );
}

/// The calls that the clients of one mode begin, whatever becomes of them.
fn offered(out: &mut String, run: &Run, y: &impl Fn(f64) -> f64, end: f64) {
    let clients = u32::try_from(Client::of(Mode::Guarded).count()).unwrap_or(0);
    let calls = run.rate * clients;
    let at = y(f64::from(calls));
    let _ = writeln!(
        out,
        r#"<path class="offered" d="M{LEFT} {at:.1}H{end:.1}"/><text class="note" x="{:.1}" y="{:.1}">{calls} calls per second are made on either side</text>"#,
        LEFT + 6.0,
        at - 7.0,
    );
}

/// The names, at the naive peak and where the guarded curve is low.
fn labels(
    out: &mut String,
    run: &Run,
    (guarded, naive): (&Curve, &Curve),
    y: &impl Fn(f64) -> f64,
    scale: Scale,
) {
    let (at, most) = naive.peak();
    let _ = writeln!(
        out,
        r#"<text class="name naive-name" x="{:.1}" y="{:.1}">naive, up to {most:.0}</text>"#,
        scale.x(at + naive.step) + 6.0,
        y(most) + 12.0,
    );
    // The last phase of the outage: there every breaker has been open for a while.
    if let Some(phase) = run.script.phases().iter().rfind(|phase| phase.outage) {
        let middle = f64::midpoint(millis(phase.start), millis(phase.end));
        let _ = writeln!(
            out,
            r#"<text class="name guarded-name" x="{:.1}" y="{:.1}" text-anchor="middle">guarded</text>"#,
            scale.x(middle),
            y(guarded.at(middle)) - 9.0,
        );
    }
}

/// An unseen column at each point that tells its values.
fn hover(out: &mut String, (guarded, naive): (&Curve, &Curve), plot: Plot, quantity: Quantity, scale: Scale) {
    let unit = if quantity == Quantity::Load { "requests per second" } else { "requests waiting" };
    for ((at, guarded), (_, naive)) in guarded.points().zip(naive.points()) {
        let _ = writeln!(
            out,
            r#"<rect class="hover" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}"><title>{:.1} s: {guarded:.0} guarded, {naive:.0} naive {unit}</title></rect>"#,
            scale.x(at),
            plot.top,
            scale.x(at + if quantity == Quantity::Load { 200.0 } else { 100.0 }) - scale.x(at),
            plot.height,
            at / 1000.0,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_are_round_and_few() {
        let steps = [9.0, 51.0, 120.0, 355.0, 1900.0].map(|most| grid_step(most).to_string());
        assert_eq!(steps, ["10", "20", "50", "100", "500"]);
    }

    #[test]
    fn a_curve_knows_its_peak() {
        let curve = Curve { values: vec![1.0, 5.0, 2.0], step: 100.0 };
        assert_eq!(curve.peak(), (100.0, 5.0));
        assert!((curve.at(250.0) - 2.0).abs() < 1e-9);
    }
}
