//! Telling in order, with transitions that are told in any order and at any time.

use std::sync::MutexGuard;

use proptest::prelude::*;

use super::*;
use crate::{
    kernel::{
        caller::Caller,
        outcome::{ChangeReason, Position},
        time::Span,
    },
    live::events::{
        filter::Filter,
        subscription::{Subscription, subscribe},
    },
};

/// Whether anybody listens is a matter of the whole process, so one test goes at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn event(epoch: u32) -> Event {
    Event::StateChange {
        breaker: "payments".into(),
        old: Position::Closed,
        new: Position::Open,
        reason: ChangeReason::Manual,
        epoch,
        consecutive: None,
        total: None,
        failures: None,
        slow: None,
        lasted: Span::ZERO,
        open_for: None,
        rejected: 0,
        caller: Caller::default(),
    }
}

/// Tells of a transition that was made at so many milliseconds as its epoch says.
fn tell(course: &Course, epoch: u32) {
    course.tell(epoch, Instant::from_millis(epoch.into()), || event(epoch));
}

fn listen(course: &Course) -> Subscription {
    subscribe(Filter::only(About { guard: 0, breaker: course.source.number() }), 100_000)
}

/// The epochs that were heard, each with how long the state before it lasted.
fn heard(subscription: &Subscription) -> Vec<(u32, u64)> {
    let change = |event| match event {
        Event::StateChange { epoch, lasted, .. } => (epoch, lasted.as_nanos() / 1_000_000),
        other => panic!("{other:?}"),
    };
    subscription.drain().map(change).collect()
}

fn kept(course: &Course) -> usize {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.iter().filter(|kept| kept.breaker == course.source.known()).count()
}

#[test]
fn one_that_comes_early_waits_for_the_one_before_it() {
    let _alone = alone();
    let course = Course::new(1);
    let events = listen(&course);
    for epoch in [2, 4, 6, 5] {
        tell(&course, epoch);
        assert_eq!(heard(&events), if epoch == 2 { vec![(2, 2)] } else { vec![] });
    }
    tell(&course, 3);
    assert_eq!(heard(&events), [(3, 1), (4, 1), (5, 1), (6, 1)]);
    assert_eq!(kept(&course), 0);
}

#[test]
fn who_begins_to_listen_waits_for_none_that_others_have_left_behind() {
    let _alone = alone();
    let course = Course::new(1);
    tell(&course, 3);
    let events = listen(&course);
    tell(&course, 2);
    tell(&course, 4);
    assert_eq!(heard(&events), [(4, 1)], "the third was told to nobody, so the second is not told either");
}

#[test]
fn who_begins_to_listen_hears_of_all_that_are_still_to_be_told() {
    let _alone = alone();
    let course = Course::new(1);
    let events = listen(&course);
    tell(&course, 3);
    let later = listen(&course);
    tell(&course, 2);
    assert_eq!(heard(&events), [(2, 2), (3, 1)]);
    assert_eq!(heard(&later), [(2, 2), (3, 1)]);
}

#[test]
fn none_between_two_that_were_heard_passes_unheard() {
    let _alone = alone();
    let course = Course::new(1);
    let events = listen(&course);
    tell(&course, 2);
    assert!(!course.pass(3, Instant::ZERO), "who had looked before anybody listened must tell");
    tell(&course, 4);
    assert!(!course.pass(3, Instant::ZERO));
    tell(&course, 3);
    assert_eq!(heard(&events), [(2, 2), (3, 1), (4, 1)]);
}

#[test]
fn none_passes_by_one_that_is_kept() {
    let _alone = alone();
    let course = Course::new(1);
    let events = listen(&course);
    tell(&course, 3);
    assert!(!course.pass(4, Instant::ZERO), "who had looked before anybody listened must tell");
    tell(&course, 4);
    tell(&course, 2);
    assert_eq!((heard(&events), kept(&course)), (vec![(2, 2), (3, 1), (4, 1)], 0));
}

#[test]
fn one_that_never_comes_is_not_waited_for_for_ever() {
    let _alone = alone();
    let course = Course::new(1);
    let events = listen(&course);
    let most = u32::try_from(MOST_KEPT).expect("a small number");
    (3..3 + most).for_each(|epoch| tell(&course, epoch));
    assert_eq!((heard(&events), kept(&course)), (vec![], MOST_KEPT));
    tell(&course, 3 + most);
    let all: Vec<u32> = heard(&events).iter().map(|(epoch, _)| *epoch).collect();
    assert_eq!((all, kept(&course)), ((3..=3 + most).collect(), 0));
    tell(&course, 2);
    assert_eq!(heard(&events), [], "it comes too late");
    tell(&course, 4 + most);
    assert_eq!(heard(&events), [(4 + most, 1)]);
}

#[test]
fn epochs_may_wrap() {
    let _alone = alone();
    let course = Course::new(u32::MAX - 1);
    let events = listen(&course);
    for (epoch, at) in [(0, 20), (u32::MAX, 10)] {
        course.tell(epoch, Instant::from_millis(at), || event(epoch));
    }
    assert_eq!(heard(&events), [(u32::MAX, 10), (0, 10)]);
}

#[test]
fn the_end_of_time_fits_beside_the_epoch() {
    let told = Told::new(u32::MAX, Instant::MAX, true);
    assert_eq!((told.at().millis(), told.is_heard()), (Instant::MAX.millis(), true));
    assert_eq!([told.ahead(u32::MAX), told.ahead(0), told.ahead(u32::MAX - 1)], [0, 1, -1]);
}

#[test]
fn rejections_are_counted_until_the_next_transition() {
    let _alone = alone();
    let course = Course::new(1);
    let events = listen(&course);
    assert_eq!([course.reject(), course.reject()], [1, 2]);
    tell(&course, 2);
    assert_eq!(course.reject(), 1);
    tell(&course, 3);
    let counts = events.drain().map(|event| match event {
        Event::StateChange { rejected, .. } => rejected,
        other => panic!("{other:?}"),
    });
    assert_eq!(counts.collect::<Vec<_>>(), [2, 1]);
}

proptest! {
    /// Whatever the order in which transitions are told, as long as none is late by more than may be kept,
    /// and whenever somebody begins to listen: he hears one after the other, up to the last one.
    #[test]
    fn what_is_heard_is_a_path_without_a_gap(
        delays in prop::collection::vec(0u32..20, 1..200), begin in 0usize..200,
    ) {
        let _alone = alone();
        let course = Course::new(1);
        let mut order: Vec<(u32, u32)> = (2u32..).zip(delays).map(|(epoch, delay)| (epoch + delay, epoch)).collect();
        order.sort_unstable();
        let last = order.iter().map(|(_, epoch)| *epoch).max();
        let mut events = None;
        for (number, (_, epoch)) in order.iter().enumerate() {
            if number == begin {
                events = Some(listen(&course));
            }
            tell(&course, *epoch);
        }
        let Some(events) = events else { return Ok(()) };
        let epochs: Vec<u32> = heard(&events).iter().map(|(epoch, _)| *epoch).collect();
        prop_assert!(epochs.windows(2).all(|pair| pair[1] == pair[0] + 1), "{epochs:?}");
        prop_assert!(epochs.is_empty() || epochs.last().copied() == last, "{epochs:?}");
        prop_assert!(begin > 0 || epochs.len() == order.len());
        prop_assert_eq!(kept(&course), 0);
    }
}
