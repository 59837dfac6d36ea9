//! How long a retry waits, hints aside: never above `max`, jittered from the first wait on, spread wide
//! at the cap, and the same again for the same seed.

use std::sync::Arc;

use overcurrent::{Decision, Failure, Guard, ManualClock, Retry, RetryPolicy};
use proptest::{collection::vec, prelude::*};

use crate::{
    recorder::Recorder,
    retries::{SECOND, Shape, Spread, Written, capped, fitting, policies, spans, spreads},
};

/// So many clients, each with a seed of its own, make a fleet.
const FLEET: u64 = 256;

fn policy(shape: &Shape, spread: Spread, max_attempts: u32) -> RetryPolicy {
    let spread = Some(fitting(Some(shape), spread));
    Written {
        max_attempts: Some(max_attempts),
        backoff: Some(shape.clone()),
        jitter: spread,
        ..Written::default()
    }
    .policy()
}

/// The first `count` waits of a call.
fn waits(policy: &RetryPolicy, seed: u64, count: usize) -> Vec<u64> {
    let retry = Retry::with(policy.clone(), Arc::new(ManualClock::new()), Some(seed));
    let mut call = retry.start(None);
    let wait = || match call.failed(Failure::RETRYABLE) {
        Decision::Wait(span) => span.as_nanos(),
        Decision::Stop(reason) => panic!("stopped: {reason}"),
    };
    std::iter::repeat_with(wait).take(count).collect()
}

/// The `nth` wait of each client of a fleet.
fn fleet(policy: &RetryPolicy, seed: u64, nth: usize) -> Vec<u64> {
    (0..FLEET).map(|client| waits(policy, seed.wrapping_add(client), nth)[nth - 1]).collect()
}

/// Whether all of them lie from `low` to `high`, and some in each quarter of that.
fn spread_over(waits: &[u64], low: u64, high: u64) -> bool {
    let part = (high - low) / 4;
    let quarters =
        [low..=low + part, low + part..=low + 2 * part, high - 2 * part..=high - part, high - part..=high];
    let inside = waits.iter().all(|wait| (low..=high).contains(wait));
    inside && quarters.iter().all(|quarter| waits.iter().any(|wait| quarter.contains(wait)))
}

/// So many millionths of a span.
fn part(span: u64, share: u64) -> u64 {
    u64::try_from(u128::from(span) * u128::from(share) / 1_000_000).unwrap()
}

fn jitters() -> impl Strategy<Value = Spread> {
    prop_oneof![
        Just(Spread::Full),
        Just(Spread::Equal),
        Just(Spread::Decorrelated),
        (1_000..=1_000_000u64).prop_map(Spread::Proportional),
    ]
}

