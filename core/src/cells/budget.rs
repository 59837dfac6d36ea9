//! The retry budget's two words.
//!
//! | word | holds | written by |
//! | --- | --- | --- |
//! | held | micro-tokens, 0 to `capacity` | deposits, refills and withdrawals, by CAS |
//! | read | the latest clock reading of a withdrawal, in ms | withdrawals, by `fetch_max` |
//!
//! INVARIANT: `fetch_max` hands each stretch of time to exactly one withdrawal, which alone refills
//! for it; so no millisecond mints twice, and a clock read early mints nothing. Each token is taken by
//! a CAS that saw it, so the budget is never overspent. A process that dies between its `fetch_max` and
//! its refill loses the tokens of that stretch: the budget errs towards fewer retries.

use super::sync::{AtomicU64, Ordering};
use crate::kernel::{policy::budget::BudgetPolicy, time::Instant};

/// A retry budget in memory.
#[derive(Debug)]
#[repr(C)]
pub struct BudgetCells {
    held: AtomicU64,
    read: AtomicU64,
}

impl BudgetCells {
    /// A full budget.
    pub fn new(policy: &BudgetPolicy) -> Self {
        Self { held: AtomicU64::new(policy.capacity), read: AtomicU64::new(0) }
    }

    /// Deposits for one call. A full budget costs one load.
    #[inline]
    pub fn deposit(&self, policy: &BudgetPolicy) {
        // ORDERING: relaxed; the word says all there is, nothing else is read through it.
        let mut held = self.held.load(Ordering::Relaxed);
        while held < policy.capacity {
            match self.swap(held, policy.deposited(held)) {
                Ok(_) => return,
                Err(seen) => held = seen,
            }
        }
    }

    /// Takes a whole token, if there is one at `now`.
    pub fn withdraw(&self, policy: &BudgetPolicy, now: Instant) -> bool {
        let millis = now.millis();
        // ORDERING: relaxed; the total order of one word's modifications hands out the stretches.
        let before = self.read.fetch_max(millis, Ordering::Relaxed);
        // ORDERING: relaxed, as for a deposit.
        let mut held = self.held.load(Ordering::Relaxed);
        loop {
            let refilled = policy.refilled(held, before, millis);
            let left = BudgetPolicy::withdrawn(refilled);
            match self.swap(held, left.unwrap_or(refilled)) {
                Ok(_) => return left.is_some(),
                Err(seen) => held = seen,
            }
        }
    }

    fn swap(&self, from: u64, to: u64) -> Result<u64, u64> {
        // ORDERING: relaxed, as for a deposit.
        self.held.compare_exchange_weak(from, to, Ordering::Relaxed, Ordering::Relaxed)
    }

    /// The micro-tokens held now, without a refill.
    pub fn held(&self) -> u64 {
        // ORDERING: relaxed; a reading, no decision hangs on it.
        self.held.load(Ordering::Relaxed)
    }

    /// The words, for a runtime that reads them in place: held, read.
    pub fn words(&self) -> [&AtomicU64; 2] {
        [&self.held, &self.read]
    }
}

#[cfg(all(test, not(overcurrent_loom)))]
mod tests {
    use super::*;

    fn budget(burst: u32, per_second: f64) -> (BudgetPolicy, BudgetCells) {
        let policy = BudgetPolicy::draft().ratio(0.5).min_per_second(per_second).burst(burst).build();
        let policy = policy.expect("the policy is valid");
        (policy, BudgetCells::new(&policy))
    }

    #[test]
    fn a_full_budget_takes_no_deposit_and_gives_what_it_holds() {
        let (policy, cells) = budget(2, 0.0);
        cells.deposit(&policy);
        assert_eq!(cells.held(), 2_000_000);
        assert_eq!([0; 3].map(|_| cells.withdraw(&policy, Instant::ZERO)), [true, true, false]);
        cells.deposit(&policy);
        assert_eq!(cells.held(), 500_000);
        assert!(!cells.withdraw(&policy, Instant::ZERO), "half a token is none");
        cells.deposit(&policy);
        assert!(cells.withdraw(&policy, Instant::ZERO));
    }

    #[test]
    fn a_clock_that_was_read_early_mints_nothing() {
        let (policy, cells) = budget(10, 1.0);
        while cells.withdraw(&policy, Instant::ZERO) {}
        assert!(cells.withdraw(&policy, Instant::from_millis(1_000)));
        for millis in [0, 999, 1_000] {
            assert!(!cells.withdraw(&policy, Instant::from_millis(millis)), "at {millis} ms");
        }
        assert_eq!(cells.words().map(|word| word.load(Ordering::Relaxed)), [0, 1_000]);
    }

    #[test]
    fn many_takers_take_what_there_is() {
        let (policy, cells) = budget(10, 0.0);
        let granted: usize = std::thread::scope(|scope| {
            let taker = || (0..6).filter(|_| cells.withdraw(&policy, Instant::ZERO)).count();
            let takers: Vec<_> = (0..3).map(|_| scope.spawn(taker)).collect();
            takers.into_iter().map(|taker| taker.join().expect("it does not panic")).sum()
        });
        assert_eq!((granted, cells.held()), (10, 0));
    }
}
