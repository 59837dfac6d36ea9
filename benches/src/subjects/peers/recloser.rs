//! recloser: an epoch-collected state around a ring behind a spin lock.

use std::{hint::black_box, time::Duration};

use ::recloser::{Error, Recloser};

use super::peer;
use crate::{
    subject::{Operation, Subject, Whose, Window},
    subjects::ONE_SUCCESS_IN,
};

const NAME: &str = "recloser";
const LABEL: &str = "last 100 calls";
const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn all() -> Vec<Subject> {
    let closed = breaker(0.5, 100);
    let open = breaker(0.5, 1);
    // The rate counts once the ring of one call is full.
    for _ in 0..2 {
        assert!(open.call(|| Err::<(), ()>(())).is_err());
    }
    let failing = breaker(1.0, 100);
    vec![
        peer(Operation::Success, NAME, Window::Calls, LABEL, move || {
            black_box(&closed).call(|| black_box(Ok::<u32, ()>(1))).expect("it is closed")
        }),
        peer(Operation::Rejection, NAME, Window::Calls, "last 1 call", move || {
            let rejected = black_box(&open).call(|| black_box(Ok::<u32, ()>(1)));
            assert!(matches!(rejected, Err(Error::Rejected)), "it is open");
        }),
        Subject::batched(Operation::Failure, Whose::Peer, NAME, Window::Calls, LABEL, move |count| {
            for number in 0..count {
                let result = if number % ONE_SUCCESS_IN == 0 { Ok(1) } else { Err(()) };
                let answer: Result<u32, _> = black_box(&failing).call(|| black_box(result));
                assert!(!matches!(answer, Err(Error::Rejected)), "it never opens");
            }
        }),
    ]
}

fn breaker(rate: f32, calls: usize) -> Recloser {
    Recloser::custom().error_rate(rate).closed_len(calls).half_open_len(1).open_wait(HOUR).build()
}
