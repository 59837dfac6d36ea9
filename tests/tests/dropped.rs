//! A guarded future dropped at each of its await points, for everything that makes one: no probe is lost, and
//! what was cut off counts as nothing. On tokio's paused time, which the guards' clock follows.

#[path = "dropped/script.rs"]
mod script;
#[path = "dropped/subjects.rs"]
mod subjects;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use overcurrent::{
    Breaker, BreakerDraft, Clock, Guard, GuardBuilder, Instant, Position, RejectReason, RetryPolicy, Span,
    WhenOpen,
};
use script::Script;
use subjects::{SUBJECTS, Subject};

/// Tokio's time, which stands still while anything can go on.
#[derive(Debug)]
struct Paused(tokio::time::Instant);

impl Clock for Paused {
    fn now(&self) -> Instant {
        Instant::ZERO.after(Span::from(self.0.elapsed()))
    }

    fn sleep(&self, span: Span) {
        panic!("a blocking sleep of {span}");
    }
}

fn builder(breaker: BreakerDraft) -> GuardBuilder {
    let retry = RetryPolicy::constant(Duration::from_millis(20)).max_attempts(2);
    let clock = Arc::new(Paused(tokio::time::Instant::now()));
    Guard::builder("g").breaker(breaker).retry(retry).clock(clock).seed(7)
}

/// What five failures and no success open; probes decide one by one.
fn plain() -> BreakerDraft {
    BreakerDraft::default()
        .call_window(20)
        .minimum_calls(5)
        .failure_rate(1.0)
        .cooldown(Duration::from_secs(1))
}

fn guard(builder: GuardBuilder) -> Arc<Guard> {
    Arc::new(builder.build().expect("the policy is valid"))
}

fn breaker(guard: &Guard) -> &Breaker {
    guard.breaker().expect("it has one")
}

/// What `future` gives, if it does when polled so many times; else it is dropped then.
async fn polled<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// How many failures it has counted; more than five where it has counted a success.
fn failures(breaker: &Breaker) -> u32 {
    for more in 0..20 {
        if breaker.state() == Position::Open {
            return 5 - more;
        }
        breaker.acquire().expect("it is closed").failure();
    }
    u32::MAX
}

/// Drops calls of `subject` after every number of polls, each of a guard of its own, and looks at what is
/// left behind. Gives the number of polls that a whole call takes.
async fn at_every_point(
    subject: &Subject,
    script: impl Fn() -> Arc<Script>,
    make: impl Fn() -> Arc<Guard>,
    look: impl Fn(&Guard, &Script, usize),
) -> usize {
    for polls in 0..200 {
        let (guard, script) = (make(), script());
        let call = (subject.call)(Arc::clone(&guard), Arc::clone(&script));
        if polled(call, polls).await.is_some() {
            return polls;
        }
        look(&guard, &script, polls);
    }
    panic!("{} never comes to its end", subject.name);
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_counts_as_nothing() {
    for subject in SUBJECTS {
        let make = || guard(builder(plain()));
        let look = |guard: &Guard, script: &Script, polls| {
            // An attempt that has failed before counts, the one that was cut off does not.
            let counted = failures(breaker(guard));
            assert_eq!(counted, script.failed(), "{}, dropped after {polls} polls", subject.name);
        };
        let polls = at_every_point(subject, || Script::new(1), make, look).await;
        assert!(polls >= 4, "{} has awaited only {polls} times", subject.name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_cut_off_is_free_again() {
    for subject in SUBJECTS {
        let make = || {
            let guard = guard(builder(plain()));
            breaker(&guard).trip(Some(Duration::ZERO)).expect("that is short enough");
            guard
        };
        let look = |guard: &Guard, script: &Script, polls| {
            let (breaker, when) = (breaker(guard), format!("{}, dropped after {polls} polls", subject.name));
            let expected = if script.begun() > 0 || polls > 0 { Position::HalfOpen } else { Position::Open };
            assert_eq!(breaker.state(), expected, "{when}");
            let probe = breaker.acquire().unwrap_or_else(|rejection| panic!("{when}: {rejection}"));
            assert!(breaker.acquire().is_err(), "{when}: more than one probe");
            probe.success();
            assert_eq!(breaker.state(), Position::Closed, "{when}");
            assert_eq!(breaker.late(), 0, "{when}");
        };
        let polls = at_every_point(subject, || Script::new(0), make, look).await;
        assert!(polls >= 3, "{} has awaited only {polls} times", subject.name);
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_an_open_breaker_leaves_nothing_behind() {
    const OPEN: Duration = Duration::from_millis(50);
    for subject in SUBJECTS {
        let make = || {
            let guard = guard(builder(plain()).when_open(WhenOpen::Wait));
            breaker(&guard).trip(Some(OPEN)).expect("that is short enough");
            guard
        };
        let look = |guard: &Guard, _: &Script, polls| {
            let (breaker, when) = (breaker(guard), format!("{}, dropped after {polls} polls", subject.name));
            match breaker.acquire() {
                Ok(probe) => {
                    assert!(breaker.acquire().is_err(), "{when}: more than one probe");
                    probe.success();
                    assert_eq!(breaker.state(), Position::Closed, "{when}");
                }
                Err(rejection) => assert_eq!(rejection.reason, RejectReason::Open, "{when}"),
            }
        };
        let polls = at_every_point(subject, || Script::new(0), make, look).await;
        assert!(polls >= 4, "{} has awaited only {polls} times", subject.name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_gave_up_late_counts_as_a_failure_where_that_is_asked_for() {
    for subject in SUBJECTS {
        let make = || guard(builder(plain().abandon_after(Script::ATTEMPT / 2)));
        let look = |guard: &Guard, script: &Script, polls| {
            // The time of an attempt passes in one of its awaits; those behind it are late.
            let late = u32::from(script.is_late());
            assert_eq!(failures(breaker(guard)), late, "{}, dropped after {polls} polls", subject.name);
        };
        at_every_point(subject, || Script::new(0), make, look).await;
    }
}
