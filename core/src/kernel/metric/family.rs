//! Metrics as families of samples, for who sends or shows them without knowing each.
//!
//! INVARIANT: what a histogram is to those who know only numbers is said here, and nowhere else.

use super::{
    histogram::Histogram,
    table::{Metric, MetricKind},
};
use crate::kernel::{name::Name, time::Span};

/// How many labels a sample can have beside the one of whose it is.
pub(super) const WORDS: usize = 3;
/// For a sample that has none.
pub(super) const NO_WORDS: [&str; WORDS] = [""; WORDS];

/// A metric with all its samples, sorted by whose they are.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Family {
    /// The metric.
    pub metric: &'static Metric,
    /// Its samples.
    pub samples: Vec<Sample>,
}

/// One value of a metric, with its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    metric: &'static Metric,
    subject: Name,
    words: [&'static str; WORDS],
    value: SampleValue,
}

/// A number that a sample consists of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// Of a counter.
    Count(u64),
    /// Of a gauge, or a sum.
    Level(f64),
}

/// The value of a sample, by the kind of its metric.
#[derive(Clone, Debug, PartialEq)]
pub enum SampleValue {
    /// Of a counter.
    Counter(u64),
    /// Of a gauge.
    Gauge(f64),
    /// Of a histogram.
    Histogram(Box<Histogram>),
}

impl SampleValue {
    /// The kind of the metrics that have such values.
    pub const fn kind(&self) -> MetricKind {
        match self {
            Self::Counter(_) => MetricKind::Counter,
            Self::Gauge(_) => MetricKind::Gauge,
            Self::Histogram(_) => MetricKind::Histogram,
        }
    }

    /// This and another of the same kind together.
    #[must_use]
    pub(super) fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Counter(one), Self::Counter(other)) => Self::Counter(one.saturating_add(other)),
            (Self::Gauge(one), Self::Gauge(other)) => Self::Gauge(one + other),
            (Self::Histogram(one), Self::Histogram(other)) => Self::Histogram(Box::new(one.plus(&other))),
            (one, _) => one,
        }
    }
}

impl Sample {
    /// That of `subject`, with the words for the other labels in their order.
    pub(super) fn new(
        metric: &'static Metric,
        subject: Name,
        words: [&'static str; WORDS],
        value: SampleValue,
    ) -> Self {
        Self { metric, subject, words, value }
    }

    /// Its labels, each with its value, in the order of the metric's.
    pub fn labels(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let values = [self.subject.as_str()].into_iter().chain(self.words);
        self.metric.labels.iter().copied().zip(values)
    }

    /// Each number that it is: what follows the name of the metric there, the upper bound of a bucket, and the
    /// number. A counter and a gauge are one; a histogram is as in Prometheus.
    pub(crate) fn numbers(&self, mut number: impl FnMut(&'static str, Option<&str>, Number)) {
        match &self.value {
            SampleValue::Counter(count) => number("", None, Number::Count(*count)),
            SampleValue::Gauge(level) => number("", None, Number::Level(*level)),
            SampleValue::Histogram(histogram) => {
                for (bound, count) in histogram.cumulative() {
                    // A whole number has a point too, as OpenMetrics wants it.
                    let bound =
                        bound.map_or_else(|| "+Inf".to_owned(), |bound| format!("{:?}", seconds(bound)));
                    number("_bucket", Some(&bound), Number::Count(count));
                }
                number("_sum", None, Number::Level(seconds(histogram.sum)));
                number("_count", None, Number::Count(histogram.count()));
            }
        }
    }

    /// Its value.
    pub const fn value(&self) -> &SampleValue {
        &self.value
    }
}

#[expect(clippy::cast_precision_loss, reason = "to the nanosecond for 104 days, and to 16 digits after that")]
fn seconds(span: Span) -> f64 {
    span.as_nanos() as f64 / 1e9
}
