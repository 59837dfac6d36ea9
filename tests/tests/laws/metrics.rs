//! What a breaker counts is what happened.

use std::collections::HashMap;

use overcurrent::{BreakerMetrics, Edge, Event, RejectReason, Tally, subscribe};
use proptest::prelude::*;

use crate::{cases::policies, course::Course, run::runs};

/// The rejections, transitions and late outcomes of which a breaker told.
fn told(events: impl Iterator<Item = Event>) -> (Tally<RejectReason>, Tally<Edge>, u64) {
    let (mut rejections, mut transitions, mut late) = (HashMap::new(), HashMap::new(), 0);
    for event in events {
        match event {
            Event::Reject { reason, .. } => *rejections.entry(reason).or_default() += 1,
            Event::StateChange { old: from, new: to, reason, .. } => {
                *transitions.entry(Edge { from, to, reason }).or_default() += 1;
            }
            Event::LateResult { .. } => late += 1,
            other => panic!("{other:?}"),
        }
    }
    let rejections = Tally::new(|reason| rejections.get(&reason).copied().unwrap_or_default());
    (rejections, Tally::new(|edge| transitions.get(&edge).copied().unwrap_or_default()), late)
}

proptest! {
    #![proptest_config(crate::config())]

    #[test]
    fn a_breaker_counts_what_it_tells(written in policies(), seed in any::<u64>(), run in runs()) {
        let mut course = Course::new(written.policy(), seed);
        let events = subscribe(&*course.breaker, 100_000);
        let moved = run.iter().filter(|op| course.step(op).moved.is_some()).count();
        let BreakerMetrics { state, rejections, transitions, late_results, .. } = course.breaker.metrics();
        prop_assert_eq!(transitions.sum(), moved as u64);
        prop_assert_eq!((rejections, transitions, late_results), told(events.drain()));
        prop_assert_eq!((state, late_results), (course.breaker.state(), course.breaker.late()));
    }
}
