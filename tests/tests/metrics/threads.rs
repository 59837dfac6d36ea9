//! Threads that call through one guard: at the end every call is counted, and at no time more than there were.

use std::{sync::Arc, thread};

use overcurrent::{Ending, Guard, Metrics, Origin, RejectReason, RetryPolicy, metrics, register};

const THREADS: u64 = 4;
const EACH: u64 = 4_000;

/// Counters only grow.
fn assert_no_less(before: &Metrics, after: &Metrics) {
    let (before, after) = (&before.guards[0], &after.guards[0]);
    assert!(before.calls.iter().zip(after.calls.iter()).all(|(before, after)| before.1 <= after.1));
    assert!(before.attempts.iter().zip(after.attempts.iter()).all(|(before, after)| before.1 <= after.1));
    assert!(after.calls.sum() + after.in_flight <= THREADS * EACH);
}

#[test]
fn totals_are_exact_when_all_is_done() {
    let retry = RetryPolicy::no_backoff().max_attempts(2).no_budget();
    let guard = Guard::builder("threads").retry(retry).no_breaker().measure_durations().build();
    let guard = guard.expect("the policy is valid");
    thread::scope(|scope| {
        let callers: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    for nth in 0..EACH {
                        // Of eight calls one fails twice, and one once.
                        let fails = match nth % 8 {
                            0 => 2,
                            1 => 1,
                            _ => 0,
                        };
                        let call = |attempt| if attempt > fails { Ok(()) } else { Err(()) };
                        let result = guard.call(|cx| call(cx.attempt()));
                        assert_eq!(result.is_err(), fails == 2);
                    }
                })
            })
            .collect();
        let mut before = Metrics::of(&guard);
        while callers.iter().any(|caller| !caller.is_finished()) {
            let now = Metrics::of(&guard);
            assert_no_less(&before, &now);
            before = now;
        }
    });
    let metrics = guard.metrics();
    let eighth = THREADS * EACH / 8;
    let of = |tally: &overcurrent::Tally<Ending>| {
        (tally.of(Ending::Success), tally.of(Ending::Failure), tally.sum())
    };
    assert_eq!(of(&metrics.calls), (7 * eighth, eighth, 8 * eighth));
    assert_eq!(of(&metrics.attempts), (7 * eighth, 3 * eighth, 10 * eighth));
    assert_eq!((metrics.retries.of(Origin::Backoff), metrics.give_ups.sum()), (2 * eighth, eighth));
    assert_eq!((metrics.in_flight, metrics.durations.expect("measured").count()), (0, 8 * eighth));
}

#[test]
fn threads_that_come_and_go_are_counted_and_rejections_too() {
    let guard = Arc::new(Guard::builder("come and go").build().expect("the policy is valid"));
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| guard.call(|_| Ok::<_, ()>(())));
            scope.spawn(|| register(&Arc::new(Guard::builder("gone").build().expect("the policy is valid"))));
            scope.spawn(|| metrics().prometheus().len());
        }
    });
    assert_eq!(guard.metrics().calls.of(Ending::Success), 50);
    let breaker = guard.breaker().expect("it has one");
    breaker.force_open();
    thread::scope(|scope| {
        (0..4).for_each(|_| {
            scope.spawn(|| (0..100).for_each(|_| assert!(guard.call(|_| Ok::<_, ()>(())).is_err())));
        });
    });
    assert_eq!(breaker.metrics().rejections.of(RejectReason::ForcedOpen), 400);
    assert_eq!(guard.metrics().calls.of(Ending::Rejected), 400);
}
