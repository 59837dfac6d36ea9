//! The guard's joint decision, rule by rule, through the blocking and the asynchronous driver, on a
//! manual clock.

use std::{
    cell::{Cell, RefCell},
    error::Error as StdError,
    future::{Future, pending},
    pin::pin,
    sync::Arc,
    task::{Context as TaskContext, Poll, Waker},
    time::Duration,
};

use overcurrent::{
    BreakerOpen, BreakerPolicy, BudgetPolicy, Clock, Error, ErrorCode, Failure, Guard, GuardBuilder,
    LoadError, ManualClock, OpenReason, Position, RejectReason, RetryPolicy, Sleep, Span, Standard,
    StopReason, Surrounds, Verdict, WhenOpen,
};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A guard on a manual clock, its first wait 100 ms and the next ones doubled, without jitter.
fn builder(clock: &ManualClock) -> GuardBuilder {
    Guard::builder("test").clock(Arc::new(clock.clone())).seed(1).retry(plain_retry())
}

fn plain_retry() -> overcurrent::RetryDraft {
    RetryPolicy::exponential(ms(100), ms(5_000)).jitter(overcurrent::Jitter::None)
}

fn stop<E>(error: &Error<E>) -> Option<StopReason> {
    error.account().and_then(|account| account.stop)
}

#[test]
fn the_callers_own_error_comes_back_after_the_last_attempt() {
    let clock = ManualClock::new();
    let guard = builder(&clock).build().unwrap();
    let attempts = RefCell::new(Vec::new());
    let error = guard
        .call(|cx| {
            attempts.borrow_mut().push((cx.attempt(), cx.idempotency_key()));
            Err::<(), _>(format!("failure {}", cx.attempt()))
        })
        .unwrap_err();

    let numbers: Vec<u32> = attempts.borrow().iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let keys: std::collections::BTreeSet<String> =
        attempts.into_inner().into_iter().map(|(_, key)| key).collect();
    assert_eq!(keys.len(), 1, "one key per call, the same on every attempt");
    assert_eq!(stop(&error), Some(StopReason::AttemptsExhausted));
    assert_eq!(error.account().unwrap().elapsed, ms(300), "100 ms and 200 ms were waited");
    assert_eq!(error.into_own().as_deref(), Some("failure 3"));
}

#[test]
fn a_failing_value_is_returned_when_retries_end_on_it() {
    let clock = ManualClock::new();
    let guard = builder(&clock).build().unwrap();
    let classify = |result: &Result<u16, ()>| match result {
        Ok(200) => Verdict::Success,
        _ => Verdict::Failure(Failure { retryable: true, hint: Some(Span::from_secs(1)) }),
    };
    assert_eq!(guard.call_with(&classify, |_| Ok(503)).unwrap(), 503);
    assert_eq!(clock.now().millis(), 2_000, "the hint is a floor of both waits");
}

#[test]
fn what_cannot_be_cured_is_not_retried() {
    let guard = builder(&ManualClock::new()).build().unwrap();
    let calls = Cell::new(0);
    let final_failure = |_: &Result<(), &str>| Verdict::Failure(Failure::FINAL);
    let error = guard
        .call_with(&final_failure, |_| {
            calls.set(calls.get() + 1);
            Err("bad request")
        })
        .unwrap_err();
    assert_eq!((calls.get(), stop(&error)), (1, Some(StopReason::NotRetryable)));
}

#[test]
fn an_ignored_error_is_handed_over_and_counts_as_nothing() {
    let guard = builder(&ManualClock::new()).breaker(BreakerPolicy::consecutive_failures(1)).build().unwrap();
    let ignored = |_: &Result<(), &str>| Verdict::Ignored;
    let error = guard.call_with(&ignored, |_| Err("not its fault")).unwrap_err();
    assert_eq!(error.into_own(), Some("not its fault"));
    assert_eq!(guard.breaker().unwrap().state(), Position::Closed);
}

