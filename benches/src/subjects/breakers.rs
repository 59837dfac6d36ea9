//! This project's breaker: admission and outcome by permit, as a program would.

use std::{hint::black_box, time::Duration};

use overcurrent::{Breaker, BreakerDraft, BreakerPolicy, Filter, subscribe};

use super::{ONE_SUCCESS_IN, OWN, own};
use crate::subject::{Operation, Subject, Whose, Window};

/// Far longer than a run.
const HOUR: Duration = Duration::from_secs(3600);
const TIME: Duration = Duration::from_secs(10);

pub(super) fn all() -> Vec<Subject> {
    vec![
        success(Window::Consecutive, "5 in a row", BreakerPolicy::consecutive_failures(5)),
        success(Window::Calls, "last 100 calls", BreakerPolicy::failure_rate(0.5).call_window(100)),
        success(Window::Time, "last 10 s", BreakerPolicy::failure_rate(0.5).time_window(TIME)),
        success(
            Window::SlowTime,
            "last 10 s, slow calls",
            BreakerPolicy::failure_rate(0.5).time_window(TIME).slow_call(Duration::from_secs(1)),
        ),
        rejection(),
        failure(Window::Consecutive, "1000 in a row", BreakerPolicy::consecutive_failures(1000)),
        failure(Window::Calls, "last 100 calls", BreakerPolicy::failure_rate(1.0).call_window(100)),
        failure(Window::Time, "last 10 s", BreakerPolicy::failure_rate(1.0).time_window(TIME)),
        heard_rejection("last 10 s, with its error, somebody listens", false),
        heard_rejection("last 10 s, with its error, somebody listens to the first", true),
        heard_failure(),
    ]
}

fn breaker(policy: BreakerDraft) -> Breaker {
    Breaker::new("bench", policy.build().expect("a valid policy"))
}

fn success(window: Window, label: &'static str, policy: BreakerDraft) -> Subject {
    let breaker = breaker(policy);
    own(Operation::Success, window, label, move || {
        black_box(&breaker).acquire().expect("it is closed").success();
    })
}

fn rejection() -> Subject {
    let breaker = breaker(BreakerPolicy::failure_rate(0.5).time_window(TIME));
    breaker.trip(Some(HOUR)).expect("an hour is allowed");
    own(Operation::Rejection, Window::Time, "last 10 s, with its error", move || {
        assert!(black_box(&breaker).acquire().is_err(), "it is open");
    })
}

/// Rejections that are heard: a queue, full from its 1000th event on, takes each or the first one. Somebody
/// listens only while this is measured, as whether anybody does is a matter of the whole process.
fn heard_rejection(label: &'static str, first: bool) -> Subject {
    let breaker = breaker(BreakerPolicy::failure_rate(0.5).time_window(TIME));
    breaker.trip(Some(HOUR)).expect("an hour is allowed");
    Subject::batched(Operation::Rejection, Whose::Own, OWN, Window::Time, label, move |count| {
        let filter = Filter::from(&breaker);
        let _events = subscribe(if first { filter.first_rejections() } else { filter }, 1000);
        for _ in 0..count {
            assert!(black_box(&breaker).acquire().is_err(), "it is open");
        }
    })
    .alone()
}

/// A failure that changes nothing tells nothing, also to who listens.
fn heard_failure() -> Subject {
    let breaker = breaker(BreakerPolicy::failure_rate(1.0).time_window(TIME));
    let label = "last 10 s, somebody listens";
    Subject::batched(Operation::Failure, Whose::Own, OWN, Window::Time, label, move |count| {
        let _events = subscribe(&breaker, 1000);
        for number in 0..count {
            let permit = black_box(&breaker).acquire().unwrap_or_else(|error| panic!("{label}: {error}"));
            if number % ONE_SUCCESS_IN == 0 { permit.success() } else { permit.failure() }
        }
    })
    .alone()
}

fn failure(window: Window, label: &'static str, policy: BreakerDraft) -> Subject {
    let breaker = breaker(policy);
    Subject::batched(Operation::Failure, Whose::Own, OWN, window, label, move |count| {
        for number in 0..count {
            let permit = black_box(&breaker).acquire().unwrap_or_else(|error| panic!("{label}: {error}"));
            if number % ONE_SUCCESS_IN == 0 { permit.success() } else { permit.failure() }
        }
    })
}
