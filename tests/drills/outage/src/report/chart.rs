//! The timeline: phases above, the state of each breaker below them, then what the upstream bore.

use std::fmt::Write;

use super::plot::{self, Plot};
use crate::{
    client::{Client, Language, Mode},
    line::{Probe, State},
    record::Stretch,
    run::Run,
    script::{Phase, millis},
    table::duration,
};

/// The width of the drawing; its unit is a pixel at full size.
pub(super) const WIDTH: f64 = 1100.0;
/// Where time begins and ends.
pub(super) const LEFT: f64 = 84.0;
const RIGHT: f64 = 1088.0;

const PHASES_TOP: f64 = 26.0;
const LANES_TOP: f64 = 84.0;
const LANE: f64 = 56.0;
const BAND: f64 = 28.0;
const PLOTS_TOP: f64 = LANES_TOP + 3.0 * LANE + 40.0;
const LOAD: f64 = 210.0;
const OPEN: f64 = 120.0;
const BETWEEN: f64 = 56.0;
const BOTTOM: f64 = PLOTS_TOP + LOAD + BETWEEN + OPEN;

/// Time to place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    total: f64,
}

impl Scale {
    /// The place of a time in milliseconds.
    pub(super) fn x(self, at: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * (at / self.total).clamp(0.0, 1.0)
    }
}

/// The whole drawing.
pub(super) fn svg(run: &Run) -> String {
    let scale = Scale { total: millis(run.script.total()) };
    let height = BOTTOM + 40.0;
    let mut out = String::new();
    // Writing to a string does not fail, here and below.
    let _ = write!(
        out,
        r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="chart-title chart-about">
<title id="chart-title">Timeline of the outage</title>
<desc id="chart-about">The phases of the upstream, the state of the circuit breaker in each language, and the upstream's load from guarded and from naive clients.</desc>
<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-ground" width="6" height="6"/><rect class="hatch-line" width="2" height="6"/></pattern></defs>
"#
    );
    outage(&mut out, run, scale);
    for phase in run.script.phases() {
        phase_head(&mut out, phase, scale);
    }
    for (place, language) in (0_u8..).zip(Language::ALL) {
        lane(&mut out, run, language, LANES_TOP + LANE * f64::from(place), scale);
    }
    let load = Plot { title: "requests per second that reach the upstream", top: PLOTS_TOP, height: LOAD };
    plot::draw(&mut out, run, load, plot::Quantity::Load, scale);
    let top = PLOTS_TOP + LOAD + BETWEEN;
    let open = Plot { title: "requests waiting at the upstream at the same time", top, height: OPEN };
    plot::draw(&mut out, run, open, plot::Quantity::Open, scale);
    axis(&mut out, run, scale);
    out.push_str("</svg>\n");
    out
}

/// The ground of the outage, behind everything.
fn outage(out: &mut String, run: &Run, scale: Scale) {
    let (start, end) =
        (scale.x(millis(run.script.outage_start())), scale.x(millis(run.script.recovery_start())));
    let _ = writeln!(
        out,
        r#"<rect class="outage" x="{start:.1}" y="0" width="{:.1}" height="{BOTTOM:.1}"/>
<text class="outage-name" x="{:.1}" y="17" text-anchor="middle">the outage</text>
<path class="outage-rule" d="M{start:.1} 12H{:.1}M{:.1} 12H{end:.1}"/>"#,
        end - start,
        f64::midpoint(start, end),
        f64::midpoint(start, end) - 42.0,
        f64::midpoint(start, end) + 42.0,
    );
}

fn phase_head(out: &mut String, phase: &Phase, scale: Scale) {
    let (start, end) = (scale.x(millis(phase.start)), scale.x(millis(phase.end)));
    let middle = f64::midpoint(start, end);
    let _ = writeln!(
        out,
        r#"<path class="phase-edge" d="M{start:.1} {PHASES_TOP}V{BOTTOM}"/>
<text class="phase" x="{middle:.1}" y="{:.1}" text-anchor="middle">{}</text>
<text class="about" x="{middle:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
        PHASES_TOP + 18.0,
        phase.name,
        PHASES_TOP + 35.0,
        phase.about,
    );
}

/// The states and probes of one language.
fn lane(out: &mut String, run: &Run, language: Language, top: f64, scale: Scale) {
    let record = run.record(Client { language, mode: Mode::Guarded });
    let _ = writeln!(
        out,
        r#"<text class="lane" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
        LEFT - 12.0,
        top + BAND / 2.0 + 5.0,
        language.title(),
    );
    for stretch in record.stretches(millis(run.script.total())) {
        band(out, stretch, top, scale);
    }
    for probe in &record.probes {
        mark(out, probe, run.limits.slow_call, top + BAND + 11.0, scale);
    }
}

fn band(out: &mut String, stretch: Stretch, top: f64, scale: Scale) {
    let (class, name, room) = match stretch.state {
        State::Closed => ("closed", "closed", 44.0),
        State::Open => ("open", "open", 36.0),
        State::HalfOpen => ("half-open", "half-open", 62.0),
    };
    let (start, end) = (scale.x(stretch.start), scale.x(stretch.end));
    let width = end - start;
    let _ = write!(
        out,
        r#"<g class="{class}"><rect x="{start:.1}" y="{top:.1}" width="{:.1}" height="{BAND}"><title>{name} for {}, from {:.2} s to {:.2} s</title></rect>"#,
        width.max(1.5),
        duration(stretch.end - stretch.start),
        stretch.start / 1000.0,
        stretch.end / 1000.0,
    );
    if width >= room {
        let _ = write!(
            out,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{name}</text>"#,
            f64::midpoint(start, end),
            top + BAND / 2.0 + 4.5,
        );
    }
    out.push_str("</g>\n");
}

/// A probe: a filled circle for a good answer, a cross for a failure, both where it began.
fn mark(out: &mut String, probe: &Probe, slow_call: f64, y: f64, scale: Scale) {
    let x = scale.x(probe.start);
    let took = probe.end - probe.start;
    let (shape, verdict) = match (probe.ok, took < slow_call) {
        (true, true) => (format!(r#"<circle class="mark" cx="{x:.1}" cy="{y:.1}" r="4"/>"#), "answered"),
        (true, false) => (cross(x, y), "answered too late"),
        (false, _) => (cross(x, y), "failed"),
    };
    let _ = writeln!(
        out,
        r"<g>{shape}<title>probe at {:.2} s: {verdict} after {}</title></g>",
        probe.start / 1000.0,
        duration(took)
    );
}

fn cross(x: f64, y: f64) -> String {
    format!(r#"<path class="mark" d="M{:.1} {:.1}l7 7m0 -7l-7 7"/>"#, x - 3.5, y - 3.5)
}

/// The times at which the phases change.
fn axis(out: &mut String, run: &Run, scale: Scale) {
    let ends = run.script.phases().iter().map(|phase| phase.end);
    for at in [std::time::Duration::ZERO].into_iter().chain(ends) {
        let _ = writeln!(
            out,
            r#"<text class="tick" x="{:.1}" y="{:.1}" text-anchor="middle">{} s</text>"#,
            scale.x(millis(at)),
            BOTTOM + 20.0,
            at.as_secs_f64(),
        );
    }
}
