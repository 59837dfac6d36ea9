//! Restored from one snapshot, breakers decide the same ever after.

use overcurrent::{BreakerPolicy, Position, Snapshot, Window};
use proptest::{collection::vec, prelude::*};

use crate::{
    cases::{MILLI, Op, SECOND, Written, policies},
    course::{Course, Happened},
    run::{runs, snapshot},
};

/// Without chance, which two breakers of different pasts do not share.
fn certain(written: &Written) -> BreakerPolicy {
    Written { cooldown_jitter: Some(0), ..written.clone() }.policy()
}

/// A stretch of time that leaves whole milliseconds and the buckets of a window where they are.
fn period(policy: &BreakerPolicy) -> u64 {
    match policy.window.map(|rules| rules.window) {
        Some(Window::Time { width, .. }) => width.as_nanos() * 1_000_000,
        _ => 1_000_000,
    }
}

/// No step that takes one of two clocks where the other cannot follow.
fn together(run: Vec<Op>) -> Vec<Op> {
    run.into_iter().filter(|op| !matches!(op, Op::Jump(_) | Op::Save | Op::Recall(_))).collect()
}

/// What can be seen of a step, and of the breaker after it.
fn seen(course: &Course, happened: Happened) -> impl PartialEq + std::fmt::Debug + use<> {
    let answer = happened.answer.map(|answer| answer.map_err(|error| (error.reason, error.retry_after)));
    let moved = happened.moved.map(|moved| (moved.from, moved.to, moved.reason));
    let breaker = &course.breaker;
    (answer, moved, breaker.state(), breaker.reason(), breaker.retry_after(), breaker.snapshot())
}

proptest! {
    #![proptest_config(crate::config())]

    /// Whatever went before in each of them, and wherever their clocks are.
    #[test]
    fn two_breakers_restored_from_one_snapshot_decide_the_same(
        written in policies(), past in runs(), numbers: (u64, u64), periods in 0..4u64, run in runs(),
    ) {
        let policy = certain(&written);
        // So late that no step back comes to the beginning of time.
        let base = 4_000_000_000 * SECOND / period(&policy) * period(&policy);
        let (mut one, mut other) = (Course::new(policy.clone(), 1), Course::new(policy.clone(), 2));
        for op in &past {
            one.step(op);
        }
        while one.step(&Op::Drop(0)).ended.is_some() {}
        one.step(&Op::Jump(base));
        other.step(&Op::Jump(base + periods * period(&policy)));
        let written = snapshot(numbers.0, numbers.1);
        let snapshot = Snapshot::from_json(&written.to_json()).unwrap();
        prop_assert_eq!(&snapshot, &written);
        let restore = Op::Restore(snapshot);
        let restored = [&mut one, &mut other].map(|each| each.step(&restore).moved.is_some());
        prop_assert_eq!(restored[0], restored[1]);
        prop_assume!(restored[0]);
        for op in &together(run) {
            let (here, there) = (one.step(op), other.step(op));
            prop_assert_eq!(seen(&one, here), seen(&other, there), "{:?}", op);
        }
    }

    /// A breaker that is open or forced goes on in its copy as it would have gone on itself, as long as its
    /// probes fail: the same time remains, and the next cooldowns grow from where they were.
    #[test]
    fn a_copy_goes_on_where_the_original_was(
        written in policies(), past in runs(), fates in vec((0..3 * SECOND, any::<bool>()), 1..40),
    ) {
        let one_probe = Written { close_after: Some(1), reopen_after: Some(1), probes: Some(1), ..written };
        let policy = certain(&one_probe);
        let (mut one, mut other) = (Course::new(policy.clone(), 1), Course::new(policy, 2));
        for op in &together(past) {
            one.step(op);
        }
        while one.step(&Op::Drop(0)).ended.is_some() {}
        if matches!(one.breaker.state(), Position::Closed | Position::HalfOpen) {
            one.step(&Op::Trip(None));
        }
        // A copy rounds up what remains to a whole millisecond, as every cooldown.
        one.step(&Op::Jump(one.now.next_multiple_of(MILLI)));
        let snapshot = one.breaker.snapshot();
        other.step(&Op::Jump(one.now));
        prop_assume!(other.step(&Op::Restore(snapshot.clone())).moved.is_some());
        prop_assert_eq!(&other.breaker.snapshot(), &snapshot);
        for (pass, acquire) in fates {
            let ops = [Op::Pass(pass), Op::Acquire, Op::Settle(0, overcurrent::Outcome::Failure, None)];
            for op in &ops[..if acquire { 3 } else { 1 }] {
                let (here, there) = (one.step(op), other.step(op));
                prop_assert_eq!(seen(&one, here), seen(&other, there), "{:?}", op);
            }
        }
    }
}