#[test]
fn a_rejection_by_another_breaker_is_ignored_by_default() {
    let guard = builder(&ManualClock::new()).breaker(BreakerPolicy::consecutive_failures(1)).build().unwrap();
    let rejection = BreakerOpen { breaker: "inner".into(), reason: RejectReason::Open, retry_after: None };
    let calls = Cell::new(0);
    let boxed = guard.call(|_| {
        calls.set(calls.get() + 1);
        Err::<(), Box<dyn StdError + Send + Sync>>(Box::new(rejection.clone()))
    });
    assert!(boxed.is_err() && calls.get() == 1);
    assert!(guard.call(|_| Err::<(), _>(rejection.clone())).is_err());
    assert_eq!(guard.breaker().unwrap().state(), Position::Closed);
}

#[test]
fn an_open_breaker_never_runs_the_function() {
    let clock = ManualClock::new();
    let guard = builder(&clock).build().unwrap();
    guard.breaker().unwrap().trip(Some(ms(700))).unwrap();
    let error = guard.call(|_| -> Result<(), ()> { unreachable!("the breaker is open") }).unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::BreakerOpen));
    let Error::BreakerOpen(error) = error else { panic!("{error:?}") };
    assert_eq!((error.breaker.as_str(), error.retry_after), ("test", Some(Span::from_millis(700))));
    assert_eq!(error.to_string(), "breaker `test` is open, retry after 700 ms");
}

#[test]
fn retries_stop_when_the_breaker_opens_under_them() {
    let guard = builder(&ManualClock::new()).breaker(BreakerPolicy::consecutive_failures(2)).build().unwrap();
    let error = guard.call(|_| Err::<(), _>("down")).unwrap_err();
    assert_eq!(stop(&error), Some(StopReason::BreakerOpen));
    assert_eq!(error.account().unwrap().attempts, 2);
    assert_eq!(error.into_own(), Some("down"));
}

#[test]
fn a_wait_that_outlasts_the_cooldown_is_waited() {
    let clock = ManualClock::new();
    let breaker = BreakerPolicy::consecutive_failures(1).cooldown(ms(50)).cooldown_jitter(0.0);
    let guard = builder(&clock).breaker(breaker).build().unwrap();
    let answer = guard.call(|cx| if cx.attempt() == 1 { Err("down") } else { Ok("up") });
    assert_eq!(answer.unwrap(), "up");
    assert_eq!(guard.breaker().unwrap().state(), Position::Closed);
}

#[test]
fn when_open_can_wait_for_the_breaker() {
    let clock = ManualClock::new();
    let guard = builder(&clock).when_open(WhenOpen::Wait).build().unwrap();
    guard.breaker().unwrap().trip(Some(ms(700))).unwrap();
    assert_eq!(guard.call(|cx| Ok::<_, ()>(cx.attempt())).unwrap(), 1, "a rejection is no attempt");
    assert_eq!(clock.now().millis(), 700);

    guard.breaker().unwrap().force_open();
    let error = guard.call(|_| Ok::<_, ()>(())).unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::BreakerOpen), "forced open fails at once");

    let guard = builder(&clock).when_open(WhenOpen::Wait).deadline(ms(700)).build().unwrap();
    guard.breaker().unwrap().trip(Some(ms(700))).unwrap();
    let error = guard.call(|_| Ok::<_, ()>(())).unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::BreakerOpen), "it would end at the deadline");
}

#[test]
fn waiting_for_an_open_breaker_takes_no_token_and_at_least_ten_milliseconds() {
    let clock = ManualClock::new();
    let retry = RetryPolicy::no_backoff().budget(BudgetPolicy::draft().ratio(0.0).burst(1));
    let guard = builder(&clock).retry(retry).when_open(WhenOpen::Wait).build().unwrap();
    guard.breaker().unwrap().trip(Some(ms(1))).unwrap();
    assert!(guard.call(|_| Ok::<_, ()>(())).is_ok());
    assert_eq!(clock.now().millis(), 10);
    assert_eq!(guard.budget().unwrap().tokens_micro(), 1_000_000);
}

