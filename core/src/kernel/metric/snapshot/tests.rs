//! Families of samples: complete, at zero, in order, added up.

use super::*;
use crate::kernel::{outcome::ChangeReason, time::Span};

fn guard(name: &str) -> GuardMetrics {
    GuardMetrics {
        calls: Tally::new(|ending| if ending == Ending::Failure { 3 } else { 0 }),
        in_flight: 2,
        ..GuardMetrics::of(name.into())
    }
}

fn everything() -> Metrics {
    let measured = GuardMetrics {
        budget_tokens_micro: Some(9_500_000),
        durations: Some(Histogram::default()),
        ..guard("g")
    };
    Metrics {
        guards: vec![measured],
        breakers: vec![BreakerMetrics::of("b".into(), Position::HalfOpen)],
        registries: vec![RegistryMetrics::new("r".into(), 5)],
    }
}

/// The samples of one metric: the values of their labels, and their values.
fn samples(metrics: &Metrics, metric: &Metric) -> Vec<(Vec<String>, SampleValue)> {
    let family = metrics.families().find(|family| family.metric == metric).expect("it is there");
    let of = |sample: Sample| {
        (sample.labels().map(|(_, value)| value.to_owned()).collect(), sample.value().clone())
    };
    family.samples.into_iter().map(of).collect()
}

#[test]
fn every_metric_is_there_once_in_its_order_and_of_its_kind() {
    let metrics = everything();
    assert!(metrics.families().map(|family| family.metric).eq(Metric::ALL.iter().copied()));
    for family in metrics.families() {
        for sample in &family.samples {
            assert_eq!(sample.value().kind(), family.metric.kind, "{}", family.metric.name);
            let labels: Vec<_> = sample.labels().collect();
            assert!(labels.iter().map(|(label, _)| label).eq(family.metric.labels));
            assert!(labels.iter().all(|(_, value)| !value.is_empty()), "{labels:?}");
        }
    }
}

#[test]
fn every_outcome_reason_and_state_is_there_at_zero() {
    let metrics = everything();
    let words = |metric| -> Vec<String> {
        samples(&metrics, metric).into_iter().filter_map(|(mut labels, _)| labels.pop()).collect()
    };
    assert_eq!(words(Metric::CALLS), ["success", "failure", "timeout", "rejected", "ignored", "cancelled"]);
    assert_eq!(words(Metric::ATTEMPTS), ["success", "failure", "timeout", "ignored", "cancelled"]);
    assert_eq!(words(Metric::RETRIES), ["backoff", "hint"]);
    assert!(words(Metric::GIVE_UPS).iter().eq(StopReason::ALL.iter().map(|reason| reason.as_str())));
    assert_eq!(words(Metric::REJECTIONS), ["open", "half_open", "forced_open"]);
    assert_eq!(words(Metric::STATE), ["closed", "open", "half_open", "forced_open", "forced_closed"]);
    assert_eq!(words(Metric::TRANSITIONS).len(), Edge::COUNT);
    let standing: Vec<_> = samples(&metrics, Metric::STATE).into_iter().map(|(_, value)| value).collect();
    assert_eq!(standing, [0.0, 0.0, 1.0, 0.0, 0.0].map(SampleValue::Gauge));
    assert_eq!(samples(&metrics, Metric::BUDGET_TOKENS), [(vec!["g".to_owned()], SampleValue::Gauge(9.5))]);
}

#[test]
fn those_of_one_name_are_added_up_and_names_are_in_order() {
    let measured = |millis| {
        let histogram = Histogram { sum: Span::from_millis(millis), ..Histogram::default() };
        GuardMetrics { durations: Some(histogram), ..guard("b") }
    };
    let edge = Edge { from: Position::Closed, to: Position::Open, reason: ChangeReason::SlowRate };
    let mut breaker = BreakerMetrics::of("b".into(), Position::Closed);
    breaker.transitions = Tally::new(|other| u64::from(other == edge));
    let metrics = Metrics {
        guards: vec![measured(1), guard("c"), measured(2), guard("a"), guard("b")],
        breakers: vec![breaker.clone(), breaker.clone(), BreakerMetrics { state: Position::Open, ..breaker }],
        ..Metrics::default()
    };
    let in_flight = samples(&metrics, Metric::IN_FLIGHT);
    let expected = [("a", 2.0), ("b", 6.0), ("c", 2.0)];
    let expected = expected.map(|(name, level)| (vec![name.to_owned()], SampleValue::Gauge(level)));
    assert_eq!(in_flight, expected);
    let [(_, SampleValue::Histogram(histogram))] = &samples(&metrics, Metric::CALL_DURATION)[..] else {
        panic!("only those of one name measure")
    };
    assert_eq!(histogram.sum, Span::from_millis(3));
    let standing: Vec<_> = samples(&metrics, Metric::STATE).into_iter().map(|(_, value)| value).collect();
    assert_eq!(standing[..2], [2.0, 1.0].map(SampleValue::Gauge));
    let moved = |(labels, value): &(Vec<String>, _)| {
        (labels[1..] == ["closed", "open", "slow_rate"]).then(|| SampleValue::clone(value))
    };
    let moved: Vec<_> = samples(&metrics, Metric::TRANSITIONS).iter().filter_map(moved).collect();
    assert_eq!(moved, [SampleValue::Counter(3)]);
    let mut turned = metrics.clone();
    turned.guards.reverse();
    assert_eq!(turned.openmetrics(), metrics.openmetrics());
    assert_eq!(metrics.to_string(), metrics.prometheus());
}
