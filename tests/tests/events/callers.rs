//! On whose behalf each event was told: the guard, its attempt, and the context it was made in.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use overcurrent::{
    Breaker, BreakerPolicy, BudgetPolicy, Caller, Event, Guard, ManualClock, RetryPolicy, Sleep, Standard,
    StopReason, TraceContext, WhenOpen, subscribe,
};

const MS: Duration = Duration::from_millis(1);

fn context(id: &str) -> TraceContext {
    TraceContext::begin().with_correlation_id(id).expect("it is one")
}

/// The events, each with the guard, the attempt and the request that it was told for.
fn whose(events: impl IntoIterator<Item = Event>) -> Vec<(&'static str, String)> {
    let shown = |caller: &Caller| {
        let guard = caller.guard.as_deref().unwrap_or("-");
        let attempt = caller.attempt.map_or("-".to_owned(), |attempt| attempt.to_string());
        format!("{guard} {attempt} {}", caller.correlation_id.as_deref().unwrap_or("-"))
    };
    events.into_iter().map(|event| (event.name(), event.caller().map(shown).unwrap_or_default())).collect()
}

fn told(expected: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    expected.iter().map(|(name, whose)| (*name, (*whose).to_owned())).collect()
}

/// Two attempts, which the breaker opens after, on a clock.
fn guard(name: &str) -> (Guard, ManualClock) {
    let clock = ManualClock::new();
    let retry = RetryPolicy::constant(MS).max_attempts(3).no_budget();
    let guard = Guard::builder(name)
        .retry(retry)
        .breaker(
            BreakerPolicy::consecutive_failures(2).abandon_after(5 * MS).cooldown(Duration::from_secs(1)),
        )
        .attempt_timeout(10 * MS)
        .clock(Arc::new(clock.clone()))
        .seed(1)
        .build()
        .expect("it is valid");
    (guard, clock)
}

#[test]
fn each_event_of_a_call_says_whose_it_is_wherever_it_is_heard() {
    let (guard, clock) = guard("pay");
    let events = subscribe(&guard, 100);
    let context = context("order-7");
    let late = guard.breaker().expect("it has one").acquire_owned().expect("it is closed");
    context.scope(|| {
        let _ = guard.call(|_| {
            clock.advance(10 * MS);
            Ok::<_, ()>(())
        });
        let _ = guard.call(|_| Ok::<_, ()>(()));
    });
    late.success();
    let _ = guard.call(|_| Ok::<_, ()>(()));
    let heard: Vec<Event> = thread::scope(|scope| {
        let there = scope.spawn(|| events.drain().collect());
        there.join().expect("it does not panic")
    });
    for event in &heard[..6] {
        let caller = event.caller().expect("it has a caller");
        assert_eq!((caller.trace_id, caller.span_id), (context.trace_id(), context.span_id()));
    }
    let expected = [
        ("timeout", "pay 1 order-7"),
        ("retry", "pay 1 order-7"),
        ("timeout", "pay 2 order-7"),
        ("state_change", "pay 2 order-7"),
        ("give_up", "pay 2 order-7"),
        ("reject", "pay 1 order-7"),
        ("late_result", "- - -"),
        ("reject", "pay 1 -"),
    ];
    assert_eq!(whose(heard), told(&expected));
}

#[test]
fn a_breaker_that_was_asked_or_commanded_itself_knows_the_context_alone() {
    let clock = ManualClock::new();
    let policy = BreakerPolicy::consecutive_failures(1).build().expect("the policy is valid");
    let breaker = Breaker::with("alone", policy, Arc::new(clock), Some(1));
    let events = subscribe(&breaker, 100);
    context("order-7").scope(|| {
        let late = breaker.acquire().expect("it is closed");
        breaker.acquire().expect("it is closed").failure();
        late.failure();
        assert!(breaker.acquire().is_err());
    });
    breaker.reset();
    let its = "- - order-7";
    let expected = [("state_change", its), ("late_result", its), ("reject", its), ("state_change", "- - -")];
    assert_eq!(whose(events.drain()), told(&expected));
}