#[test]
fn the_budget_bounds_the_retries_of_all_calls_together() {
    let clock = ManualClock::new();
    let budget = BudgetPolicy::draft().ratio(0.1).min_per_second(0.0).burst(2);
    let retry = RetryPolicy::no_backoff().budget(budget);
    let guard = builder(&clock).retry(retry).no_breaker().build().unwrap();
    let attempts = Cell::new(0u32);
    for _ in 0..100 {
        let _ = guard.call(|_| {
            attempts.set(attempts.get() + 1);
            Err::<(), _>(())
        });
    }
    // The burst of 2, and a tenth of the calls; the deposits into a full budget are lost.
    assert_eq!(attempts.get(), 100 + 2 + 9);
}

#[test]
fn no_wait_ends_at_or_after_the_deadline() {
    let clock = ManualClock::new();
    let guard = builder(&clock).deadline(ms(300)).build().unwrap();
    let error = guard.call(|_| Err::<(), _>("down")).unwrap_err();
    assert_eq!((stop(&error), error.account().unwrap().attempts), (Some(StopReason::Deadline), 2));
    assert_eq!(clock.now().millis(), 100);
}

#[test]
fn a_blocking_attempt_that_takes_too_long_is_judged_as_cut() {
    let clock = ManualClock::new();
    let guard = builder(&clock).attempt_timeout(ms(50)).build().unwrap();
    let error = guard
        .call(|_| {
            clock.advance(ms(50));
            Ok::<_, String>("too late")
        })
        .unwrap_err();
    assert_eq!(
        (error.code(), stop(&error)),
        (Some(ErrorCode::AttemptTimeout), Some(StopReason::AttemptsExhausted))
    );
    assert_eq!(error.to_string(), "attempt 3 of `test` timed out after 50 ms");
    assert_eq!(error.account().unwrap().attempts, 3, "a timeout is retryable");
}

#[test]
fn the_deadline_that_cuts_an_attempt_ends_the_call() {
    let clock = ManualClock::new();
    let breaker = BreakerPolicy::consecutive_failures(2).probe_timeout(ms(60_000));
    let guard = builder(&clock).deadline(ms(120)).breaker(breaker).build().unwrap();
    let error = guard
        .call(|cx| {
            if cx.attempt() == 2 {
                assert_eq!(cx.remaining(), Some(ms(20)));
                clock.advance(ms(20));
            }
            Err::<(), _>(format!("failure {}", cx.attempt()))
        })
        .unwrap_err();
    assert_eq!(error.to_string(), "call of `test` exceeded its deadline of 120 ms in attempt 2");
    let state = guard.breaker().unwrap().state();
    assert_eq!(state, Position::Closed, "after a wait the cut is ignored: the caller had little time left");
    assert_eq!(error.into_own().as_deref(), Some("failure 1"), "the last failure is the cause");
}

#[test]
fn a_deadline_names_the_attempt_that_timed_out_before_it() {
    let clock = ManualClock::new();
    let guard = builder(&clock).attempt_timeout(ms(50)).deadline(ms(170)).build().unwrap();
    let error = guard
        .call(|_| {
            clock.advance(ms(50));
            Ok::<_, String>("too late")
        })
        .unwrap_err();
    assert_eq!(error.to_string(), "call of `test` exceeded its deadline of 170 ms in attempt 2");
    let Error::DeadlineExceeded { cause: Some(cause), .. } = error else { panic!("{error}") };
    assert_eq!(cause.to_string(), "attempt 1 of `test` timed out after 50 ms");
}

