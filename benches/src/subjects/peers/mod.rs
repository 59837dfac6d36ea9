//! Other crates, each with the policy of its that is nearest to ours.
//!
//! What a crate cannot say is said in the label. Where failures are recorded, one outcome in ten is
//! a success, or the failures that open are beyond reach, so that no breaker opens.

mod circuitbreaker_rs;
mod failsafe;
mod recloser;
mod retries;
mod tower_resilience;

use std::future::Future;

use tokio::runtime::{Builder, Runtime};

use crate::subject::{Operation, Subject, Whose, Window};

pub(super) fn all() -> Vec<Subject> {
    let groups =
        [failsafe::all(), recloser::all(), tower_resilience::all(), circuitbreaker_rs::all(), retries::all()];
    groups.into_iter().flatten().collect()
}

/// The names of the crates measured.
pub(crate) const CRATES: [&str; 6] = [
    "failsafe",
    "recloser",
    "tower-resilience-circuitbreaker",
    "circuitbreaker-rs",
    "backon",
    "tokio-retry2",
];

fn peer<R>(
    operation: Operation,
    name: &'static str,
    window: Window,
    label: &'static str,
    once: impl Fn() -> R + Send + Sync + 'static,
) -> Subject {
    Subject::new(operation, Whose::Peer, name, window, label, once)
}

/// Runs a whole batch on this thread's own runtime, so that entering it is not paid per operation.
fn drive<F: Future>(batch: F) -> F::Output {
    thread_local! {
        static RUNTIME: Runtime =
            Builder::new_current_thread().enable_time().build().expect("a runtime without I/O can start");
    }
    RUNTIME.with(|runtime| runtime.block_on(batch))
}
