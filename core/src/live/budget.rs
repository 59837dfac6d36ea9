//! A retry budget that knows the time.

use std::sync::Arc;

use super::clock::{Clock, Timer};
use crate::{
    cells::budget::BudgetCells,
    kernel::{policy::budget::BudgetPolicy, time::Instant},
};

/// A retry budget, shared by all calls that may add retries to one dependency.
///
/// ```
/// use overcurrent::{Budget, BudgetPolicy};
///
/// let budget = Budget::new(BudgetPolicy::default());
/// budget.deposit();
/// assert!(budget.withdraw());
/// ```
#[derive(Debug)]
pub struct Budget {
    policy: BudgetPolicy,
    cells: BudgetCells,
    pub(crate) timer: Timer,
}

impl Budget {
    /// A full budget on the monotonic clock.
    pub fn new(policy: BudgetPolicy) -> Self {
        Self::on(policy, Timer::start(None))
    }

    /// A full budget on a clock of the caller's.
    pub fn with_clock(policy: BudgetPolicy, clock: Arc<dyn Clock>) -> Self {
        Self::on(policy, Timer::start(Some(clock)))
    }

    pub(crate) fn on(policy: BudgetPolicy, timer: Timer) -> Self {
        Self { cells: BudgetCells::new(&policy), policy, timer }
    }

    /// Its policy.
    pub const fn policy(&self) -> &BudgetPolicy {
        &self.policy
    }

    /// The micro-tokens held (a token is 1,000,000), without a refill for the time passed since the
    /// last withdrawal.
    pub fn tokens_micro(&self) -> u64 {
        self.cells.held()
    }

    /// Deposits for one call.
    pub fn deposit(&self) {
        self.cells.deposit(&self.policy);
    }

    /// Takes a token for one retry, if there is one.
    pub fn withdraw(&self) -> bool {
        self.withdraw_at(self.timer.now())
    }

    /// [`Self::withdraw`] at an instant since this budget's creation.
    pub fn withdraw_at(&self, now: Instant) -> bool {
        self.cells.withdraw(&self.policy, now)
    }

    /// Its words, for a runtime that reads them in place.
    pub const fn cells(&self) -> &BudgetCells {
        &self.cells
    }
}