proptest! {
    #![proptest_config(crate::config())]

    #[test]
    fn no_wait_is_above_the_maximum(
        shape in capped(spans()), spread in spreads(), seed: u64,
        count in prop_oneof![9 => 1..20usize, 1 => 1..999usize],
    ) {
        let max = shape.max().unwrap();
        let drawn = waits(&policy(&shape, spread, 1_000), seed, count);
        prop_assert!(drawn.iter().all(|wait| *wait <= max), "{drawn:?}");
    }

    /// At the cap the clients of a fleet still wait for times spread over everything that the jitter
    /// allows: 0, max/2, max − p·max or the first wait, and from there to max.
    #[test]
    fn the_spread_is_wide_at_the_cap(
        max in 1_000_000..1_000_000 * SECOND, sixteenths in 1..=16u64, linear: bool,
        spread in jitters(), seed: u64,
    ) {
        let initial = max / 16 * sixteenths;
        let shape = if linear {
            Shape::Linear { initial, step: max / 4, max }
        } else {
            Shape::Exponential { initial, multiplier: None, max }
        };
        let spread = fitting(Some(&shape), spread);
        let low = match spread {
            Spread::None => unreachable!("not drawn"),
            Spread::Full => 0,
            Spread::Equal => max / 2,
            Spread::Proportional(share) => max - part(max, share),
            Spread::Decorrelated => initial,
        };
        prop_assume!(max - low >= 1_000);
        let drawn = fleet(&policy(&shape, spread, 20), seed, 12);
        prop_assert!(spread_over(&drawn, low, max), "not spread from {low} to {max}: {drawn:?}");
    }

    /// The clients that an outage cut off at the same instant do not come back at the same instant.
    #[test]
    fn the_first_wait_is_jittered(
        initial in 1_000_000..1_000 * SECOND, more in 0..=4u64, linear: bool, spread in jitters(), seed: u64,
    ) {
        let max = initial + initial / 2 * more;
        let shape = if linear {
            Shape::Linear { initial, step: 0, max }
        } else {
            Shape::Exponential { initial, multiplier: None, max }
        };
        let spread = fitting(Some(&shape), spread);
        let (low, high) = match spread {
            Spread::None => unreachable!("not drawn"),
            Spread::Full => (0, initial),
            Spread::Equal => (initial - initial / 2, initial),
            Spread::Proportional(share) => {
                let part = part(initial, share);
                (initial - part, max.min(initial + part))
            }
            Spread::Decorrelated => (initial, max.min(3 * initial)),
        };
        prop_assume!(high - low >= 1_000);
        let drawn = fleet(&policy(&shape, spread, 2), seed, 1);
        prop_assert!(spread_over(&drawn, low, high), "not spread from {low} to {high}: {drawn:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule(
        written in policies(), seed: u64,
        calls in vec((any::<bool>(), prop::option::of(spans()), spans()), 1..40),
    ) {
        let decisions = || {
            let clock = ManualClock::new();
            let retry = Retry::with(written.policy(), Arc::new(clock.clone()), Some(seed));
            let mut all = Vec::new();
            let mut call = retry.start(None);
            for (again, hint, pass) in &calls {
                clock.advance(std::time::Duration::from_nanos(*pass));
                let hint = hint.map(overcurrent::Span::from_nanos);
                let decision = call.failed(Failure { retryable: true, hint });
                all.push(decision);
                if !again || matches!(decision, Decision::Stop(_)) {
                    call = retry.start(None);
                }
            }
            all
        };
        prop_assert_eq!(decisions(), decisions());
    }

    #[test]
    fn another_seed_gives_another_schedule(
        initial in SECOND..1_000 * SECOND, spread in jitters(), seed: u64, other: u64,
    ) {
        prop_assume!(seed != other);
        let policy = policy(&Shape::Exponential { initial, multiplier: None, max: 8 * initial }, spread, 20);
        prop_assert_ne!(waits(&policy, seed, 12), waits(&policy, other, 12));
    }

    /// A guard of seed s sleeps as long as a retry of seed mix(s) says.
    #[test]
    fn a_guard_sleeps_as_its_retry_says(
        shape in capped(0..10 * SECOND), spread in spreads(), seed: u64, attempts in 2..8u32,
    ) {
        let recorder = Recorder::new();
        let spread = fitting(Some(&shape), spread);
        let draft = RetryPolicy::draft().no_budget().max_attempts(attempts);
        let policy = policy(&shape, spread, attempts);
        let guard = Guard::builder("law").clock(recorder.clock()).seed(seed).no_breaker().no_deadline()
            .retry(draft.backoff(policy.backoff.clone()).jitter(policy.jitter)).build().unwrap();
        prop_assert!(guard.call(|_| Err::<(), _>("down")).is_err());
        let slept: Vec<u64> = recorder.sleeps().iter().map(|sleep| sleep.span).collect();
        prop_assert_eq!(slept, waits(&policy, mixed(seed), attempts as usize - 1));
    }
}

/// The mixing of SplitMix64.
fn mixed(seed: u64) -> u64 {
    let z = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
