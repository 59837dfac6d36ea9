//! What guards, breakers and registries have counted, read at one moment.

use std::{collections::BTreeMap, fmt};

use super::{
    exposition::Format,
    family::{Family, NO_WORDS, Sample, SampleValue, WORDS},
    histogram::Histogram,
    table::Metric,
};
use crate::kernel::{
    edge::Edge,
    name::Name,
    outcome::{Ending, Origin, Position, RejectReason, StopReason},
    tally::{Listed, Tally},
};

/// What a guard has counted since it was made.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GuardMetrics {
    /// Its name.
    pub guard: Name,
    /// The calls that have ended.
    pub calls: Tally<Ending>,
    /// The attempts that have ended; none is rejected, as a rejection is no attempt.
    pub attempts: Tally<Ending>,
    /// The failed attempts that are tried again.
    pub retries: Tally<Origin>,
    /// The calls whose last failure was handed over.
    pub give_ups: Tally<StopReason>,
    /// The calls that have begun and not ended.
    pub in_flight: u64,
    /// The micro-tokens in its budget (a token is 1,000,000), if it has one.
    pub budget_tokens_micro: Option<u64>,
    /// How long its calls took, if it measures that; without those that the breaker rejected.
    pub durations: Option<Histogram>,
}

impl GuardMetrics {
    /// Those of a guard that has counted nothing.
    pub fn of(guard: Name) -> Self {
        Self {
            guard,
            calls: Tally::default(),
            attempts: Tally::default(),
            retries: Tally::default(),
            give_ups: Tally::default(),
            in_flight: 0,
            budget_tokens_micro: None,
            durations: None,
        }
    }
}

/// What a breaker has counted since it was made, and where it stands.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BreakerMetrics {
    /// Its name.
    pub breaker: Name,
    /// Where it stands. Open shows as open until a call makes it half-open.
    pub state: Position,
    /// The calls that it rejected.
    pub rejections: Tally<RejectReason>,
    /// Its changes of state.
    pub transitions: Tally<Edge>,
    /// The outcomes that came after their epoch was over.
    pub late_results: u64,
}

impl BreakerMetrics {
    /// Those of a breaker that stands there and has counted nothing.
    pub fn of(breaker: Name, state: Position) -> Self {
        Self { breaker, state, rejections: Tally::default(), transitions: Tally::default(), late_results: 0 }
    }
}

/// What a named registry has counted since it was made.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RegistryMetrics {
    /// Its name.
    pub registry: Name,
    /// The idle entries that it forgot to make room.
    pub evictions: u64,
}

impl RegistryMetrics {
    /// Those of a registry of this name.
    pub const fn new(registry: Name, evictions: u64) -> Self {
        Self { registry, evictions }
    }
}

/// What many have counted. It shows as Prometheus text.
///
/// ```
/// use overcurrent::{Guard, Metrics};
///
/// let guard = Guard::builder("payments").build()?;
/// let _ = guard.call(|_| Ok::<_, ()>("paid"));
///
/// let text = Metrics::of(&guard).prometheus();
/// assert!(text.contains(r#"overcurrent_calls_total{guard="payments",outcome="success"} 1"#));
/// assert!(text.contains(r#"overcurrent_breaker_state{breaker="payments",state="closed"} 1"#));
/// # Ok::<(), overcurrent::InvalidPolicy>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// That of guards.
    pub guards: Vec<GuardMetrics>,
    /// That of breakers.
    pub breakers: Vec<BreakerMetrics>,
    /// That of registries with a name.
    pub registries: Vec<RegistryMetrics>,
}

