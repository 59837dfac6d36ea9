//! The metrics as observable instruments of a meter.

use std::sync::Arc;

use opentelemetry::{
    KeyValue,
    metrics::{AsyncInstrument, Meter},
};

use super::gathering::Gathering;
use crate::kernel::metric::{Metric, MetricKind, Number, Sample};

/// Has what [`metrics`](crate::metrics) reads be observed by instruments of this meter, with the same names and
/// labels, whenever its readers collect: of all that is registered, as long as the meter's provider lives. To be
/// asked once for a provider.
///
/// A histogram of which only the sums are known cannot be observed as one; so it is three counters here, as in
/// Prometheus: `_bucket` with the label `le`, `_sum` and `_count`.
///
/// ```
/// use opentelemetry::global;
/// use overcurrent::{Guard, opentelemetry::instrument_metrics, register};
/// use std::sync::Arc;
///
/// instrument_metrics(&global::meter("payments-service"));
/// let payments = Arc::new(Guard::builder("payments").build()?);
/// register(&payments);
/// # Ok::<(), overcurrent::InvalidPolicy>(())
/// ```
pub fn instrument_metrics(meter: &Meter) {
    let gathering = Arc::new(Gathering::default());
    let instruments: Vec<_> = Metric::ALL.iter().flat_map(|metric| series(metric)).collect();
    let count = instruments.len();
    for (place, Series { metric, suffix, is_counter, is_whole }) in instruments.into_iter().enumerate() {
        let gathering = Arc::clone(&gathering);
        let observe = Observe { gathering, place, count, metric, suffix };
        let name = format!("{}{suffix}", metric.name);
        match (is_counter, is_whole) {
            (true, true) => {
                let counter = meter.u64_observable_counter(name).with_description(metric.help);
                counter.with_callback(move |instrument| observe.counts(instrument)).build();
            }
            (true, false) => {
                let counter = meter.f64_observable_counter(name).with_description(metric.help);
                counter.with_callback(move |instrument| observe.levels(instrument)).build();
            }
            (false, _) => {
                let gauge = meter.f64_observable_gauge(name).with_description(metric.help);
                gauge.with_callback(move |instrument| observe.levels(instrument)).build();
            }
        }
    }
}

/// What one instrument is for.
struct Series {
    metric: &'static Metric,
    /// What follows the metric's name.
    suffix: &'static str,
    is_counter: bool,
    is_whole: bool,
}

fn series(metric: &'static Metric) -> Vec<Series> {
    let one = |suffix, is_counter, is_whole| Series { metric, suffix, is_counter, is_whole };
    match metric.kind {
        MetricKind::Counter => vec![one("", true, true)],
        MetricKind::Gauge => vec![one("", false, false)],
        MetricKind::Histogram => {
            vec![one("_bucket", true, true), one("_sum", true, false), one("_count", true, true)]
        }
    }
}

/// How one instrument is observed.
struct Observe {
    gathering: Arc<Gathering>,
    place: usize,
    count: usize,
    metric: &'static Metric,
    suffix: &'static str,
}

impl Observe {
    fn counts(&self, instrument: &dyn AsyncInstrument<u64>) {
        self.each(|number, labels| {
            if let Number::Count(count) = number {
                instrument.observe(count, labels);
            }
        });
    }

    fn levels(&self, instrument: &dyn AsyncInstrument<f64>) {
        self.each(|number, labels| {
            if let Number::Level(level) = number {
                instrument.observe(level, labels);
            }
        });
    }

    /// Each number of this metric that has this suffix, with its labels.
    fn each(&self, mut observe: impl FnMut(Number, &[KeyValue])) {
        let families = self.gathering.families(self.place, self.count);
        let own = families.iter().filter(|family| family.metric == self.metric);
        own.flat_map(|family| &family.samples).for_each(|sample: &Sample| {
            sample.numbers(|suffix, bound, number| {
                if suffix == self.suffix {
                    let labels = sample.labels().chain(bound.map(|bound| ("le", bound)));
                    let labels: Vec<_> =
                        labels.map(|(key, value)| KeyValue::new(key, value.to_owned())).collect();
                    observe(number, &labels);
                }
            });
        });
    }
}
