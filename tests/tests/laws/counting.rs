//! What is counted: every outcome at most once, and none of an epoch that is over.

use std::time::Duration;

use overcurrent::{BreakerPolicy, Guard, Outcome, Position};
use proptest::{collection::vec, prelude::*};

use crate::{
    cases::{Op, SECOND, policies},
    course::Course,
    recorder::Recorder,
    run::runs,
};

/// Opens at the first failure once so many outcomes have been counted: so it shows how many were.
fn counter(minimum: u32, timed: bool) -> overcurrent::BreakerDraft {
    let draft = BreakerPolicy::failure_rate(0.000_001).minimum_calls(minimum);
    if timed { draft.time_window(Duration::from_secs(24 * 3_600)) } else { draft.call_window(1_000) }
}

/// Calls that overlap: admissions, and ends in any order, by use or by dropping.
fn overlapping() -> impl Strategy<Value = Vec<Op>> {
    let outcome = prop_oneof![
        4 => Just(Outcome::Success), 2 => Just(Outcome::Failure), 1 => Just(Outcome::Ignored),
        1 => Just(Outcome::Cancelled),
    ];
    let op = (0..11u32, 0..8usize, outcome, 0..SECOND).prop_map(|(kind, nth, outcome, nanos)| match kind {
        0..=4 => Op::Acquire,
        5..=8 => Op::Settle(nth, outcome, (nanos % 2 > 0).then_some(nanos)),
        9 => Op::Drop(nth),
        _ => Op::Pass(60 * nanos),
    });
    vec(op, 1..200)
}

proptest! {
    #![proptest_config(crate::config())]

    /// The window holds as many outcomes as calls have ended in success or failure, not one more or
    /// less, however they overlap, and though each permit is dropped after it was used.
    #[test]
    fn an_outcome_is_counted_once(minimum in 1..40u32, timed: bool, run in overlapping()) {
        let mut course = Course::new(counter(minimum, timed).build().unwrap(), 0);
        let mut counted = 0;
        for op in &run {
            let ended = course.step(op).ended.filter(|ended| !ended.late).map(|ended| ended.outcome);
            counted += u32::from(matches!(ended, Some(Outcome::Success | Outcome::Failure)));
            let opens = ended == Some(Outcome::Failure) && counted >= minimum;
            prop_assert_eq!(course.breaker.state() == Position::Open, opens, "{} were counted", counted);
            if opens {
                break;
            }
        }
    }

    /// The same through a guard: each attempt is one outcome.
    #[test]
    fn an_attempt_is_counted_once(
        minimum in 1..12u32, timed: bool, attempts in vec(prop::bool::weighted(0.7), 1..40),
    ) {
        let recorder = Recorder::new();
        let guard = Guard::builder("law").clock(recorder.clock()).breaker(counter(minimum, timed))
            .no_retry().build().unwrap();
        for (before, good) in (0..).zip(attempts) {
            let result = guard.call(|_| if good { Ok(()) } else { Err("down") });
            prop_assert_eq!(result.is_ok(), good);
            let opens = !good && before + 1 >= minimum;
            let state = guard.breaker().unwrap().state();
            prop_assert_eq!(state == Position::Open, opens, "after {} attempts", before + 1);
            if opens {
                break;
            }
        }
    }

    /// An outcome of an epoch that is over is late, changes nothing else, and nothing else is late.
    #[test]
    fn an_epoch_that_is_over_changes_nothing(policy in policies(), seed: u64, run in runs()) {
        let mut course = Course::new(policy.policy(), seed);
        let mut late = 0;
        for op in &run {
            let before = (course.breaker.snapshot(), course.breaker.state());
            let happened = course.step(op);
            if happened.ended.is_some_and(|ended| ended.late) {
                late += 1;
                prop_assert!(happened.moved.is_none());
                prop_assert_eq!(before, (course.breaker.snapshot(), course.breaker.state()));
            }
            prop_assert_eq!(course.breaker.late(), late);
        }
    }
}
