//! Who is among the metrics of the process, under which name, and for how long.

use std::sync::Arc;

use overcurrent::{
    Breaker, BreakerPolicy, Edge, Guard, Metric, Metrics, Position, Registry, SampleValue, metrics, register,
};

fn guard(name: &str) -> Guard {
    Guard::builder(name).build().expect("the policy is valid")
}

/// How many guards and breakers there are whose names begin so; the tests of this process are many.
fn of(prefix: &str) -> (usize, usize) {
    let metrics = metrics();
    let guards = metrics.guards.iter().filter(|guard| guard.guard.starts_with(prefix));
    let breakers = metrics.breakers.iter().filter(|breaker| breaker.breaker.starts_with(prefix));
    (guards.count(), breakers.count())
}

#[test]
fn a_guard_brings_its_breaker_and_nothing_comes_twice() {
    let breaker =
        Arc::new(Breaker::new("twice", BreakerPolicy::consecutive_failures(1).build().expect("valid")));
    let guards = ["twice a", "twice b"].map(|name| {
        let builder = Guard::builder(name).shared_breaker(Arc::clone(&breaker));
        Arc::new(builder.build().expect("it fits"))
    });
    guards.iter().for_each(register);
    assert_eq!(of("twice"), (2, 1));
    register(&breaker);
    register(&guards[0]);
    assert_eq!(of("twice"), (2, 1));
    drop(guards);
    assert_eq!(of("twice"), (0, 1));
    drop(breaker);
    assert_eq!(of("twice"), (0, 0));
}

#[test]
fn a_registry_brings_its_entries_as_they_stand() {
    let registry = Arc::new(Registry::new(2).named("hosts"));
    register(&registry);
    let call = |key: &str| {
        let guard = registry.get_or_create(key, |name| Guard::builder(name).build().expect("valid"));
        guard.expect("there is room").call(|_| Ok::<_, ()>(())).expect("it is healthy");
    };
    assert_eq!(of("entry"), (0, 0));
    ["entry 1", "entry 2"].into_iter().for_each(call);
    assert_eq!(of("entry"), (2, 2));
    // To be measured does not hold an entry.
    ["entry 3", "entry 4", "entry 5"].into_iter().for_each(call);
    assert_eq!(of("entry"), (2, 2));
    let evictions = Metrics::of(&*registry).registries.pop().expect("it has a name");
    assert_eq!((evictions.registry.as_str(), evictions.evictions), ("hosts", 3));
    assert!(Metrics::of(&Registry::<Breaker>::new(1)).registries.is_empty(), "it has none");
    drop(registry);
    assert_eq!(of("entry"), (0, 0));
}

#[test]
fn everything_is_there_before_the_first_call() {
    let metrics = Metrics::of(&guard("early"));
    let named = metrics.families().map(|family| family.metric.name);
    let expected =
        Metric::ALL.iter().filter(|metric| ![Metric::CALL_DURATION, Metric::EVICTIONS].contains(*metric));
    assert!(named.eq(expected.map(|metric| metric.name)), "all but what nobody asked for");
    for family in metrics.families() {
        for sample in &family.samples {
            let at_rest = match sample.value() {
                SampleValue::Counter(count) => *count == 0,
                SampleValue::Gauge(level) if family.metric == Metric::STATE => {
                    let standing = sample.labels().any(|(_, state)| state == Position::Closed.as_str());
                    (*level > 0.0) == standing
                }
                // Its budget is full.
                SampleValue::Gauge(level) => (*level > 0.0) == (family.metric == Metric::BUDGET_TOKENS),
                SampleValue::Histogram(_) => false,
            };
            assert!(at_rest, "{sample:?}");
        }
    }
    let samples: usize = metrics.families().map(|family| family.samples.len()).sum();
    assert_eq!(samples, 6 + 5 + 2 + 6 + 1 + 1 + 3 + 5 + Edge::COUNT + 1);
}

#[test]
fn how_long_calls_take_is_counted_on_demand() {
    assert!(!guard("unmeasured").measures_durations());
    assert_eq!(guard("unmeasured").metrics().durations, None);
    let measured = Guard::builder("measured").measure_durations().build().expect("the policy is valid");
    assert!(measured.measures_durations());
    measured.call(|_| Ok::<_, ()>(())).expect("it is healthy");
    measured.breaker().expect("it has one").force_open();
    assert!(measured.call(|_| Ok::<_, ()>(())).is_err());
    assert!(measured.refused().is_none(), "forced open, it has to ask");
    let durations = measured.metrics().durations.expect("it measures");
    assert_eq!(durations.count(), 1, "a rejected call takes no time and is not among them");
}
