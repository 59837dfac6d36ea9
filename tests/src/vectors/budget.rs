//! Vectors of a budget.

use std::sync::Arc;

use overcurrent::{Budget, BudgetPolicy, Dialect, ManualClock};
use serde::Deserialize;

use super::{Vector, duration, expect};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at: String,
    r#do: String,
    expect: Option<bool>,
    tokens_micro: Option<u64>,
}

pub(super) fn replay(vector: &Vector, stepped: &mut usize) -> Result<(), String> {
    let policy =
        BudgetPolicy::from_value(&vector.policy, "", Dialect::Document).map_err(|e| e.to_string())?;
    let clock = ManualClock::new();
    let budget = Budget::with_clock(policy, Arc::new(clock.clone()));
    vector.each(stepped, |step: Step| {
        clock.set(duration(&step.at)?);
        match step.r#do.as_str() {
            "deposit" => budget.deposit(),
            "withdraw" => {
                let granted = budget.withdraw();
                step.expect.map_or(Ok(()), |expected| expect("granted", &expected, &granted))?;
            }
            word => return Err(format!("`{word}` is nothing to do")),
        }
        step.tokens_micro.map_or(Ok(()), |held| expect("tokens_micro", &held, &budget.tokens_micro()))
    })
}
