//! Random calls through one guard, by each way there is, beside a naive count of what became of them.

use std::{
    cell::RefCell,
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    time::Duration,
};

use overcurrent::{
    BreakerPolicy, Context, Ending, Error, Failure, First, Guard, GuardDraft, ManualClock, RetryPolicy,
    StopReason, Surrounds, Verdict, WhenOpen, kernel::call::Step,
};
use proptest::prelude::*;

/// What an attempt comes to, after so many milliseconds; `None` is a panic.
type Attempt = (Option<Verdict>, u64);

/// The way that a call takes.
#[derive(Clone, Debug)]
enum Way {
    /// The blocking driver, with what its attempts come to.
    Driven(Vec<Attempt>),
    /// The first attempt by itself, as a binding takes it; the caller gives up rather than wait.
    First(Attempt),
    /// A first attempt that goes on until the end.
    Hanging,
    /// Asks whether it is refused, and does nothing else.
    Refused,
}

/// The naive count.
#[derive(Debug, Default)]
struct Count {
    calls: HashMap<Ending, u64>,
    attempts: HashMap<Ending, u64>,
    give_ups: HashMap<StopReason, u64>,
    /// Attempts but the first of their calls.
    again: u64,
    durations: (u64, Duration),
    hanging: Vec<First>,
}

impl Count {
    fn attempt(&mut self, number: u32, ending: Ending) {
        *self.attempts.entry(ending).or_default() += 1;
        self.again += u64::from(number > 1);
    }

    fn call(&mut self, ending: Ending, took: Duration) {
        *self.calls.entry(ending).or_default() += 1;
        if ending != Ending::Rejected {
            self.durations = (self.durations.0 + 1, self.durations.1 + took);
        }
    }
}

const fn ending(verdict: Option<Verdict>) -> Ending {
    match verdict {
        None => Ending::Cancelled,
        Some(Verdict::Success) => Ending::Success,
        Some(Verdict::Ignored) => Ending::Ignored,
        Some(Verdict::Failure(_)) => Ending::Failure,
    }
}

fn attempts() -> impl Strategy<Value = Attempt> {
    let hint = prop_oneof![3 => Just(None), 1 => (1_u64..3_000).prop_map(Some)];
    let failure = (any::<bool>(), hint).prop_map(|(retryable, hint)| {
        Some(Verdict::Failure(Failure { retryable, hint: hint.map(overcurrent::Span::from_millis) }))
    });
    let verdict = prop_oneof![
        4 => Just(Some(Verdict::Success)),
        4 => failure,
        1 => Just(Some(Verdict::Ignored)),
        1 => Just(None),
    ];
    (verdict, prop_oneof![8 => 0_u64..100, 1 => 900_u64..4_000])
}

fn ways() -> impl Strategy<Value = (u64, Way)> {
    let way = prop_oneof![
        6 => prop::collection::vec(attempts(), 4).prop_map(Way::Driven),
        3 => attempts().prop_map(Way::First),
        1 => Just(Way::Hanging),
        1 => Just(Way::Refused),
    ];
    (prop_oneof![6 => 0_u64..50, 1 => 0_u64..3_000], way)
}

fn guard(clock: &ManualClock, wait: bool, no_breaker: bool) -> Guard {
    let ms = Duration::from_millis;
    let draft = GuardDraft::default()
        .deadline(ms(3_000))
        .attempt_timeout(ms(1_000))
        .when_open(if wait { WhenOpen::Wait } else { WhenOpen::Fail })
        .retry(RetryPolicy::exponential(ms(100), ms(500)).max_attempts(4))
        .breaker(BreakerPolicy::consecutive_failures(3).cooldown(ms(500)));
    let policy = if no_breaker { draft.no_breaker() } else { draft }.build().expect("the policy is valid");
    let brought = Surrounds {
        clock: Some(Arc::new(clock.clone())),
        seed: Some(1),
        durations: true,
        ..Surrounds::default()
    };
    Guard::with("counted", policy, brought, overcurrent::Dialect::Rust).expect("it fits")
}