#[test]
fn the_attempt_is_that_which_failed_or_was_asked_for() {
    let clock = ManualClock::new();
    let retry = RetryPolicy::constant(MS).max_attempts(5).budget(BudgetPolicy::draft().burst(1).ratio(0.0));
    let guard = Guard::builder("asks")
        .retry(retry)
        .breaker(BreakerPolicy::consecutive_failures(1).cooldown(50 * MS))
        .when_open(WhenOpen::Wait)
        .clock(Arc::new(clock.clone()))
        .seed(1)
        .build()
        .expect("it is valid");
    let events = subscribe(&guard, 100);
    let error = guard.call(|_| Err::<(), _>("down")).expect_err("it fails");
    assert_eq!(error.account().and_then(|account| account.stop), Some(StopReason::BudgetExhausted));
    let heard = whose(events.drain());
    let rejections = heard.iter().filter(|(name, _)| *name == "reject").count();
    assert!(rejections >= 1, "{heard:?}");
    let mut expected = told(&[("state_change", "asks 1 -"), ("retry", "asks 1 -")]);
    expected.extend(vec![("reject", "asks 2 -".to_owned()); rejections]);
    let rest = ["state_change", "state_change", "budget_exhausted", "give_up"];
    expected.extend(rest.map(|name| (name, "asks 2 -".to_owned())));
    assert_eq!(heard, expected);
}

#[test]
fn what_a_first_attempt_or_a_refusal_without_a_machine_tells_says_whose_it_is() {
    let (guard, _) = guard("first");
    let breaker = guard.breaker().expect("it has one");
    let events = subscribe(&guard, 100);
    context("order-7").scope(|| {
        let first = guard.first().expect("it is closed");
        breaker.trip(None).expect("no span is given");
        assert!(guard.succeeded(first), "it is late at the breaker alone");
        assert!(guard.refused().is_some());
    });
    let expected =
        [("state_change", "- - order-7"), ("late_result", "first 1 order-7"), ("reject", "first 1 order-7")];
    assert_eq!(whose(events.drain()), told(&expected));
}

/// Never wakes: what is polled again has waited long enough.
struct Polls;

impl Sleep for Polls {
    fn sleep(&self, _: Duration) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

#[test]
fn futures_that_take_turns_on_one_thread_each_have_their_own_context() {
    let (guard, _) = guard("turns");
    let events = subscribe(&guard, 100);
    let call = |id: &str| {
        let mut polled = false;
        context(id).in_scope(guard.run_on(&Polls, &Standard, move |_| {
            poll_fn(move |_| {
                if std::mem::replace(&mut polled, true) {
                    Poll::Ready(Err::<(), _>("down"))
                } else {
                    Poll::Pending
                }
            })
        }))
    };
    let (mut one, mut other) = (pin!(call("one")), pin!(call("other")));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        assert!(one.as_mut().poll(&mut cx).is_pending());
        let _ = other.as_mut().poll(&mut cx);
    }
    assert_eq!(TraceContext::current(), None);
    let expected =
        [("retry", "turns 1 one"), ("state_change", "turns 1 other"), ("give_up", "turns 1 other")];
    assert_eq!(whose(events.drain()), told(&expected));
}

#[test]
fn a_call_that_is_dropped_with_its_future_is_cancelled_in_its_context() {
    let (guard, clock) = guard("dropped");
    let events = subscribe(&guard, 100);
    for id in ["one", "other"] {
        let call = guard.run_on(&Polls, &Standard, |_| std::future::pending::<Result<(), ()>>());
        let mut call = Box::pin(context(id).in_scope(call));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        clock.advance(6 * MS);
        drop(call);
    }
    assert_eq!(whose(events.drain()), told(&[("state_change", "dropped 1 other")]));
}
