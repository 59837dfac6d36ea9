//! What Prometheus has seen from the start to the end, at steps of equal length: the data of the picture.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::{answer::Series, prometheus::Prometheus};
use crate::{
    line::State,
    script::{Script, millis},
};

/// From one value to the next.
const STEP: Duration = Duration::from_millis(250);

/// A stretch of the script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Its short name.
    pub name: String,
    /// What the upstream did, in a few words.
    pub about: String,
    /// When it began, in seconds since the start.
    pub start: f64,
    /// When it ended, in seconds since the start.
    pub end: f64,
    /// Whether it was part of the outage.
    pub outage: bool,
}

/// Values by whose they are, one for each step; `None` where Prometheus has none.
pub type Values<T> = BTreeMap<String, Vec<Option<T>>>;

/// What was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// From one value to the next, in seconds. The first one is that of the start.
    pub step: f64,
    /// What happened to the upstream.
    pub stages: Vec<Stage>,
    /// The state of each language's breaker.
    pub states: Values<State>,
    /// The calls of all languages that ended in each second, by how.
    pub calls: Values<f64>,
    /// The calls that each language's breaker rejected in each second.
    pub rejections: Values<f64>,
    /// The failed attempts that were tried again in each second, by language.
    pub retries: Values<f64>,
}

const STATES: &str = r#"overcurrent_breaker_state{breaker="upstream"} == 1"#;
const CALLS: &str = r#"sum by (outcome) (rate(overcurrent_calls_total{guard="upstream"}[1s]))"#;
const REJECTIONS: &str = r#"sum by (language) (rate(overcurrent_rejections_total{breaker="upstream"}[1s]))"#;
const RETRIES: &str = r#"sum by (language) (rate(overcurrent_retries_total{guard="upstream"}[1s]))"#;

impl History {
    /// Asks for a run that started then and followed this script.
    ///
    /// # Errors
    /// When Prometheus refuses a query, or knows a state that is none.
    pub async fn ask(prometheus: &Prometheus, start: SystemTime, script: &Script) -> Result<Self, String> {
        let ask = |query| prometheus.query_range(query, start, script.total(), STEP);
        let grid = Grid::of(start, script.total());
        let rounded = |_: &Series, value: f64| Ok(Some((value * 100.0).round() / 100.0));
        let seconds = |duration| millis(duration) / 1000.0;
        let stage = |phase: &crate::script::Phase| Stage {
            name: phase.name.to_owned(),
            about: phase.about.to_owned(),
            start: seconds(phase.start),
            end: seconds(phase.end),
            outage: phase.outage,
        };
        Ok(Self {
            step: seconds(STEP),
            stages: script.phases().iter().map(stage).collect(),
            states: grid.place(&ask(STATES).await?, "language", |series, _| state(series).map(Some))?,
            calls: grid.place(&ask(CALLS).await?, "outcome", rounded)?,
            rejections: grid.place(&ask(REJECTIONS).await?, "language", rounded)?,
            retries: grid.place(&ask(RETRIES).await?, "language", rounded)?,
        })
    }
}

fn state(series: &Series) -> Result<State, String> {
    match series.label("state") {
        "closed" => Ok(State::Closed),
        "open" => Ok(State::Open),
        "half_open" => Ok(State::HalfOpen),
        other => Err(format!("a breaker was in the state `{other}`")),
    }
}

/// The steps.
struct Grid {
    /// Seconds since the Unix epoch.
    start: f64,
    steps: usize,
}

impl Grid {
    fn of(start: SystemTime, lasts: Duration) -> Self {
        let start = start.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let steps = usize::try_from(lasts.as_millis() / STEP.as_millis()).unwrap_or(0) + 1;
        Self { start, steps }
    }

    /// Has each point at its step, under the value of a label of its series.
    fn place<T: Clone>(
        &self,
        answer: &[Series],
        label: &str,
        value: impl Fn(&Series, f64) -> Result<Option<T>, String>,
    ) -> Result<Values<T>, String> {
        let mut values: Values<T> = BTreeMap::new();
        for series in answer {
            let row = values.entry(series.label(label).to_owned()).or_insert_with(|| vec![None; self.steps]);
            for (at, number) in &series.points {
                if let Some(place) = self.step(*at).and_then(|step| row.get_mut(step)) {
                    *place = value(series, *number)?;
                }
            }
        }
        Ok(values)
    }

    fn step(&self, at: f64) -> Option<usize> {
        let steps = (at - self.start) / STEP.as_secs_f64();
        (0..self.steps).find(|step| (u32::try_from(*step).map_or(f64::NAN, f64::from) - steps).abs() < 0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(state: &str, points: &[(f64, f64)]) -> Series {
        let labels =
            [("language", "rust"), ("state", state)].map(|(name, value)| (name.into(), value.into()));
        Series { labels: labels.into(), points: points.to_vec() }
    }

    #[test]
    fn points_find_their_steps() {
        let grid = Grid { start: 1000.0, steps: 4 };
        let answer = [series("closed", &[(1000.0, 1.0), (1000.75, 1.0)]), series("open", &[(1000.251, 1.0)])];
        let states = grid.place(&answer, "language", |series, _| state(series).map(Some)).expect("states");
        let expected = [Some(State::Closed), Some(State::Open), None, Some(State::Closed)];
        assert_eq!(states.into_iter().collect::<Vec<_>>(), [("rust".to_owned(), expected.to_vec())]);
    }

    #[test]
    fn an_unknown_state_is_no_state() {
        let grid = Grid { start: 0.0, steps: 1 };
        let placed =
            grid.place(&[series("ajar", &[(0.0, 1.0)])], "language", |series, _| state(series).map(Some));
        assert!(placed.is_err_and(|why| why.contains("`ajar`")));
    }
}
