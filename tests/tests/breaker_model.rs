//! The breaker against a naive model of it: random policies, random runs, every answer compared.
//!
//! `PROPTEST_CASES` sets the number of cases.

#[path = "cases/breaker.rs"]
mod cases;
#[path = "cases/config.rs"]
mod config;
mod model;
#[path = "model/pair.rs"]
mod pair;
#[path = "model/reading.rs"]
mod reading;
#[path = "cases/run.rs"]
mod run;
#[path = "model/step.rs"]
mod step;
#[path = "cases/text.rs"]
mod text;

use cases::{Op, Written, policies};
use pair::Pair;
use proptest::{prelude::*, test_runner::TestCaseError};
use run::{probing_runs, runs};
use step::Step;

const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/breaker_model.txt");

/// The steps of one run, each as the model has it.
fn steps(policy: &Written, seed: u64, run: &[Op]) -> Result<Vec<Step>, TestCaseError> {
    let mut pair = Pair::new(policy, seed);
    let told: Result<Vec<Option<Step>>, _> = run.iter().map(|op| pair.step(op)).collect();
    Ok(told?.into_iter().flatten().collect())
}

proptest! {
    #![proptest_config(config::config(REGRESSIONS))]

    #[test]
    fn the_breaker_does_what_the_model_does(
        policy in policies(), seed: u64, run in prop_oneof![3 => runs(), 1 => probing_runs()],
    ) {
        let once = steps(&policy, seed, &run)?;
        prop_assert_eq!(once, steps(&policy, seed, &run)?, "the same run, decided anew");
    }
}
