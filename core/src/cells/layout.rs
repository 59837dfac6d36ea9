//! Where each word of a breaker stands.
//!
//! | index | word | bits, low to high | written by |
//! | --- | --- | --- | --- |
//! | 0 | state | see [`State`](crate::kernel::breaker::State) | every transition and probe, by CAS |
//! | 1 | deadline | ms 45, tag 19 | whoever won the transition; a reader that finds it missing |
//! | 2 | consecutive | failures in a row 32, tag 32 | failures; a success only where it is not zero |
//! | 3 | newest | newest tick + 1 45, tag 19 | the first outcome of a tick |
//! | 4 | base | total 48, tag 16 | whoever won the transition; else the first failure |
//! | 13 | successes | total | one add per success, until there are shards |
//! | 14 | quick | total; see `Tallies` | successes of a runtime that adds in place |
//! | 15 | failures | total | failures |
//! | 16 | slow | total | slow outcomes |
//! | 17 | late | total | outcomes of an epoch that was over |
//! | 18 | fights | fights seen 32, block 32 | successes that see others write |
//!
//! After this head comes the window, as marks (time) or rings (calls). The first five words are read by
//! every call and written only in trouble; the last six are written by every success, until threads fight
//! over them. The eight between, unused, keep the two on different cache lines wherever the run begins.

use crate::kernel::{
    policy::{breaker::BreakerPolicy, window::Window},
    time::{Ppm, Span},
};

/// The state word.
pub const STATE: usize = 0;
/// The deadline of the state.
pub const DEADLINE: usize = 1;
/// Failures in a row.
pub const CONSECUTIVE: usize = 2;
/// The newest tick of a time window.
pub const NEWEST: usize = 3;
/// The start of the epoch of a call window.
pub const BASE: usize = 4;
/// Successes.
pub const SUCCESSES: usize = 13;
/// Successes added in place by a runtime of its own.
pub const QUICK: usize = 14;
/// All failures.
pub const FAILURES: usize = 15;
/// All slow outcomes.
pub const SLOW: usize = 16;
/// All late outcomes.
pub const LATE: usize = 17;
/// Fights for the successes.
pub const FIGHTS: usize = 18;
/// How many words the head has.
pub const HEAD: usize = 19;

/// The window of a policy, and the words that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// No window.
    None,
    /// Marks of a time window.
    Marks {
        /// The width of a tick.
        width: Span,
        /// How many marks.
        buckets: usize,
        /// Words per mark: 3 where slow outcomes are counted, else 2.
        stride: usize,
    },
    /// Rings of a call window.
    Rings {
        /// How many outcomes it is over.
        calls: u32,
        /// The numbers of the failures.
        failures: Ring,
        /// The numbers of the slow outcomes.
        slow: Option<Ring>,
    },
}

/// The last outcomes of one kind, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ring {
    /// The share of the window that opens.
    pub(crate) rate: Ppm,
    /// Its first word.
    pub(crate) start: usize,
    /// How many it keeps: as many as open a full window, and some more, so that one who looks is not
    /// overtaken at once.
    pub(crate) places: usize,
}

impl Ring {
    const SPARE: usize = 8;

    fn new(calls: u32, rate: Ppm, start: usize) -> Self {
        let enough = usize::try_from(rate.part_of(u64::from(calls))).unwrap_or(usize::MAX);
        Self { rate, start, places: enough + Self::SPARE }
    }
}

impl Room {
    pub(crate) fn of(policy: &BreakerPolicy) -> Self {
        let Some(rules) = &policy.window else { return Self::None };
        let slow = policy.slow_call.is_some();
        match rules.window {
            Window::Time { width, buckets } => {
                Self::Marks { width, buckets: buckets as usize, stride: if slow { 3 } else { 2 } }
            }
            Window::Calls { calls } => {
                let failures = Ring::new(calls, rules.failure_rate, 0);
                let slow = slow.then(|| Ring::new(calls, rules.slow_rate, failures.places));
                Self::Rings { calls, failures, slow }
            }
        }
    }

    pub(crate) const fn words(self) -> usize {
        match self {
            Self::None => 0,
            Self::Marks { buckets, stride, .. } => buckets * stride,
            Self::Rings { failures, slow, .. } => {
                failures.places + if let Some(slow) = slow { slow.places } else { 0 }
            }
        }
    }
}

#[cfg(all(test, not(overcurrent_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_ring_has_a_place_for_each_failure_that_it_takes_to_open() {
        let places = |calls, parts| Ring::new(calls, Ppm::new(parts), 0).places - Ring::SPARE;
        assert_eq!(places(100, 500_000), 50);
        assert_eq!(places(3, 500_000), 2);
        assert_eq!(places(10, 1), 1);
        assert_eq!(places(100_000, 1_000_000), 100_000);
    }
}