/// The words of the labels but the first, and the value.
type Line = ([&'static str; WORDS], SampleValue);

/// A metric, and its lines of an `S`: always the same ones in the same order, or none.
type Row<S> = (&'static Metric, fn(&S) -> Vec<Line>);

const OF_GUARDS: &[Row<GuardMetrics>] = &[
    (Metric::CALLS, |guard| counters(&guard.calls, |_| true)),
    (Metric::ATTEMPTS, |guard| counters(&guard.attempts, |ending| ending != Ending::Rejected)),
    (Metric::RETRIES, |guard| counters(&guard.retries, |_| true)),
    (Metric::GIVE_UPS, |guard| counters(&guard.give_ups, |_| true)),
    (Metric::IN_FLIGHT, |guard| vec![gauge(NO_WORDS, guard.in_flight, 1.0)]),
    (Metric::BUDGET_TOKENS, |guard| {
        guard.budget_tokens_micro.iter().map(|micro| gauge(NO_WORDS, *micro, 1e6)).collect()
    }),
    (Metric::CALL_DURATION, |guard| {
        let value = |histogram: &Histogram| SampleValue::Histogram(Box::new(*histogram));
        guard.durations.iter().map(|histogram| (NO_WORDS, value(histogram))).collect()
    }),
];

const OF_BREAKERS: &[Row<BreakerMetrics>] = &[
    (Metric::REJECTIONS, |breaker| counters(&breaker.rejections, |_| true)),
    (Metric::STATE, |breaker| {
        let line = |position: &Position| gauge(position.words(), (*position == breaker.state).into(), 1.0);
        Position::ALL.iter().map(line).collect()
    }),
    (Metric::TRANSITIONS, |breaker| counters(&breaker.transitions, |_| true)),
    (Metric::LATE_RESULTS, |breaker| vec![counter(NO_WORDS, breaker.late_results)]),
];

const OF_REGISTRIES: &[Row<RegistryMetrics>] =
    &[(Metric::EVICTIONS, |registry| vec![counter(NO_WORDS, registry.evictions)])];

fn counters<K: Listed>(tally: &Tally<K>, counted: fn(K) -> bool) -> Vec<Line> {
    let lines = tally.iter().filter(|(key, _)| counted(*key));
    lines.map(|(key, count)| counter(key.words(), count)).collect()
}

const fn counter(words: [&'static str; WORDS], count: u64) -> Line {
    (words, SampleValue::Counter(count))
}

#[expect(clippy::cast_precision_loss, reason = "so many are never in flight nor in a budget")]
fn gauge(words: [&'static str; WORDS], level: u64, per: f64) -> Line {
    (words, SampleValue::Gauge(level as f64 / per))
}

/// The samples of one metric. Of several with the same name, the values are added up.
fn family<S>((metric, lines): &Row<S>, subjects: &[S], name: fn(&S) -> &Name) -> Family {
    let mut sums: BTreeMap<&Name, Vec<Line>> = BTreeMap::new();
    for subject in subjects {
        let (sum, more) = (sums.entry(name(subject)).or_default(), lines(subject));
        *sum = match std::mem::take(sum) {
            none if none.is_empty() => more,
            some if more.is_empty() => some,
            some => {
                let both = some.into_iter().zip(more);
                both.map(|((words, one), (_, other))| (words, one.plus(other))).collect()
            }
        };
    }
    let samples = sums.into_iter().flat_map(|(name, lines)| {
        lines.into_iter().map(|(words, value)| Sample::new(metric, name.clone(), words, value))
    });
    Family { metric, samples: samples.collect() }
}

impl Metrics {
    /// The content type of [`Self::prometheus`].
    pub const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
    /// The content type of [`Self::openmetrics`].
    pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// The samples, by metric, in the order of [`Metric::ALL`]; without metrics that have none. Of several
    /// guards, breakers or registries with the same name, the values are added up: `overcurrent_breaker_state`
    /// then says how many of that name stand there.
    pub fn families(&self) -> impl Iterator<Item = Family> {
        // One after the other, as those of many breakers take much memory.
        let guards = OF_GUARDS.iter().map(|row| family(row, &self.guards, |guard| &guard.guard));
        let breakers = OF_BREAKERS.iter().map(|row| family(row, &self.breakers, |breaker| &breaker.breaker));
        let registries =
            OF_REGISTRIES.iter().map(|row| family(row, &self.registries, |registry| &registry.registry));
        guards.chain(breakers).chain(registries).filter(|family| !family.samples.is_empty())
    }

    /// Prometheus text, version 0.0.4.
    pub fn prometheus(&self) -> String {
        Format::Prometheus.render(self.families())
    }

    /// `OpenMetrics` text, version 1.0.0.
    pub fn openmetrics(&self) -> String {
        Format::OpenMetrics.render(self.families())
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prometheus())
    }
}

impl From<GuardMetrics> for Metrics {
    fn from(guard: GuardMetrics) -> Self {
        Self { guards: vec![guard], ..Self::default() }
    }
}

impl From<BreakerMetrics> for Metrics {
    fn from(breaker: BreakerMetrics) -> Self {
        Self { breakers: vec![breaker], ..Self::default() }
    }
}

#[cfg(test)]
mod tests;