fn drive(guard: &Guard, clock: &ManualClock, script: &[Attempt], count: &mut Count) {
    let (start, noted) = (guard.now(), RefCell::new(Vec::new()));
    let mut script = script.iter();
    let attempt = |cx: Context<'_>| {
        let (verdict, took) = *script.next().expect("no more than four attempts");
        let (took, limit) = (Duration::from_millis(took), cx.remaining().expect("it is bounded"));
        clock.advance(took);
        let in_time = verdict.is_none() || took < limit;
        let ending = if in_time { ending(verdict) } else { Ending::Timeout };
        noted.borrow_mut().push((cx.attempt(), ending));
        verdict.map_or_else(|| resume_unwind(Box::new("given up")), Err::<Verdict, _>)
    };
    let classify = |result: &Result<Verdict, Verdict>| match result {
        Ok(verdict) | Err(verdict) => *verdict,
    };
    let result = catch_unwind(AssertUnwindSafe(|| guard.call_with(&classify, attempt)));
    let took = guard.now().since(start).into();
    noted.into_inner().into_iter().for_each(|(number, ending)| count.attempt(number, ending));
    let account = result.as_ref().ok().and_then(|result| result.as_ref().err()).and_then(Error::account);
    if let Some(reason) = account.and_then(|account| account.stop) {
        *count.give_ups.entry(reason).or_default() += 1;
    }
    let ending = match result {
        Err(_) => Ending::Cancelled,
        Ok(Err(Error::Failed { error: verdict, .. }) | Ok(verdict)) => ending(Some(verdict)),
        Ok(Err(Error::BreakerOpen(_))) => Ending::Rejected,
        Ok(Err(Error::AttemptTimeout { .. } | Error::DeadlineExceeded { .. })) => Ending::Timeout,
        Ok(Err(other)) => panic!("{other:?}"),
    };
    count.call(ending, took);
}

fn first(guard: &Guard, clock: &ManualClock, (verdict, took): Attempt, count: &mut Count) {
    let Some(first) = guard.first() else { return };
    let took = Duration::from_millis(took);
    clock.advance(took);
    if verdict == Some(Verdict::Success) && guard.succeeded(first) {
        count.attempt(1, Ending::Success);
        count.call(Ending::Success, took);
        return;
    }
    let mut call = guard.adopt(first);
    if let Some(verdict) = verdict {
        let settled = call.settled(guard.policy(), guard, verdict, guard.now());
        let ended = if settled.timed_out { Ending::Timeout } else { ending(Some(verdict)) };
        count.attempt(1, ended);
        match settled.step {
            Step::Done => return count.call(ended, took),
            Step::Stop(reason) => {
                *count.give_ups.entry(reason).or_default() += 1;
                return count.call(ended, took);
            }
            _ => {}
        }
    } else {
        count.attempt(1, Ending::Cancelled);
    }
    call.cancelled(guard, guard.now());
    count.call(Ending::Cancelled, took);
}

fn carry_out(guard: &Guard, clock: &ManualClock, way: &Way, count: &mut Count) {
    match way {
        Way::Driven(script) => drive(guard, clock, script, count),
        Way::First(attempt) => first(guard, clock, *attempt, count),
        Way::Hanging => count.hanging.extend(guard.first()),
        Way::Refused => {
            if guard.refused().is_some() {
                count.call(Ending::Rejected, Duration::ZERO);
            }
        }
    }
}

proptest! {
    #![proptest_config(crate::config::config(
        concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/metrics.txt")
    ))]

    #[test]
    fn a_guard_counts_each_call_and_each_attempt_once(
        wait in any::<bool>(),
        no_breaker in prop::bool::weighted(0.2),
        run in prop::collection::vec(ways(), 0..40),
    ) {
        let (clock, mut count) = (ManualClock::new(), Count::default());
        let guard = guard(&clock, wait, no_breaker);
        for (pause, way) in &run {
            clock.advance(Duration::from_millis(*pause));
            carry_out(&guard, &clock, way, &mut count);
        }
        let metrics = guard.metrics();
        for (ending, counted) in metrics.calls.iter() {
            prop_assert_eq!(counted, count.calls.get(&ending).copied().unwrap_or_default(), "{}", ending);
        }
        for (ending, counted) in metrics.attempts.iter() {
            prop_assert_eq!(counted, count.attempts.get(&ending).copied().unwrap_or_default(), "{}", ending);
        }
        for (reason, counted) in metrics.give_ups.iter() {
            prop_assert_eq!(counted, count.give_ups.get(&reason).copied().unwrap_or_default(), "{}", reason);
        }
        prop_assert_eq!(metrics.in_flight, count.hanging.len() as u64);
        prop_assert!(metrics.retries.sum() >= count.again, "an attempt after the first one is a retry");
        let durations = metrics.durations.expect("they are measured");
        prop_assert_eq!((durations.count(), Duration::from(durations.sum)), count.durations);
        if let Some(breaker) = guard.breaker() {
            prop_assert!(breaker.metrics().rejections.sum() >= metrics.calls.of(Ending::Rejected));
        }
        for first in count.hanging.drain(..) {
            guard.adopt(first).cancelled(&guard, guard.now());
        }
        prop_assert_eq!(guard.metrics().in_flight, 0);
    }
}
