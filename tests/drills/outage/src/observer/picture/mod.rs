//! The picture for the docs: the outage as Prometheus saw it.
//!
//! INVARIANT: the same history gives the same bytes. It stands on a ground of its own and follows the reader's choice of
//! light or dark, so it is legible on any page.

mod plot;

use std::fmt::Write;

use super::history::{History, Stage};
use crate::{client::Language, line::State};
use plot::{Plot, Row, key};

const STYLE: &str = include_str!("style.css");

const WIDTH: f64 = 1000.0;
/// Where time begins and ends.
const LEFT: f64 = 84.0;
const RIGHT: f64 = 976.0;

const STAGES_TOP: f64 = 76.0;
const STATES_TOP: f64 = 158.0;
const LANE: f64 = 30.0;
const BAND: f64 = 22.0;
const CALLS: Plot = Plot {
    title: "calls per second, all three",
    metric: "overcurrent_calls_total",
    top: STATES_TOP + 3.0 * LANE + 44.0,
    height: 150.0,
};
const REJECTIONS: Plot = Plot {
    title: "rejections per second",
    metric: "overcurrent_rejections_total",
    top: CALLS.top + CALLS.height + 56.0,
    height: 90.0,
};
const RETRIES: Plot = Plot {
    title: "retries per second",
    metric: "overcurrent_retries_total",
    top: REJECTIONS.top + REJECTIONS.height + 56.0,
    height: 90.0,
};
const BOTTOM: f64 = RETRIES.top + RETRIES.height;
const HEIGHT: f64 = BOTTOM + 44.0;

/// How the calls end, from below; others are drawn only if there are any.
const OUTCOMES: [&str; 6] = ["success", "failure", "timeout", "rejected", "ignored", "cancelled"];

/// Time to place.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// In seconds.
    total: f64,
}

impl Scale {
    fn x(self, at: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * (at / self.total).clamp(0.0, 1.0)
    }
}

/// The whole picture, as SVG.
pub fn svg(history: &History) -> String {
    let scale = Scale { total: history.stages.last().map_or(1.0, |stage| stage.end) };
    let mut out = String::new();
    // Writing to a string does not fail, here and below.
    let _ = write!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-labelledby="title about">
<title id="title">An outage, as Prometheus saw it</title>
<desc id="about">The state of the circuit breaker in Rust, Python and Node while their upstream is slow, refuses, hangs and resets connections; calls by outcome, rejections and retries.</desc>
<style>
{STYLE}</style>
<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-ground" width="6" height="6"/><rect class="hatch-line" width="2" height="6"/></pattern></defs>
<rect class="ground" x="0.5" y="0.5" width="{:.1}" height="{:.1}" rx="8"/>
<text class="heading" x="24" y="36">An outage, as Prometheus saw it</text>
<text class="soft" x="24" y="57">Three processes call one upstream by the same policy. Scraped every 250 ms, so a shorter state goes unseen; rates are those of the last second.</text>
"#,
        WIDTH - 1.0,
        HEIGHT - 1.0,
    );
    stages(&mut out, &history.stages, scale);
    states(&mut out, history, scale);
    let rows: Vec<_> = OUTCOMES
        .iter()
        .filter_map(|outcome| Some((*outcome, history.calls.get(*outcome)?)))
        .filter(|(_, values)| values.iter().flatten().any(|value| *value > 0.0))
        .map(|(outcome, values)| Row { class: outcome, name: outcome, values })
        .collect();
    CALLS.stacked(&mut out, &rows, history.step, scale);
    for (plot, values) in [(REJECTIONS, &history.rejections), (RETRIES, &history.retries)] {
        let rows: Vec<_> = Language::ALL
            .into_iter()
            .filter_map(|language| {
                let values = values.get(language.word())?;
                Some(Row { class: language.word(), name: language.title(), values })
            })
            .collect();
        plot.lines(&mut out, &rows, history.step, scale);
    }
    for at in [0.0].into_iter().chain(history.stages.iter().map(|stage| stage.end)) {
        let x = scale.x(at);
        let _ = writeln!(
            out,
            r#"<text class="tick" x="{x:.1}" y="{:.1}" text-anchor="middle">{at} s</text>"#,
            BOTTOM + 21.0
        );
    }
    out.push_str("</svg>\n");
    out
}

