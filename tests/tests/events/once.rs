//! Each decision is told once, and nothing without one: random operations on one breaker, whose changes of
//! state must form a path through its states.

use std::{collections::HashMap, sync::Arc, time::Duration};

use overcurrent::{
    Breaker, BreakerPolicy, ChangeReason, Event, ManualClock, OpenReason, Outcome, Position, Span, subscribe,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    Acquire,
    Record(usize, Outcome),
    Advance(u64),
    Trip,
    Reset,
    ForceOpen,
    ForceClosed,
    Automatic,
    Restore,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let outcome = prop::sample::select(Outcome::ALL);
    let op = prop_oneof![
        10 => Just(Op::Acquire),
        12 => (0usize..4, outcome).prop_map(|(nth, outcome)| Op::Record(nth, outcome)),
        6 => (0u64..40).prop_map(Op::Advance),
        1 => prop::sample::select(&[
            Op::Trip, Op::Reset, Op::ForceOpen, Op::ForceClosed, Op::Automatic, Op::Restore,
        ][..]),
    ];
    prop::collection::vec(op, 0..120)
}

/// Whether a reason leads from one state to another.
fn fits(old: Position, new: Position, reason: ChangeReason) -> bool {
    use ChangeReason as Why;
    use Position::{Closed, ForcedClosed, ForcedOpen, HalfOpen, Open};
    match reason {
        Why::ConsecutiveFailures | Why::FailureRate | Why::SlowRate => (old, new) == (Closed, Open),
        Why::ProbeFailed | Why::ProbeTimeout => (old, new) == (HalfOpen, Open),
        Why::CooldownOver => (old, new) == (Open, HalfOpen),
        Why::ProbesSucceeded => (old, new) == (HalfOpen, Closed),
        Why::Manual => new == Open,
        Why::Reset => new == Closed,
        Why::Forced => matches!(new, ForcedOpen | ForcedClosed),
        Why::Automatic => matches!((old, new), (ForcedOpen, Open) | (ForcedClosed, Closed)),
        Why::Restored => true,
    }
}

proptest! {
    #[test]
    fn changes_of_state_form_a_path_and_every_decision_is_told_once(ops in ops()) {
        let clock = ManualClock::new();
        let draft = BreakerPolicy::failure_rate(0.5)
            .call_window(4)
            .minimum_calls(3)
            .slow_call(Duration::from_millis(20))
            .probes(2)
            .close_after(2)
            .cooldown(Duration::from_millis(30))
            .probe_timeout(Duration::from_millis(50));
        let policy = draft.build().expect("the policy is valid");
        let breaker = Arc::new(Breaker::with("path", policy, Arc::new(clock.clone()), Some(7)));
        let events = subscribe(&*breaker, 100_000);
        let snapshot = breaker.snapshot();
        let (mut permits, mut told, mut late) = (Vec::new(), HashMap::<_, u64>::new(), 0);
        let (mut position, mut epoch, mut since, mut rejected) = (Position::Closed, 1, 0, 0);
        let mut now = 0;

        for op in ops {
            let before = breaker.cells().state();
            let mut refused = false;
            match op {
                Op::Acquire => match breaker.acquire_owned() {
                    Ok(permit) => permits.push(permit),
                    Err(_) => refused = true,
                },
                Op::Record(nth, outcome) if nth < permits.len() => permits.swap_remove(nth).record(outcome),
                Op::Record(..) => {}
                Op::Advance(millis) => {
                    now += millis;
                    clock.advance(Duration::from_millis(millis));
                }
                Op::Trip => breaker.trip(None).expect("no time is given"),
                Op::Reset => breaker.reset(),
                Op::ForceOpen => breaker.force_open(),
                Op::ForceClosed => breaker.force_closed(),
                Op::Automatic => breaker.automatic(),
                Op::Restore => breaker.restore(&snapshot).expect("it is its own"),
            }
            let changed = breaker.cells().state().epoch != before.epoch;
            let came: Vec<_> = events.drain().collect();
            let lately = u64::from(breaker.late() != late);
            late = breaker.late();
            prop_assert_eq!(came.len() as u64, u64::from(changed) + u64::from(refused) + lately, "{:?}", came);
            for event in came {
                *told.entry(event.name()).or_default() += 1;
                match event {
                    Event::StateChange { old, new, reason, epoch: began, lasted, rejected: counted, open_for, total, .. } => {
                        prop_assert_eq!((old, began, counted), (position, epoch + 1, rejected));
                        prop_assert_eq!((new, began), (breaker.state(), breaker.cells().state().epoch));
                        prop_assert!(fits(old, new, reason), "{old} to {new}: {reason}");
                        prop_assert_eq!(lasted, Span::from_millis(now - since));
                        prop_assert_eq!(open_for.is_some(), new == Position::Open);
                        let tested = matches!(reason, ChangeReason::FailureRate | ChangeReason::SlowRate);
                        prop_assert_eq!(total.is_some(), tested);
                        if let Some(why) = breaker.reason().filter(|_| tested) {
                            prop_assert_eq!(ChangeReason::from(why), reason);
                            prop_assert!(matches!(why, OpenReason::FailureRate | OpenReason::SlowRate));
                        }
                        (position, epoch, since, rejected) = (new, began, now, 0);
                    }
                    Event::Reject { nth, retry_after, .. } => {
                        rejected += 1;
                        prop_assert_eq!(nth, rejected);
                        prop_assert_eq!(retry_after, breaker.retry_after());
                    }
                    Event::LateResult { .. } => {}
                    other => prop_assert!(false, "{:?} has no cause", other),
                }
            }
        }
        prop_assert_eq!(told.get("late_result").copied().unwrap_or_default(), breaker.late());
        permits.into_iter().for_each(std::mem::forget);
    }
}
