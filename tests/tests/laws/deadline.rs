//! No call sleeps past its deadline, nor into certain failure.

use std::{cell::Cell, sync::Arc, time::Duration};

use overcurrent::{
    BreakerPolicy, Clock, Decision, Error, Failure, Guard, Jitter, ManualClock, Retry, RetryPolicy, Span,
    StopReason, WhenOpen,
};
use proptest::{collection::vec, prelude::*};

use crate::{
    recorder::Recorder,
    retries::{MILLI, SECOND, policies, spans},
};

/// What an attempt does: how long it takes, and whether it succeeds.
type Attempt = (u64, bool);

/// A guard of short times, its function, and what it does while its breaker is open.
fn guard(recorder: &Recorder, knobs: Knobs, seed: u64) -> Guard {
    let breaker = BreakerPolicy::consecutive_failures(knobs.in_a_row)
        .cooldown(Duration::from_nanos(knobs.cooldown))
        .cooldown_max(Duration::from_nanos(4 * knobs.cooldown));
    let retry = RetryPolicy::exponential(
        Duration::from_nanos(knobs.initial),
        Duration::from_nanos(20 * knobs.initial),
    )
    .max_attempts(knobs.attempts)
    .no_budget();
    Guard::builder("law")
        .clock(recorder.clock())
        .seed(seed)
        .deadline(Duration::from_nanos(knobs.deadline))
        .attempt_timeout(Duration::from_nanos(knobs.timeout))
        .when_open(if knobs.waits { WhenOpen::Wait } else { WhenOpen::Fail })
        .breaker(breaker)
        .retry(retry)
        .build()
        .unwrap()
}

#[derive(Clone, Copy, Debug)]
struct Knobs {
    in_a_row: u32,
    cooldown: u64,
    initial: u64,
    attempts: u32,
    deadline: u64,
    timeout: u64,
    waits: bool,
}

fn knobs() -> impl Strategy<Value = Knobs> {
    let breaker = (1..6u32, MILLI..2 * SECOND);
    let retry = (0..SECOND, 1..12u32);
    (breaker, retry, 1..20 * SECOND, 1..2 * SECOND, any::<bool>()).prop_map(
        |((in_a_row, cooldown), (initial, attempts), deadline, timeout, waits)| Knobs {
            in_a_row,
            cooldown,
            initial,
            attempts,
            deadline,
            timeout,
            waits,
        },
    )
}

proptest! {
    #![proptest_config(crate::config())]

    #[test]
    fn no_retry_is_told_to_wait_past_the_deadline(
        written in policies(), seed: u64, limit in spans(),
        hints in vec((prop::option::of(spans()), 0..3 * SECOND), 1..20),
    ) {
        let clock = ManualClock::new();
        let retry = Retry::with(written.policy(), Arc::new(clock.clone()), Some(seed));
        let mut call = retry.start(Some(Duration::from_nanos(limit)));
        for (hint, took) in hints {
            clock.advance(Duration::from_nanos(took));
            let now = clock.now().as_nanos();
            let failure = Failure { retryable: true, hint: hint.map(Span::from_nanos) };
            let Decision::Wait(wait) = call.failed(failure) else { break };
            prop_assert!(now.saturating_add(wait.as_nanos()) < limit, "{wait} at {now} of {limit}");
            clock.advance(wait.into());
        }
    }

    /// A wait may end a nanosecond before the deadline, and not at it.
    #[test]
    fn a_wait_ends_before_the_deadline(delay in 0..u64::MAX, took in 0..SECOND) {
        let delay = delay.min(u64::MAX - 1 - took);
        let decide = |limit| {
            let clock = ManualClock::new();
            let policy = RetryPolicy::constant(Duration::from_nanos(delay)).jitter(Jitter::None);
            let retry = Retry::with(policy.build().unwrap(), Arc::new(clock.clone()), None);
            let mut call = retry.start(Some(Duration::from_nanos(limit)));
            clock.advance(Duration::from_nanos(took));
            call.failed(Failure::RETRYABLE)
        };
        let end = took + delay;
        prop_assert_eq!(decide(end + 1), Decision::Wait(Span::from_nanos(delay)));
        prop_assert_eq!(decide(end), Decision::Stop(StopReason::Deadline));
    }

    /// Whatever a guarded call sleeps for, another attempt or the breaker, the sleep ends before the
    /// deadline, and no attempt begins after that. Alone on a breaker that fails the call while it is
    /// open, every sleep is followed by an attempt: none is in vain.
    #[test]
    fn no_guarded_call_sleeps_past_its_deadline_nor_in_vain(
        knobs in knobs(), seed: u64, calls in vec(vec((0..SECOND, prop::bool::weighted(0.3)), 12..13), 1..6),
    ) {
        let recorder = Recorder::new();
        let guard = guard(&recorder, knobs, seed);
        for attempts in calls {
            let attempts: Vec<Attempt> = attempts;
            let (began, slept) = (recorder.now().as_nanos(), recorder.sleeps().len());
            let deadline = began + knobs.deadline;
            let ran = Cell::new(0);
            let starts = Cell::new(Vec::new());
            let result = guard.call(|context| {
                let now = recorder.now().as_nanos();
                starts.set([starts.take(), vec![now]].concat());
                let (took, good) = attempts[ran.get() % attempts.len()];
                ran.set(ran.get() + 1);
                assert_eq!(context.attempt(), u32::try_from(ran.get()).unwrap());
                recorder.pass(took);
                if good { Ok(()) } else { Err("down") }
            });
            let starts = starts.take();
            prop_assert!(starts.iter().all(|start| *start < deadline), "{starts:?} past {deadline}");
            for sleep in &recorder.sleeps()[slept..] {
                let woke = sleep.from + sleep.span;
                prop_assert!(woke < deadline, "{sleep:?} past {deadline}");
                let served = knobs.waits || starts.contains(&woke);
                prop_assert!(served, "{sleep:?} in vain: attempts at {starts:?}, then {result:?}");
            }
            if let Err(Error::BreakerOpen(_)) = result {
                prop_assert!(starts.is_empty(), "refused after it had run");
            }
            recorder.pass(knobs.cooldown / 2);
        }
    }
}
