//! Running totals of the outcomes counted while closed, over the whole life of a breaker.
//!
//! They only ever grow, so a window is a subtraction and a success is one add. `quick` is the lane
//! that a runtime of its own (JavaScript) adds its successes to, 32 bits wide; it is folded into
//! `successes` before it can wrap.

use super::sync::{AtomicU64, Ordering};

/// The totals of one breaker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tallies<'c> {
    pub(crate) successes: &'c AtomicU64,
    pub(crate) quick: &'c AtomicU64,
    pub(crate) failures: &'c AtomicU64,
    pub(crate) slow: &'c AtomicU64,
}

impl Tallies<'_> {
    // ORDERING: relaxed throughout. The totals carry no other data, and the tests over them are exact
    // on one thread (program order) and off by at most the calls in flight among several.

    pub(crate) fn success(self) {
        self.successes.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a failure and returns how many there are with it.
    pub(crate) fn failure(self) -> u64 {
        self.failures.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts a slow outcome and returns how many there are with it.
    pub(crate) fn slow(self) -> u64 {
        self.slow.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// All outcomes.
    pub(crate) fn total(self) -> u64 {
        self.succeeded().wrapping_add(self.failed())
    }

    pub(crate) fn succeeded(self) -> u64 {
        let quick = self.quick.load(Ordering::Relaxed) & u64::from(u32::MAX);
        self.successes.load(Ordering::Relaxed).wrapping_add(quick)
    }

    pub(crate) fn failed(self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(crate) fn slowed(self) -> u64 {
        self.slow.load(Ordering::Relaxed)
    }

    /// Moves what the quick lane holds into `successes`; adds first, so that no reader ever sees
    /// fewer than there were.
    pub(crate) fn fold(self) {
        let quick = self.quick.load(Ordering::Relaxed) & u64::from(u32::MAX);
        self.successes.fetch_add(quick, Ordering::Relaxed);
        self.quick.fetch_sub(quick, Ordering::Relaxed);
    }
}
