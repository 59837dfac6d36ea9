//! A retry budget alone.

use std::sync::Arc;

use napi::bindgen_prelude::{Either, Unknown};
use napi_derive::napi;
use overcurrent::{Budget, BudgetPolicy, Dialect};

use crate::{
    clock::{chosen, number, tell},
    error::Refused,
    raw::Args,
    slab::{Gone, keep, with},
    value::value,
};

fn of<R>(budget: f64, work: impl FnOnce(&Budget) -> R) -> napi::Result<R> {
    Ok(with(budget, |budget: &mut Arc<Budget>| work(budget))?)
}

/// A budget of a policy given in code.
#[napi]
pub(crate) fn budget_new(
    policy: Unknown<'_>,
    clock: Option<f64>,
    now: f64,
) -> napi::Result<Either<f64, Refused>> {
    tell(now);
    Ok(match BudgetPolicy::from_value(&value(&policy)?, "", Dialect::Node) {
        Ok(policy) => Either::A(keep(Arc::new(Budget::with_clock(policy, chosen(clock)?)))),
        Err(error) => Either::B(error.into()),
    })
}

/// The most micro-tokens it holds.
#[napi]
pub(crate) fn budget_capacity(budget: f64) -> napi::Result<f64> {
    of(budget, |budget| number(budget.policy().capacity))
}

/// The micro-tokens it holds.
#[napi]
pub(crate) fn budget_tokens(budget: f64) -> napi::Result<f64> {
    of(budget, |budget| number(budget.tokens_micro()))
}

/// `deposit(budget)`, for one call.
pub(crate) fn deposit([budget, ..]: Args) -> Result<f64, Gone> {
    with(budget, |budget: &mut Arc<Budget>| {
        budget.deposit();
        0.0
    })
}

/// Takes a token, if there is one.
#[napi]
pub(crate) fn budget_withdraw(budget: f64, now: f64) -> napi::Result<bool> {
    tell(now);
    of(budget, Budget::withdraw)
}
