//! The metrics for a recorder of the crate [metrics](https://docs.rs/metrics); feature `metrics`.
//!
//! | here | there |
//! | --- | --- |
//! | a counter | a counter, set by `absolute` |
//! | a gauge | a gauge |
//! | a histogram | counters `_bucket`, with the label `le`, and `_count`; a gauge `_sum` |
//!
//! A recorder's own histogram takes one observation after the other, which are no longer known.

use metrics::{KeyName, Label, Level, Metadata, Recorder, SharedString, with_recorder};

use crate::kernel::metric::{Metric, MetricKind, Metrics, Number};

const METADATA: Metadata<'static> = Metadata::new("overcurrent", Level::INFO, Some("overcurrent"));

impl Metrics {
    /// Tells the recorder of the moment, that of this thread or the global one, what was counted: the same names,
    /// labels and values. To be called from time to time, or before each scrape.
    ///
    /// A recorder's counters only rise. Where a sum has become smaller, as an entry of a registry was forgotten,
    /// the recorder keeps the larger one until it is reached again; and the last values of what is gone stay.
    ///
    /// ```
    /// use overcurrent::{Guard, metrics, register};
    /// use std::sync::Arc;
    ///
    /// let payments = Arc::new(Guard::builder("payments").build()?);
    /// register(&payments);
    /// let _ = payments.call(|_| Ok::<_, ()>("paid"));
    /// metrics().publish();
    /// # Ok::<(), overcurrent::InvalidPolicy>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    pub fn publish(&self) {
        with_recorder(|recorder| self.publish_to(recorder));
    }

    /// [`Self::publish`] to a recorder of one's own.
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    pub fn publish_to(&self, recorder: &dyn Recorder) {
        for metric in Metric::ALL {
            describe(recorder, metric);
        }
        for family in self.families() {
            for sample in &family.samples {
                let labels: Vec<_> =
                    sample.labels().map(|(key, value)| Label::new(key, value.to_owned())).collect();
                sample.numbers(|suffix, bound, number| {
                    let mut labels = labels.clone();
                    labels.extend(bound.map(|bound| Label::new("le", bound.to_owned())));
                    let key = metrics::Key::from_parts(name(family.metric, suffix), labels);
                    match number {
                        Number::Count(count) => recorder.register_counter(&key, &METADATA).absolute(count),
                        Number::Level(level) => recorder.register_gauge(&key, &METADATA).set(level),
                    }
                });
            }
        }
    }
}

fn describe(recorder: &dyn Recorder, metric: &Metric) {
    let help = || SharedString::const_str(metric.help);
    let counter = |suffix| recorder.describe_counter(name(metric, suffix), None, help());
    let gauge = |suffix| recorder.describe_gauge(name(metric, suffix), None, help());
    match metric.kind {
        MetricKind::Counter => counter(""),
        MetricKind::Gauge => gauge(""),
        MetricKind::Histogram => {
            counter("_bucket");
            gauge("_sum");
            counter("_count");
        }
    }
}

fn name(metric: &Metric, suffix: &str) -> KeyName {
    if suffix.is_empty() {
        KeyName::from_const_str(metric.name)
    } else {
        KeyName::from(format!("{}{suffix}", metric.name))
    }
}
