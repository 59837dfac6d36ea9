//! tower-resilience: a tower service with its circuit behind an asynchronous mutex.
//!
//! A task has a clone of the service of its own; the clones share one circuit.

use std::{future::Ready, future::ready, hint::black_box, time::Duration};

use tower::{Service, ServiceExt, util::ServiceFn};
use tower_resilience_circuitbreaker::{
    CircuitBreaker, CircuitBreakerConfigBuilder, CircuitBreakerLayer, DefaultClassifier, SlidingWindowType,
};

use super::drive;
use crate::{
    subject::{Operation, Subject, Whose, Window},
    subjects::ONE_SUCCESS_IN,
};

const NAME: &str = "tower-resilience";
const HOUR: Duration = Duration::from_secs(3600);
const TIME: Duration = Duration::from_secs(10);

type Answer = Ready<Result<u32, ()>>;
type Inner = ServiceFn<fn(bool) -> Answer>;
type Breaker = CircuitBreaker<Inner, DefaultClassifier>;
type Draft = CircuitBreakerConfigBuilder<DefaultClassifier>;

pub(super) fn all() -> Vec<Subject> {
    vec![
        success(Window::Consecutive, "5 in a row", draft().consecutive_failures(5)),
        success(Window::Calls, "100 calls", draft()),
        success(Window::Time, "last 10 s, keeps every call", timed(draft())),
        success(
            Window::SlowTime,
            "last 10 s, keeps every call, slow calls",
            timed(draft()).slow_call_duration_threshold(Duration::from_secs(1)),
        ),
        rejection(),
        failure(Window::Consecutive, "1000 in a row", draft().consecutive_failures(1000)),
        failure(Window::Calls, "100 calls", draft().failure_rate_threshold(1.0)),
        failure(Window::Time, "last 10 s, keeps every call", timed(draft()).failure_rate_threshold(1.0)),
    ]
}

fn draft() -> Draft {
    CircuitBreakerLayer::builder().failure_rate_threshold(0.5).sliding_window_size(100)
}

fn timed(draft: Draft) -> Draft {
    let timed = draft.sliding_window_type(SlidingWindowType::TimeBased).sliding_window_duration(TIME);
    timed.minimum_number_of_calls(20)
}

/// Around a service that succeeds where it is asked to.
fn breaker(draft: Draft) -> Breaker {
    let inner: fn(bool) -> Answer = |well| ready(black_box(if well { Ok(1) } else { Err(()) }));
    let layer = draft.wait_duration_in_open(HOUR).build().expect("a valid configuration");
    layer.layer_fn(tower::service_fn(inner))
}

/// Calls it `count` times; `well` says which of them succeed, and `right` what must come of each.
fn calls(
    breaker: &Breaker,
    count: u64,
    well: impl Fn(u64) -> bool,
    right: impl Fn(Result<u32, bool>) -> bool,
) {
    let mut service = breaker.clone();
    drive(async move {
        for number in 0..count {
            let service = service.ready().await.expect("it is always ready");
            let answer = service.call(well(number)).await;
            assert!(right(black_box(answer.map_err(|error| error.is_circuit_open()))), "the answer is right");
        }
    });
}

fn success(window: Window, label: &'static str, draft: Draft) -> Subject {
    let breaker = breaker(draft);
    Subject::batched(Operation::Success, Whose::Peer, NAME, window, label, move |count| {
        calls(black_box(&breaker), count, |_| true, |answer| answer.is_ok());
    })
}

fn rejection() -> Subject {
    let breaker = breaker(draft());
    drive(breaker.force_open());
    Subject::batched(Operation::Rejection, Whose::Peer, NAME, Window::Calls, "100 calls", move |count| {
        calls(black_box(&breaker), count, |_| true, |answer| answer == Err(true));
    })
}

fn failure(window: Window, label: &'static str, draft: Draft) -> Subject {
    let breaker = breaker(draft);
    Subject::batched(Operation::Failure, Whose::Peer, NAME, window, label, move |count| {
        let well = |number| number % ONE_SUCCESS_IN == 0;
        calls(black_box(&breaker), count, well, |answer| answer != Err(true));
    })
}
