//! backon and tokio-retry2: a function that succeeds at its first attempt.

use std::{hint::black_box, time::Duration};

use backon::{BlockingRetryable, ExponentialBuilder};
use tokio_retry2::{Retry, RetryError, strategy::ExponentialBackoff};

use super::{drive, peer};
use crate::subject::{Operation, Subject, Whose, Window};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
const RETRIES: usize = 2;

pub(super) fn all() -> Vec<Subject> {
    let shape = ExponentialBuilder::default()
        .with_min_delay(FIRST)
        .with_max_delay(LONGEST)
        .with_max_times(RETRIES)
        .with_jitter();
    let operation = Operation::Retry;
    let name = "tokio-retry2";
    vec![
        // Each call has a retry of its own, made from the shape: nothing is shared.
        peer(operation, "backon", Window::None, "3 attempts, blocking", move || {
            (|| black_box(Ok::<u32, ()>(1))).retry(*black_box(&shape)).call()
        })
        .alone(),
        Subject::batched(operation, Whose::Peer, name, Window::None, "3 attempts, async", |count| {
            drive(async move {
                for _ in 0..count {
                    let waits = ExponentialBackoff::from_millis(100).max_delay(LONGEST).take(RETRIES);
                    let retry = Retry::spawn(waits, || async { black_box(Ok::<u32, RetryError<()>>(1)) });
                    black_box(retry.await).expect("it succeeds");
                }
            });
        })
        .alone(),
    ]
}
