//! Threads that make transitions of one breaker, and listeners that come and go meanwhile.

use std::{sync::Arc, thread};

use overcurrent::{Breaker, BreakerPolicy, Event, ManualClock, subscribe};

const ROUNDS: usize = 300;
const THREADS: usize = 4;
/// So few that no thread can fall behind by more transitions than wait for one that is missing.
const EACH: usize = 16;

/// The epochs and positions of changes of state, which must follow from one another.
fn path(events: impl Iterator<Item = Event>) -> Vec<u32> {
    let mut before = None;
    let step = |event| match event {
        Event::StateChange { old, new, epoch, .. } => {
            if let Some((last, position)) = before {
                assert_eq!((epoch, old), (last + 1, position), "in order, without a gap");
            }
            before = Some((epoch, new));
            epoch
        }
        other => panic!("{other:?}"),
    };
    events.map(step).collect()
}

#[test]
fn changes_of_state_come_in_order_for_every_listener() {
    let policy = Arc::new(BreakerPolicy::consecutive_failures(1).build().expect("the policy is valid"));
    for round in 0..ROUNDS {
        let policy = Arc::clone(&policy);
        let breaker = Arc::new(Breaker::with("ordered", policy, Arc::new(ManualClock::new()), Some(1)));
        let all = (round % 2 == 0).then(|| subscribe(&*breaker, THREADS * EACH));
        thread::scope(|scope| {
            for number in 0..THREADS {
                let breaker = &breaker;
                scope.spawn(move || {
                    for turn in 0..EACH {
                        match (turn + number) % 3 {
                            0 => breaker.reset(),
                            1 => breaker.force_closed(),
                            _ => breaker.force_open(),
                        }
                    }
                });
            }
            // Others come and go meanwhile, in every second round when nobody else listens.
            for _ in 0..3 {
                let some = subscribe(&*breaker, THREADS * EACH);
                thread::yield_now();
                path(some.drain());
            }
        });
        let last = u32::try_from(1 + THREADS * EACH).expect("so few");
        assert_eq!(breaker.cells().state().epoch, last);
        if let Some(all) = all {
            assert_eq!(path(all.drain()), (2..=last).collect::<Vec<_>>());
        }
        let after = subscribe(&*breaker, 10);
        breaker.reset();
        assert_eq!(
            path(after.drain()),
            [last + 1],
            "whatever was told to whom, it is told to who listens now"
        );
    }
}