#[test]
fn a_deadline_that_cuts_the_first_attempt_is_the_dependencys_failure() {
    let clock = ManualClock::new();
    let breaker = BreakerPolicy::consecutive_failures(1);
    let guard = builder(&clock).deadline(ms(120)).breaker(breaker).build().unwrap();
    let error = guard
        .call(|_| {
            clock.advance(ms(120));
            Ok::<_, ()>(())
        })
        .unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::DeadlineExceeded));
    assert_eq!(guard.breaker().unwrap().reason(), Some(OpenReason::ConsecutiveFailures));
}

#[test]
fn a_panic_is_a_cancellation() {
    let clock = ManualClock::new();
    let guard = builder(&clock).breaker(BreakerPolicy::consecutive_failures(1)).build().unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = guard.call(|_| -> Result<(), ()> { panic!("in the function") });
    }));
    assert!(panicked.is_err());
    assert_eq!(guard.breaker().unwrap().state(), Position::Closed);
}

#[test]
fn parts_can_be_switched_off() {
    let guard =
        builder(&ManualClock::new()).no_breaker().no_retry().no_deadline().no_attempt_timeout().build();
    let guard = guard.unwrap();
    assert!(guard.breaker().is_none() && guard.budget().is_none());
    let error = guard
        .call(|cx| {
            assert_eq!(cx.remaining(), None);
            Err::<(), _>("once")
        })
        .unwrap_err();
    assert_eq!((error.account().unwrap().attempts, stop(&error)), (1, Some(StopReason::AttemptsExhausted)));
}

#[test]
fn a_shared_breaker_must_outlast_the_guards_attempts() {
    let breaker = Arc::new(overcurrent::Breaker::new(
        "shared",
        BreakerPolicy::draft().probe_timeout(ms(1_000)).build().unwrap(),
    ));
    let error = Guard::builder("test").shared_breaker(Arc::clone(&breaker)).build().unwrap_err();
    assert_eq!(error.path, "breaker.probe_timeout");
    let guard = Guard::builder("test").attempt_timeout(ms(900)).shared_breaker(breaker).build().unwrap();
    assert_eq!(guard.breaker().unwrap().name(), "shared");
}

#[test]
fn a_guard_of_a_policy_file_takes_what_its_caller_brings_and_measures_if_asked() {
    let path = std::env::temp_dir().join(format!("overcurrent-brought-{}.toml", std::process::id()));
    std::fs::write(&path, "[policy.test]\nattempt_timeout = '2s'\nretry = false").unwrap();
    let load = |brought| Guard::from_file_with(&path, "test", brought);
    let clock = ManualClock::new();
    let on_clock =
        || Surrounds { clock: Some(Arc::new(clock.clone())), durations: true, ..Surrounds::default() };
    let (plain, measuring) = (Guard::from_file(&path, "test").unwrap(), load(on_clock()).unwrap());
    assert!(!plain.measures_durations());
    assert_eq!(plain.policy(), measuring.policy());
    let paid = measuring.call(|_| {
        clock.advance(ms(70));
        Ok::<_, ()>("paid")
    });
    assert_eq!(paid.unwrap(), "paid");
    assert_eq!(measuring.metrics().durations.unwrap().sum, Span::from_millis(70));
    let short = BreakerPolicy::draft().probe_timeout(ms(1_000)).build().unwrap();
    let breaker = Some(Arc::new(overcurrent::Breaker::new("shared", short)));
    let error = load(Surrounds { breaker, ..on_clock() }).unwrap_err();
    std::fs::remove_file(&path).unwrap();
    assert!(error.to_string().starts_with("invalid policy at `breaker.probe_timeout`"), "{error}");
    assert!(matches!(load(on_clock()), Err(LoadError::Unreadable(_))));
}

/// Sleeping moves the clock on at once, unless the test holds it.
struct ManualSleep {
    clock: ManualClock,
    held: Cell<bool>,
}

impl Sleep for ManualSleep {
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        let clock = (!self.held.get()).then(|| self.clock.clone());
        async move {
            match clock {
                Some(clock) => clock.advance(duration),
                None => pending().await,
            }
        }
    }
}

