//! Who is admitted: nobody before an open breaker's time, and no more probes than the policy says.

use overcurrent::{OpenReason, Outcome, Position, RejectReason};
use proptest::prelude::*;

use crate::{
    cases::{MILLI, Op, Written, policies},
    course::Course,
    run::{probing_runs, runs},
};

/// The last whole millisecond that there is; no time is later.
const LAST: u64 = u64::MAX / MILLI * MILLI;

proptest! {
    #![proptest_config(crate::config())]

    /// What an open breaker says about its time when it opens, it keeps: until then every call is
    /// rejected and told how long that still is, and then one is admitted.
    #[test]
    fn open_admits_nobody_before_its_time(policy in policies(), seed: u64, run in runs()) {
        let mut course = Course::new(policy.policy(), seed);
        let mut until = None;
        for op in &run {
            let before = until;
            let happened = course.step(op);
            if let Some(moved) = happened.moved {
                let opened = moved.to == Position::Open;
                let left = || course.breaker.retry_after().unwrap().as_nanos();
                until = opened.then(|| course.now.saturating_add(left()).min(LAST));
            }
            match (happened.answer, before) {
                (Some(Ok(())), Some(until)) => prop_assert!(course.now >= until, "admitted before {until}"),
                (Some(Err(error)), Some(until)) => {
                    prop_assert!(course.now < until, "rejected at {}, its time was {until}", course.now);
                    prop_assert_eq!(error.reason, RejectReason::Open);
                    prop_assert_eq!(error.retry_after.unwrap().as_nanos(), until - course.now);
                }
                _ => {}
            }
        }
    }

    /// A breaker that opens by itself stays open for no less than `cooldown` and no more than
    /// `cooldown_max` and its jitter; tripped, for as long as it was told; to the millisecond.
    #[test]
    fn open_lasts_as_long_as_the_policy_says(policy in policies(), seed: u64, run in runs()) {
        let rules = policy.policy();
        let jitter = 1_000_000 + u128::from(rules.cooldown_jitter.parts());
        let longest = u128::from(rules.cooldown_max.as_nanos()) * jitter / 1_000_000;
        let mut course = Course::new(rules.clone(), seed);
        for op in &run {
            let happened = course.step(op);
            // Time has an end, and nothing ends after it.
            if course.now > u64::MAX / 2 || happened.moved.is_none_or(|moved| moved.to != Position::Open) {
                continue;
            }
            let reason = happened.moved.and_then(|moved| moved.reason);
            let (least, most) = match op {
                Op::Trip(Some(span)) => (u128::from(*span), u128::from(*span)),
                Op::Trip(None) => (rules.cooldown.as_nanos().into(), rules.cooldown.as_nanos().into()),
                Op::Automatic => (0, 0),
                Op::Restore(_) | Op::Recall(_) => continue,
                _ => {
                    prop_assert_ne!(reason, Some(OpenReason::Manual));
                    (rules.cooldown.as_nanos().into(), longest)
                }
            };
            let lasts = u128::from(course.breaker.retry_after().unwrap().as_nanos());
            let fits = lasts >= least && lasts < most + u128::from(MILLI);
            prop_assert!(fits, "{lasts}, not {least} to {most}");
        }
    }

    /// In a half-open epoch no more than `probes` are out, and no more than `trials` granted net of
    /// those that came back undecided; and as long as neither is reached, a call is admitted.
    #[test]
    fn probes_are_granted_up_to_the_limits_and_no_further(
        policy in policies(), seed: u64, run in probing_runs(),
    ) {
        let policy = Written { cooldown: None, cooldown_max: None, ..policy };
        let rules = policy.policy();
        let trials = rules.close_after + rules.reopen_after - 1;
        let abandoned = |took| rules.abandon_after.is_some_and(|limit| took >= limit.as_nanos());
        let mut course = Course::new(rules.clone(), seed);
        let (mut answered, mut epoch) = (0, 0);
        for op in &run {
            let place = course.outstanding() < rules.probes as usize
                && course.outstanding() + answered < trials as usize;
            let half_open = course.breaker.state() == Position::HalfOpen;
            let happened = course.step(op);
            if happened.epoch != epoch {
                (answered, epoch) = (0, happened.epoch);
            } else if let Some(ended) = happened.ended.filter(|ended| !ended.late) {
                let undecided = match ended.outcome {
                    Outcome::Ignored => true,
                    Outcome::Cancelled => !abandoned(ended.took),
                    Outcome::Success | Outcome::Failure => false,
                };
                answered += usize::from(!undecided);
            }
            if let (true, Some(answer)) = (half_open, &happened.answer) {
                let out = course.outstanding();
                prop_assert_eq!(answer.is_ok(), place, "{} are out, {} answered", out, answered);
            }
            if course.breaker.state() == Position::HalfOpen {
                prop_assert!(course.outstanding() <= rules.probes as usize);
                prop_assert!(course.outstanding() + answered <= trials as usize);
            }
        }
    }
}
