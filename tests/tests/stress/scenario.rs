//! What is stressed: a policy, a number of threads, and the weather that the calls meet.

use std::time::Duration;

use overcurrent::{BreakerPolicy, Instant};

/// The tests that open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tests {
    Time,
    Calls,
    Consecutive,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) tests: Tests,
    pub(crate) slow_call: bool,
    pub(crate) threads: usize,
    /// How many probes may be out at once, how many must succeed, and how many fail.
    pub(crate) probes: u32,
    pub(crate) close_after: u32,
    pub(crate) reopen_after: u32,
    /// Whether an operator trips, resets and forces now and then.
    pub(crate) commands: bool,
}

/// From this duration on a call is slow.
pub(crate) const SLOW: Duration = Duration::from_millis(3);

/// How the dependency is, in turns of a few milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    Fair,
    Outage,
    Slow,
}

impl Weather {
    pub(crate) fn at(now: Instant) -> Self {
        match now.millis() / 2 % 4 {
            0 => Self::Outage,
            1 => Self::Slow,
            _ => Self::Fair,
        }
    }

    /// How many calls fail, in percent.
    pub(crate) fn failures(self) -> usize {
        match self {
            Self::Fair => 1,
            Self::Outage => 80,
            Self::Slow => 5,
        }
    }

    /// How many calls are slow, in percent.
    pub(crate) fn slowness(self) -> usize {
        match self {
            Self::Fair => 1,
            Self::Outage => 20,
            Self::Slow => 90,
        }
    }
}

impl Scenario {
    /// Each kind of test with and without slow calls, by every number of threads.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        [2, 4, 8, 16].into_iter().flat_map(|threads| {
            [
                (Tests::Time, false, 2, 2),
                (Tests::Time, true, 1, 1),
                (Tests::Calls, false, 3, 2),
                (Tests::Calls, true, 2, 2),
                (Tests::Consecutive, false, 1, 1),
            ]
            .map(|(tests, slow_call, probes, close_after)| Self {
                tests,
                slow_call,
                threads,
                probes,
                close_after,
                reopen_after: 2,
                commands: true,
            })
        })
    }

    /// How many probes an epoch grants in all, net of those given back.
    pub(crate) const fn trials(&self) -> u32 {
        self.close_after + self.reopen_after - 1
    }

    /// Small cooldowns, so that epochs go by in great numbers.
    pub(crate) fn policy(&self) -> BreakerPolicy {
        let millis = Duration::from_millis;
        let draft = match self.tests {
            Tests::Time => BreakerPolicy::failure_rate(0.5).bucketed_window(millis(20), 5).minimum_calls(5),
            Tests::Calls => BreakerPolicy::failure_rate(0.5).call_window(40).minimum_calls(5),
            Tests::Consecutive => BreakerPolicy::consecutive_failures(5),
        };
        let draft = if self.slow_call { draft.slow_call(SLOW).slow_rate(0.6) } else { draft };
        draft
            .cooldown(millis(1))
            .cooldown_max(millis(5))
            .probes(self.probes)
            .close_after(self.close_after)
            .reopen_after(self.reopen_after)
            .probe_timeout(millis(2))
            .build()
            .expect("the policy is valid")
    }
}