fn poll_once<F: Future>(future: &mut std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.as_mut().poll(&mut TaskContext::from_waker(Waker::noop()))
}

#[test]
fn an_asynchronous_attempt_is_cut_and_retried() {
    let clock = ManualClock::new();
    let guard = builder(&clock).attempt_timeout(ms(50)).build().unwrap();
    let sleep = ManualSleep { clock: clock.clone(), held: Cell::new(false) };
    let answer = guard.run_on(&sleep, &Standard, |cx| async move {
        if cx.attempt() < 3 {
            pending::<()>().await;
        }
        Ok::<_, ()>(cx.attempt())
    });
    assert!(matches!(poll_once(&mut pin!(answer)), Poll::Ready(Ok(3))));
    assert_eq!(clock.now().millis(), 50 + 100 + 50 + 200);
}

#[test]
fn dropping_the_future_gives_the_probe_back_and_counts_as_nothing() {
    let clock = ManualClock::new();
    let breaker = BreakerPolicy::consecutive_failures(1).cooldown(ms(10)).cooldown_jitter(0.0);
    let guard = builder(&clock).no_retry().breaker(breaker).build().unwrap();
    assert!(guard.call(|_| Err::<(), _>(())).is_err());
    clock.advance(ms(10));
    let sleep = ManualSleep { clock: clock.clone(), held: Cell::new(true) };
    for _ in 0..3 {
        let mut probe = Box::pin(guard.run_on(&sleep, &Standard, |_| pending::<Result<(), ()>>()));
        assert!(poll_once(&mut probe.as_mut()).is_pending());
        assert_eq!(guard.breaker().unwrap().state(), Position::HalfOpen);
        assert!(
            matches!(guard.call(|_| Ok::<_, ()>(())), Err(Error::BreakerOpen(_))),
            "its one probe is out"
        );
        drop(probe);
    }
    assert!(guard.call(|_| Ok::<_, ()>(())).is_ok());
    assert_eq!(guard.breaker().unwrap().state(), Position::Closed);
}

#[test]
fn dropping_the_future_in_a_wait_ends_the_call() {
    let clock = ManualClock::new();
    let guard = builder(&clock).build().unwrap();
    let sleep = ManualSleep { clock: clock.clone(), held: Cell::new(true) };
    let attempts = Cell::new(0);
    let mut call = Box::pin(guard.run_on(&sleep, &Standard, |_| {
        attempts.set(attempts.get() + 1);
        async { Err::<(), _>(()) }
    }));
    assert!(poll_once(&mut call.as_mut()).is_pending());
    drop(call);
    assert_eq!(attempts.get(), 1);
}

#[test]
fn a_cancelled_call_that_had_run_long_is_a_failure() {
    let clock = ManualClock::new();
    let breaker = BreakerPolicy::consecutive_failures(1);
    let guard = builder(&clock).attempt_timeout(ms(100)).breaker(breaker).build().unwrap();
    let sleep = ManualSleep { clock: clock.clone(), held: Cell::new(true) };
    let abandon = |after: u64| {
        let mut call = Box::pin(guard.run_on(&sleep, &Standard, |_| pending::<Result<(), ()>>()));
        assert!(poll_once(&mut call.as_mut()).is_pending());
        clock.advance(ms(after));
    };
    abandon(49);
    assert_eq!(guard.breaker().unwrap().state(), Position::Closed);
    abandon(50);
    assert_eq!(
        guard.breaker().unwrap().state(),
        Position::Open,
        "half of the attempt timeout is the default"
    );
}

#[tokio::test(start_paused = true)]
async fn on_tokio_the_guard_waits_on_tokios_clock() {
    let guard = Guard::builder("test").retry(plain_retry()).build().unwrap();
    let before = tokio::time::Instant::now();
    let answer = guard.run(|cx| async move { if cx.attempt() < 3 { Err("down") } else { Ok("up") } }).await;
    assert_eq!(answer.unwrap(), "up");
    assert_eq!(before.elapsed(), ms(300));
}
