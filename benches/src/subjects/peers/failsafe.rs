//! failsafe: a mutex around a state machine.

use std::{hint::black_box, time::Duration};

use ::failsafe::{
    CircuitBreaker, Config, FailurePolicy, StateMachine,
    backoff::{self, EqualJittered},
    failure_policy::{
        ConsecutiveFailures, SuccessRateOverTimeWindow, consecutive_failures, success_rate_over_time_window,
    },
};

use super::peer;
use crate::{
    subject::{Operation, Subject, Whose, Window},
    subjects::ONE_SUCCESS_IN,
};

const NAME: &str = "failsafe";
const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn all() -> Vec<Subject> {
    vec![
        success(Window::Consecutive, "5 in a row", in_a_row(5)),
        success(Window::Time, "last 10 s, moving average", over_time(0.5)),
        success(
            Window::Time,
            "its default: last 30 s, moving average, or 5 in a row",
            SuccessRateOverTimeWindow::default().or_else(ConsecutiveFailures::default()),
        ),
        rejection(),
        failure(Window::Consecutive, "1000 in a row", in_a_row(1000)),
        failure(Window::Time, "last 10 s, moving average", over_time(0.0)),
    ]
}

fn in_a_row(failures: u32) -> ConsecutiveFailures<EqualJittered> {
    consecutive_failures(failures, backoff::equal_jittered(HOUR, HOUR))
}

fn over_time(required: f64) -> SuccessRateOverTimeWindow<EqualJittered> {
    let window = Duration::from_secs(10);
    success_rate_over_time_window(required, 20, window, backoff::equal_jittered(HOUR, HOUR))
}

fn breaker<P: FailurePolicy>(policy: P) -> StateMachine<P, ()> {
    Config::new().failure_policy(policy).build()
}

fn success(window: Window, label: &'static str, policy: impl FailurePolicy + Send + 'static) -> Subject {
    let breaker = breaker(policy);
    peer(Operation::Success, NAME, window, label, move || {
        black_box(&breaker).call(|| black_box(Ok::<u32, ()>(1))).expect("it is closed")
    })
}

fn rejection() -> Subject {
    let breaker = breaker(in_a_row(1));
    let first: Result<(), _> = breaker.call(|| Err(()));
    assert!(first.is_err() && !breaker.is_call_permitted(), "one failure opens it");
    peer(Operation::Rejection, NAME, Window::Consecutive, "1 in a row", move || {
        let rejected = black_box(&breaker).call(|| black_box(Ok::<u32, ()>(1)));
        assert!(rejected.is_err(), "it is open");
    })
}

fn failure(window: Window, label: &'static str, policy: impl FailurePolicy + Send + 'static) -> Subject {
    let breaker = breaker(policy);
    Subject::batched(Operation::Failure, Whose::Peer, NAME, window, label, move |count| {
        for number in 0..count {
            let result = if number % ONE_SUCCESS_IN == 0 { Ok(1) } else { Err(()) };
            let answer: Result<u32, _> = black_box(&breaker).call(|| black_box(result));
            assert!(!matches!(answer, Err(::failsafe::Error::Rejected)), "it never opens");
        }
    })
}
