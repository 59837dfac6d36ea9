//! The laws: what must hold whatever the policy and whatever happens, each stated on its own and not by
//! doing again what the core does.
//!
//! `PROPTEST_CASES` sets the number of cases of each law.

#[path = "laws/admission.rs"]
mod admission;
#[path = "laws/budget.rs"]
mod budget;
#[path = "cases/breaker.rs"]
mod cases;
#[path = "cases/config.rs"]
mod config;
#[path = "laws/counting.rs"]
mod counting;
#[path = "laws/course.rs"]
mod course;
#[path = "laws/deadline.rs"]
mod deadline;
#[path = "laws/hints.rs"]
mod hints;
#[path = "laws/metrics.rs"]
mod metrics;
#[path = "laws/recorder.rs"]
mod recorder;
#[path = "cases/retry.rs"]
mod retries;
#[path = "cases/run.rs"]
mod run;
#[path = "laws/snapshot.rs"]
mod snapshot;
#[path = "cases/text.rs"]
mod text;
#[path = "laws/waits.rs"]
mod waits;

/// The configuration of every law.
fn config() -> proptest::prelude::ProptestConfig {
    config::config(concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/laws.txt"))
}
