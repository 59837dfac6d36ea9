//! The breaker against a naive model of it: random policies, random operations, every answer compared.
//!
//! `PROPTEST_CASES` sets the number of cases.

mod model;

use std::sync::Arc;

use model::{Command, Model};
use overcurrent::{Breaker, BreakerPolicy, Dialect, ManualClock, Outcome, Permit, Value};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    /// Move the clock on, or back.
    Pass(u64),
    Back(u64),
    Jump(u64),
    Acquire,
    /// End one of the calls that are out, the n-th modulo their number.
    Settle(usize, Outcome, u64),
    Trip(Option<u64>),
    Reset,
    ForceOpen,
    ForceClosed,
    Automatic,
}

const MILLI: u64 = 1_000_000;

fn ops() -> impl Strategy<Value = Op> {
    let span = prop_oneof![Just(0u64), 1..3 * MILLI, 1..200 * MILLI, 1..3_000 * MILLI];
    let outcome = prop_oneof![
        4 => Just(Outcome::Success), 5 => Just(Outcome::Failure), 1 => Just(Outcome::Ignored),
        1 => Just(Outcome::Cancelled),
    ];
    let took = prop_oneof![3 => Just(0u64), 2 => 1..300 * MILLI];
    prop_oneof![
        6 => span.clone().prop_map(Op::Pass),
        1 => span.prop_map(Op::Back),
        1 => prop_oneof![Just(u64::MAX), Just(u64::MAX - MILLI / 2), any::<u64>(), 0..1u64 << 52].prop_map(Op::Jump),
        20 => Just(Op::Acquire),
        20 => (0usize..8, outcome, took).prop_map(|(n, outcome, took)| Op::Settle(n, outcome, took)),
        1 => prop_oneof![Just(None), (1..3_000 * MILLI).prop_map(Some)].prop_map(Op::Trip),
        1 => Just(Op::Reset),
        1 => Just(Op::ForceOpen),
        1 => Just(Op::ForceClosed),
        2 => Just(Op::Automatic),
    ]
}

fn policies() -> impl Strategy<Value = BreakerPolicy> {
    let milli = |millis: u32| Value::Text(format!("{millis}ms"));
    let window = prop_oneof![
        2 => Just(None),
        3 => (1u32..=40).prop_map(|calls| Some(vec![("calls".to_owned(), Value::from(calls))])),
        3 => (1u32..=12, 1u32..=800).prop_map(move |(buckets, width)| Some(vec![
            ("time".to_owned(), milli(buckets * width)), ("buckets".to_owned(), Value::from(buckets)),
        ])),
    ];
    let rate = || prop_oneof![Just(1u32), 1u32..=1_000_000, Just(500_000), Just(1_000_000)];
    (
        window,
        (rate(), 1u32..=12, prop::option::of(1u32..=8)),
        (prop::option::of((1u32..=250, rate())), prop::option::of(1u32..=250)),
        (1u32..=900, 0u32..=3_000, 1_000_000u32..=3_500_000, prop_oneof![Just(0u32), 1u32..=1_000_000]),
        (1u32..=5, 1u32..=5, 1u32..=4, 1u32..=2_000),
    )
        .prop_filter_map(
            "not every combination is a policy",
            move |(window, tests, slow, cooldown, probes)| {
                let mut table: Vec<(String, Value)> = Vec::new();
                let mut set = |name: &str, value: Value| table.push((name.to_owned(), value));
                let ratio =
                    |parts: u32| Value::Number(format!("{}.{:06}", parts / 1_000_000, parts % 1_000_000));
                if let Some(window) = window {
                    set("window", Value::Table(window));
                    set("failure_rate", ratio(tests.0));
                    set("minimum_calls", Value::from(tests.1));
                    if let Some((limit, rate)) = slow.0 {
                        set("slow_call", milli(limit));
                        set("slow_rate", ratio(rate));
                    }
                }
                if let Some(limit) = tests.2 {
                    set("consecutive_failures", Value::from(limit));
                }
                if let Some(limit) = slow.1 {
                    set("abandon_after", milli(limit));
                }
                set("cooldown", milli(cooldown.0));
                set("cooldown_max", milli(cooldown.0 + cooldown.1));
                set("cooldown_multiplier", ratio(cooldown.2));
                set("cooldown_jitter", ratio(cooldown.3));
                set("probes", Value::from(probes.0));
                set("close_after", Value::from(probes.1));
                set("reopen_after", Value::from(probes.2));
                set("probe_timeout", milli(probes.3));
                BreakerPolicy::from_value(&Value::Table(table), "", Dialect::Document).ok()
            },
        )
}

proptest! {
    #[test]
    fn the_breaker_does_what_the_model_does(
        policy in policies(), seed: u64, ops in prop::collection::vec(ops(), 1..250),
    ) {
        let clock = ManualClock::new();
        let breaker = Arc::new(Breaker::with("model", policy.clone(), Arc::new(clock.clone()), Some(seed)));
        let mut model = Model::new(policy, seed);
        let mut now = 0u64;
        let mut out: Vec<(Permit<Arc<Breaker>>, u64)> = Vec::new();
        for op in ops {
            match op {
                Op::Pass(nanos) => now = now.saturating_add(nanos),
                Op::Back(nanos) => now = now.saturating_sub(nanos),
                Op::Jump(nanos) => now = nanos,
                Op::Acquire => {
                    let answer = breaker.acquire_owned();
                    let expected = model.acquire(now);
                    match (answer, expected) {
                        (Ok(permit), Ok(epoch)) => out.push((permit, epoch)),
                        (Err(error), Err((reason, retry_after))) => {
                            prop_assert_eq!(error.reason, reason);
                            prop_assert_eq!(error.retry_after.map(overcurrent::Span::as_nanos), retry_after);
                        }
                        (answer, expected) => prop_assert!(false, "{answer:?} where {expected:?} was expected"),
                    }
                }
                Op::Settle(nth, outcome, took) => {
                    if !out.is_empty() {
                        let (permit, epoch) = out.swap_remove(nth % out.len());
                        permit.record_took(outcome, std::time::Duration::from_nanos(took));
                        model.record(epoch, outcome, took, now);
                    }
                }
                Op::Trip(span) => {
                    breaker.trip(span.map(std::time::Duration::from_nanos)).unwrap();
                    model.command(&Command::Trip(span), now);
                }
                Op::Reset => { breaker.reset(); model.command(&Command::Reset, now); }
                Op::ForceOpen => { breaker.force_open(); model.command(&Command::ForceOpen, now); }
                Op::ForceClosed => { breaker.force_closed(); model.command(&Command::ForceClosed, now); }
                Op::Automatic => { breaker.automatic(); model.command(&Command::Automatic, now); }
            }
            clock.set(std::time::Duration::from_nanos(now));
            prop_assert_eq!(breaker.state(), model.position);
            prop_assert_eq!(breaker.reason(), model.reason);
            prop_assert_eq!(breaker.late(), model.late);
            prop_assert_eq!(breaker.retry_after(), model.retry_after(now));
        }
        for (permit, _) in out {
            std::mem::forget(permit);
        }
    }
}