/// The ground of the outage, and the name of each of its stages.
fn stages(out: &mut String, stages: &[Stage], scale: Scale) {
    for stage in stages {
        let (start, end) = (scale.x(stage.start), scale.x(stage.end));
        let middle = f64::midpoint(start, end);
        if stage.outage {
            let _ = writeln!(
                out,
                r#"<rect class="outage" x="{start:.1}" y="{STAGES_TOP}" width="{:.1}" height="{:.1}"/>"#,
                end - start,
                BOTTOM - STAGES_TOP
            );
        }
        let _ = writeln!(
            out,
            r#"<path class="edge" d="M{start:.1} {STAGES_TOP}V{BOTTOM:.1}"/>
<text class="stage" x="{middle:.1}" y="{:.1}" text-anchor="middle">{}</text>
<text class="about" x="{middle:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
            STAGES_TOP + 19.0,
            stage.name,
            STAGES_TOP + 36.0,
            stage.about,
        );
    }
}

/// A lane for each language, with the state of its breaker.
fn states(out: &mut String, history: &History, scale: Scale) {
    plot::head(out, "state of each breaker", "overcurrent_breaker_state", STATES_TOP);
    key(out, STATES_TOP, &[("closed", "closed"), ("open", "open"), ("half-open", "half-open")]);
    for (place, language) in (0_u8..).zip(Language::ALL) {
        let top = STATES_TOP + LANE * f64::from(place);
        let _ = writeln!(
            out,
            r#"<text class="lane" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            LEFT - 12.0,
            top + BAND / 2.0 + 5.0,
            language.title(),
        );
        let Some(values) = history.states.get(language.word()) else { continue };
        let mut start = 0.0;
        for stretch in values.chunk_by(|one, next| one == next) {
            let end = start + history.step * f64::from(u32::try_from(stretch.len()).unwrap_or(u32::MAX));
            if let Some(state) = stretch[0] {
                band(out, state, (start, end), top, scale);
            }
            start = end;
        }
    }
}

fn band(out: &mut String, state: State, (start, end): (f64, f64), top: f64, scale: Scale) {
    let name = match state {
        State::Closed => "closed",
        State::Open => "open",
        State::HalfOpen => "half-open",
    };
    let (from, to) = (scale.x(start), scale.x(end));
    if to > from {
        let _ = writeln!(
            out,
            r#"<rect class="{name}" x="{from:.1}" y="{top:.1}" width="{:.1}" height="{BAND}"><title>{name} from {start:.2} s to {end:.2} s</title></rect>"#,
            to - from,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was seen of a run on a real machine, and the picture of it that the docs show.
    const SEEN: &str = include_str!("../../../observed.json");
    const SHOWN: &str = include_str!("../../../../../../docs/outage.svg");

    #[test]
    fn the_docs_show_what_was_seen() {
        let history: History = serde_json::from_str(SEEN).expect("a history");
        assert!(svg(&history) == SHOWN, "docs/outage.svg is not drawn from observed.json: make outage-svg");
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        let picture = SHOWN.replace("http://www.w3.org/2000/svg", "");
        for reference in ["http:", "https:", "href", "@import"] {
            assert!(!picture.contains(reference), "{reference}");
        }
        assert_eq!(picture.matches("url(").count(), picture.matches("url(#").count());
    }

    #[test]
    fn all_three_are_shown_with_each_state() {
        for class in ["closed", "open", "half-open", "success", "rejected", "rust", "python", "node"] {
            assert!(SHOWN.contains(&format!("class=\"{class}")), "{class}");
        }
    }
}
