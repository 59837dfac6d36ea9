//! The ranges of `docs/policy.md`, written down once more, apart from the validator's tables.

use std::ops::RangeInclusive;

use overcurrent::{
    Backoff, BreakerPolicy, BudgetPolicy, GuardPolicy, Jitter, RetryPolicy, Span, Window, WindowRules,
};

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;
const DAY: u64 = 24 * 3_600 * SECOND;
const WHOLE: u32 = 1_000_000;

fn within<T: PartialOrd + std::fmt::Debug + Copy>(name: &str, value: T, range: &RangeInclusive<T>) {
    assert!(range.contains(&value), "{name} is {value:?} and must be in {range:?}");
}

fn span(name: &str, value: Span) {
    within(name, value.as_nanos(), &(MILLI..=DAY));
}

/// Holds the whole policy of a guard against its ranges.
pub(crate) fn guard(policy: &GuardPolicy) {
    for limit in [policy.deadline, policy.attempt_timeout].into_iter().flatten() {
        assert!(limit > Span::ZERO, "a limit of no time");
    }
    if let Some(own) = &policy.retry {
        retry(own);
    }
    if let Some(own) = &policy.breaker {
        breaker(own, policy);
    }
}

fn retry(policy: &RetryPolicy) {
    within("max_attempts", policy.max_attempts, &(1..=1_000));
    match &policy.backoff {
        Backoff::None | Backoff::Constant { .. } => {}
        Backoff::Linear { initial, max, .. } => assert!(initial <= max, "initial above max"),
        Backoff::Exponential { initial, multiplier, max } => {
            assert!(initial <= max, "initial above max");
            within("multiplier", multiplier.parts(), &(WHOLE..=100 * WHOLE));
        }
        Backoff::Schedule { delays } => within("delays", delays.len(), &(1..=1_000)),
    }
    match policy.jitter {
        Jitter::None | Jitter::Full | Jitter::Equal => {}
        Jitter::Decorrelated => {
            assert!(
                matches!(policy.backoff, Backoff::Exponential { .. }),
                "decorrelated without exponential"
            );
        }
        Jitter::Proportional(share) => within("proportional", share.parts(), &(1..=WHOLE)),
    }
    if let Some(own) = &policy.budget {
        budget(own);
    }
}

fn budget(policy: &BudgetPolicy) {
    within("ratio", policy.ratio.parts(), &(0..=WHOLE));
    within("min_per_second in thousandths", policy.refill_per_milli, &(0..=1_000_000));
    within("burst in micro-tokens", policy.capacity, &(1_000_000..=1_000_000_000));
    assert_eq!(policy.capacity % 1_000_000, 0, "burst is a whole number of tokens");
}

fn breaker(policy: &BreakerPolicy, guard: &GuardPolicy) {
    span("cooldown", policy.cooldown);
    span("cooldown_max", policy.cooldown_max);
    if let Some(limit) = policy.slow_call {
        span("slow_call", limit);
    }
    assert!(policy.cooldown <= policy.cooldown_max, "cooldown above cooldown_max");
    within("cooldown_multiplier", policy.cooldown_multiplier.parts(), &(WHOLE..=100 * WHOLE));
    within("cooldown_jitter", policy.cooldown_jitter.parts(), &(0..=WHOLE));
    for (name, value) in [
        ("probes", policy.probes),
        ("close_after", policy.close_after),
        ("reopen_after", policy.reopen_after),
    ] {
        within(name, value, &(1..=64));
    }
    assert!(policy.probes < policy.close_after + policy.reopen_after, "more probes than trials");
    tests(policy);
    limits(policy, guard);
}

/// The tests that open: their ranges, and that there is one at all.
fn tests(policy: &BreakerPolicy) {
    if let Some(limit) = policy.consecutive_failures {
        within("consecutive_failures", limit, &(1..=1_000));
    }
    let Some(rules) = policy.window else {
        assert!(policy.consecutive_failures.is_some(), "nothing can open it");
        assert!(!policy.consecutive_for_trickles && policy.slow_call.is_none(), "{policy:?}");
        return;
    };
    let WindowRules { window, failure_rate, minimum_calls, slow_rate } = rules;
    within("failure_rate", failure_rate.parts(), &(1..=WHOLE));
    within("slow_rate", slow_rate.parts(), &(1..=WHOLE));
    within("minimum_calls", minimum_calls, &(1..=1_000_000));
    assert!(policy.slow_call.is_some() || slow_rate.parts() == WHOLE, "slow_rate without slow_call");
    match window {
        Window::Time { buckets, width } => {
            within("buckets", buckets, &(1..=60));
            within("a bucket", width.as_nanos(), &(MILLI..=DAY));
            within("time", width.as_nanos() * u64::from(buckets), &(MILLI..=DAY));
        }
        Window::Calls { calls } => {
            within("calls", calls, &(1..=100_000));
            assert!(minimum_calls <= calls, "more minimum_calls than the window holds");
        }
    }
    if policy.consecutive_for_trickles {
        let width = Span::from_nanos(SECOND);
        assert_eq!((window, minimum_calls), (Window::Time { buckets: 10, width }, 20));
        assert_eq!((failure_rate.parts(), policy.consecutive_failures), (WHOLE / 2, Some(10)));
    }
}

/// What depends on the limits of the guard around it.
fn limits(policy: &BreakerPolicy, guard: &GuardPolicy) {
    let attempt = guard.attempt_timeout.or(guard.deadline);
    if policy.probe_timeout_given {
        span("probe_timeout", policy.probe_timeout);
        assert!(attempt.is_none_or(|limit| limit <= policy.probe_timeout), "no probe could close");
    } else {
        let limit = attempt.expect("probe_timeout must be given where nothing limits an attempt");
        assert_eq!(policy.probe_timeout, limit.max(Span::from_nanos(30 * SECOND)));
    }
    let half = guard.attempt_timeout.map(|limit| Span::from_nanos(limit.as_nanos() / 2));
    if policy.abandon_after != policy.slow_call.or(half) {
        span("abandon_after", policy.abandon_after.expect("the default is there if no other is given"));
    }
}
