//! A server's hint is a floor: nobody comes back earlier than it was told.

use std::{cell::RefCell, sync::Arc};

use overcurrent::{Decision, Failure, Guard, ManualClock, Retry, RetryPolicy, Span, Verdict};
use proptest::{collection::vec, prelude::*};

use crate::{
    recorder::Recorder,
    retries::{SECOND, Written, capped, fitting, policies, spans, spreads},
};

fn hinted(hint: u64) -> Failure {
    Failure { retryable: true, hint: Some(Span::from_nanos(hint)) }
}

/// The policy with two attempts, whatever the hint and the budget.
fn patient(written: Written) -> Written {
    Written { max_hint: Some(u64::MAX), max_attempts: Some(2), budget: None, ..written }
}

/// The first wait of a call.
fn first_wait(written: &Written, seed: u64, failure: Failure) -> Option<u64> {
    let retry = Retry::with(written.policy(), Arc::new(ManualClock::new()), Some(seed));
    match retry.start(None).failed(failure) {
        Decision::Wait(span) => Some(span.as_nanos()),
        Decision::Stop(_) => None,
    }
}

proptest! {
    #![proptest_config(crate::config())]

    #[test]
    fn no_wait_is_below_its_hint(
        written in policies(), seed: u64, hints in vec(prop::option::of(spans()), 1..30),
    ) {
        let written = Written { max_attempts: Some(1_000), ..patient(written) };
        let retry = Retry::with(written.policy(), Arc::new(ManualClock::new()), Some(seed));
        let mut call = retry.start(None);
        for hint in hints {
            let decision = call.failed(hint.map_or(Failure::RETRYABLE, hinted));
            let Decision::Wait(wait) = decision else { panic!("{decision:?}") };
            prop_assert!(wait.as_nanos() >= hint.unwrap_or(0), "{wait} after a hint of {hint:?}");
        }
    }

    /// A hint that the wait covers changes nothing; a longer one is waited for, and at most half as long
    /// again.
    #[test]
    fn a_hint_changes_no_longer_wait_and_is_not_overdone(written in policies(), seed: u64, hint in spans()) {
        let written = patient(written);
        let plain = first_wait(&written, seed, Failure::RETRYABLE).unwrap();
        let wait = first_wait(&written, seed, hinted(hint)).unwrap();
        if hint <= plain {
            prop_assert_eq!(wait, plain);
        } else {
            let most = hint.saturating_add(hint / 2);
            prop_assert!((hint..=most).contains(&wait), "{wait} for a hint of {hint}");
        }
    }

    #[test]
    fn a_hint_that_is_too_long_is_not_waited_for(
        written in policies(), seed: u64, hint in spans(), max_hint in spans(),
    ) {
        let written = Written { max_hint: Some(max_hint), ..patient(written) };
        prop_assert_eq!(first_wait(&written, seed, hinted(hint)).is_some(), hint <= max_hint);
    }

    #[test]
    fn a_guard_sleeps_no_less_than_the_hint(
        shape in capped(0..10 * SECOND), spread in spreads(), seed: u64, hints in vec(0..60 * SECOND, 1..8),
    ) {
        let recorder = Recorder::new();
        let jitter = Some(fitting(Some(&shape), spread));
        let policy = Written { backoff: Some(shape), jitter, ..Written::default() }.policy();
        let retry = RetryPolicy::draft().backoff(policy.backoff).jitter(policy.jitter).no_budget();
        let guard = Guard::builder("law").clock(recorder.clock()).seed(seed).no_breaker().no_deadline()
            .retry(retry.max_attempts(u32::try_from(hints.len()).unwrap() + 1)).build().unwrap();
        let left = RefCell::new(hints.iter());
        let next = || left.borrow_mut().next().map_or(Failure::RETRYABLE, |hint| hinted(*hint));
        let classify = |result: &Result<(), ()>| match result {
            Ok(()) => Verdict::Success,
            Err(()) => Verdict::Failure(next()),
        };
        prop_assert!(guard.call_with(&classify, |_| Err(())).is_err());
        let sleeps = recorder.sleeps();
        prop_assert_eq!(sleeps.len(), hints.len());
        for (sleep, hint) in sleeps.iter().zip(&hints) {
            prop_assert!(sleep.span >= *hint, "{sleep:?} after a hint of {hint}");
        }
    }
}
