//! The metrics as a recorder of the crate `metrics` gets them: the same series as in the text.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use metrics::with_local_recorder;
use metrics_util::{
    MetricKind,
    debugging::{DebugValue, DebuggingRecorder, Snapshotter},
};
use overcurrent::{BreakerPolicy, Guard, ManualClock, Metric, Metrics, RetryPolicy};

/// A guard that has counted something of each kind.
fn guard(clock: &ManualClock) -> Guard {
    let guard = Guard::builder("a \"guard\"")
        .retry(RetryPolicy::constant(Duration::from_millis(70)).max_attempts(2))
        .breaker(BreakerPolicy::consecutive_failures(2))
        .clock(Arc::new(clock.clone()))
        .measure_durations()
        .build()
        .expect("the policy is valid");
    assert!(guard.call(|_| Ok::<_, ()>(())).is_ok());
    assert!(guard.call(|_| Err::<(), _>(())).is_err());
    assert!(guard.call(|_| Ok::<_, ()>(())).is_err(), "it is open");
    guard
}

/// What the recorder was told, as lines of the text format.
fn lines(snapshotter: &Snapshotter) -> BTreeSet<String> {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"");
    let line = |(key, _, _, value): (metrics_util::CompositeKey, _, _, _)| {
        let (kind, key) = key.into_parts();
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}=\"{}\"", label.key(), escaped(label.value()))).collect();
        let value = match value {
            DebugValue::Counter(count) => count.to_string(),
            DebugValue::Gauge(level) => level.to_string(),
            DebugValue::Histogram(_) => panic!("{key} is a histogram"),
        };
        let is_counter = ["_total", "_bucket", "_count"].iter().any(|suffix| key.name().ends_with(suffix));
        assert_eq!(kind == MetricKind::Counter, is_counter, "{key}");
        format!("{}{{{}}} {value}", key.name(), labels.join(","))
    };
    snapshotter.snapshot().into_vec().into_iter().map(line).collect()
}

fn expected(metrics: &Metrics) -> BTreeSet<String> {
    metrics.prometheus().lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn a_recorder_gets_every_series() {
    let recorder = DebuggingRecorder::new();
    let metrics = Metrics::of(&guard(&ManualClock::new()));
    metrics.publish_to(&recorder);
    let told = lines(&recorder.snapshotter());
    assert!(
        told.len() > 79 && told.iter().any(|line| line.contains("_bucket") && line.contains("le=\"0.1\""))
    );
    assert_eq!(told, expected(&metrics));
}

#[test]
fn counters_are_set_and_not_added_to() {
    let recorder = DebuggingRecorder::new();
    let guard = guard(&ManualClock::new());
    // The snapshot of this recorder takes what it has counted.
    let snapshotter = recorder.snapshotter();
    with_local_recorder(&recorder, || {
        Metrics::of(&guard).publish();
        let _ = guard.call(|_| Ok::<_, ()>(()));
        Metrics::of(&guard).publish();
    });
    assert_eq!(lines(&snapshotter), expected(&Metrics::of(&guard)));
}

#[test]
fn each_series_is_described() {
    let recorder = DebuggingRecorder::new();
    Metrics::of(&guard(&ManualClock::new())).publish_to(&recorder);
    for (key, _, help, _) in recorder.snapshotter().snapshot().into_vec() {
        let name = key.key().name();
        let metric =
            Metric::ALL.iter().find(|metric| name.starts_with(metric.name)).expect("it is one of ours");
        assert_eq!(help.as_deref(), Some(metric.help), "{name}");
    }
}
