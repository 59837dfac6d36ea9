//! circuitbreaker-rs: counters since its last reset, two mutexes for time stamps.
//!
//! Its breaker never feeds the windows of its time-based policies, so the default policy is taken:
//! failures in a row, with the rate over all calls out of reach.

use std::{fmt, hint::black_box, time::Duration};

use ::circuitbreaker_rs::{BreakerError, CircuitBreaker, DefaultPolicy};

use super::peer;
use crate::{
    subject::{Operation, Subject, Whose, Window},
    subjects::ONE_SUCCESS_IN,
};

const NAME: &str = "circuitbreaker-rs";
const HOUR: Duration = Duration::from_secs(3600);

type Breaker = CircuitBreaker<DefaultPolicy, fmt::Error>;

pub(super) fn all() -> Vec<Subject> {
    let closed = breaker(5);
    let open = breaker(5);
    assert!(open.force_open());
    let failing = breaker(1000);
    let window = Window::Consecutive;
    vec![
        peer(Operation::Success, NAME, window, "5 in a row", move || {
            black_box(&closed).call(|| black_box(Ok(1))).expect("it is closed")
        }),
        peer(Operation::Rejection, NAME, window, "5 in a row", move || {
            let rejected = black_box(&open).call(|| black_box(Ok(1)));
            assert!(matches!(rejected, Err(BreakerError::Open)), "it is open");
        }),
        Subject::batched(Operation::Failure, Whose::Peer, NAME, window, "1000 in a row", move |count| {
            for number in 0..count {
                let result = if number % ONE_SUCCESS_IN == 0 { Ok(1) } else { Err(fmt::Error) };
                let answer = black_box(&failing).call(|| black_box(result));
                assert!(!matches!(answer, Err(BreakerError::Open)), "it never opens");
            }
        }),
    ]
}

fn breaker(failures: u64) -> Breaker {
    let builder = Breaker::builder().failure_threshold(2.0).consecutive_failures(failures);
    builder.cooldown(HOUR).build()
}
