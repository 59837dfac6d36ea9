//! Where each word of a breaker stands.
//!
//! | index | word | bits, low to high | written by |
//! | --- | --- | --- | --- |
//! | 0 | state | see [`State`](crate::kernel::breaker::State) | every transition and probe, by CAS |
//! | 1 | deadline | ms 45, tag 19 | whoever won the transition; a reader that finds it missing |
//! | 2 | consecutive | failures in a row 32, tag 32 | failures; a success only where it is not zero |
//! | 3 | newest | newest tick + 1 45, tag 19 | the first outcome of a tick |
//! | 4 | base | total 48, tag 16 | whoever won the transition; else the first failure |
//! | 8 | successes | total | one add per success, until there are shards |
//! | 9 | quick | total; see `Tallies` | successes of a runtime that adds in place |
//! | 10 | failures | total | failures |
//! | 11 | slow | total | slow outcomes |
//! | 12 | late | total | outcomes of an epoch that was over |
//! | 13 | fights | lost races 32, block 32 | successes that lost a race |
//! | 16… | window | marks (time) or rings (calls) | see there |
//!
//! The first cache line is read by every call and written only in trouble; the second is written by
//! every success, until threads fight over it.

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
pub const SUCCESSES: usize = 8;
/// Successes added in place by a runtime of its own.
pub const QUICK: usize = 9;
/// All failures.
pub const FAILURES: usize = 10;
/// All slow outcomes.
pub const SLOW: usize = 11;
/// All late outcomes.
pub const LATE: usize = 12;
/// Lost races for the successes.
pub const FIGHTS: usize = 13;
/// The first word of the window.
pub const WINDOW: usize = 16;

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
        /// Places for failures.
        failures: usize,
        /// Places for slow outcomes.
        slow: usize,
    },
}

impl Room {
    pub(crate) fn of(policy: &BreakerPolicy) -> Self {
        let Some(rules) = &policy.window else { return Self::None };
        let slow = policy.slow_call.is_some();
        match rules.window {
            Window::Time { width, buckets } => {
                Self::Marks { width, buckets: buckets as usize, stride: if slow { 3 } else { 2 } }
            }
            Window::Calls { calls } => Self::Rings {
                calls,
                failures: ring(calls, rules.failure_rate),
                slow: if slow { ring(calls, rules.slow_rate) } else { 0 },
            },
        }
    }

    pub(crate) const fn words(self) -> usize {
        match self {
            Self::None => 0,
            Self::Marks { buckets, stride, .. } => buckets * stride,
            Self::Rings { failures, slow, .. } => failures + slow,
        }
    }
}

/// The places a ring needs: the number of outcomes of a kind at which `rate` of `calls` is reached.
fn ring(calls: u32, rate: Ppm) -> usize {
    let reached = (u64::from(calls) * u64::from(rate.parts())).div_ceil(u64::from(Ppm::ONE.parts()));
    usize::try_from(reached.max(1)).unwrap_or(usize::MAX)
}

#[cfg(all(test, not(overcurrent_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_ring_has_a_place_for_each_failure_that_it_takes_to_open() {
        let ppm = Ppm::new;
        assert_eq!(ring(100, ppm(500_000)), 50);
        assert_eq!(ring(3, ppm(500_000)), 2);
        assert_eq!(ring(10, ppm(1)), 1);
        assert_eq!(ring(100_000, ppm(1_000_000)), 100_000);
    }
}
