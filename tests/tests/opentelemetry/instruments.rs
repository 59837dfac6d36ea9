//! The metrics as observable instruments: the same series as in the text.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use opentelemetry::{KeyValue, metrics::MeterProvider};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
    data::{AggregatedMetrics, Metric as Collected, MetricData, ScopeMetrics},
};
use overcurrent::{
    BreakerPolicy, Guard, ManualClock, Metric, RetryPolicy, metrics, opentelemetry::instrument_metrics,
    register,
};

/// The lines of one metric, as in the text format.
fn lines(metric: &Collected) -> Vec<String> {
    fn line<'k>(name: &str, labels: impl Iterator<Item = &'k KeyValue>, value: &str) -> String {
        // The SDK sorts what has no order; the text has the metric's.
        let metric =
            Metric::ALL.iter().find(|metric| name.starts_with(metric.name)).expect("it is one of ours");
        let place = |key: &str| metric.labels.iter().position(|label| *label == key).unwrap_or(usize::MAX);
        let mut labels: Vec<_> = labels.map(|label| (label.key.as_str(), label.value.as_str())).collect();
        labels.sort_by_key(|(key, _)| place(key));
        let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        format!("{name}{{{}}} {value}", labels.join(","))
    }
    let name = metric.name();
    match metric.data() {
        AggregatedMetrics::U64(MetricData::Sum(sum)) => {
            assert!(sum.is_monotonic(), "{name}");
            sum.data_points()
                .map(|point| line(name, point.attributes(), &point.value().to_string()))
                .collect()
        }
        AggregatedMetrics::F64(MetricData::Sum(sum)) => {
            assert!(sum.is_monotonic(), "{name}");
            sum.data_points()
                .map(|point| line(name, point.attributes(), &point.value().to_string()))
                .collect()
        }
        AggregatedMetrics::F64(MetricData::Gauge(gauge)) => gauge
            .data_points()
            .map(|point| line(name, point.attributes(), &point.value().to_string()))
            .collect(),
        other => panic!("{name}: {other:?}"),
    }
}

/// What the readers of the provider collect now.
fn collect(provider: &SdkMeterProvider, exporter: &InMemoryMetricExporter) -> BTreeSet<String> {
    exporter.reset();
    provider.force_flush().expect("it is not shut down");
    let mut collected = BTreeSet::new();
    for resource in exporter.get_finished_metrics().expect("it is not shut down") {
        for metric in resource.scope_metrics().flat_map(ScopeMetrics::metrics) {
            let metric_is = |ours: &&&Metric| metric.name().starts_with(ours.name);
            let help = Metric::ALL.iter().find(metric_is).map(|ours| ours.help);
            assert_eq!(Some(metric.description()), help, "{}", metric.name());
            collected.extend(lines(metric));
        }
    }
    collected
}

#[test]
fn a_reader_collects_every_series_anew_each_time() {
    // Its attempts would be spans of a test that traces at that moment.
    let _turn = crate::turn();
    let exporter = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(exporter.clone()).with_interval(Duration::from_secs(3_600)).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    instrument_metrics(&provider.meter("test"));

    // The only one of this process that is registered.
    let guard = Guard::builder("observed")
        .retry(RetryPolicy::constant(Duration::from_millis(70)).max_attempts(2))
        .breaker(BreakerPolicy::consecutive_failures(2))
        .clock(Arc::new(ManualClock::new()))
        .measure_durations()
        .build()
        .expect("the policy is valid");
    let guard = Arc::new(guard);
    register(&guard);
    let expected = || -> BTreeSet<String> {
        metrics().prometheus().lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    let at_first = collect(&provider, &exporter);
    assert!(at_first.len() > 79);
    assert_eq!(at_first, expected());

    assert!(guard.call(|_| Err::<(), _>(())).is_err());
    assert!(guard.call(|_| Ok::<_, ()>(())).is_err(), "it is open");
    let then = collect(&provider, &exporter);
    assert_ne!(then, at_first);
    assert_eq!(then, expected());
    assert!(
        then.contains("overcurrent_call_duration_seconds_bucket{guard=\"observed\",le=\"0.1\"} 1"),
        "{then:?}"
    );
}
