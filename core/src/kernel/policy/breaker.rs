//! The policy of a breaker.

use crate::kernel::time::{Ppm, Span};

/// Which outcomes a breaker's rates are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// The outcomes of the last `buckets · width`, in buckets of `width`.
    Time {
        /// How many buckets, 1 to 60.
        buckets: u32,
        /// How long each lasts, at least 1 ms.
        width: Span,
    },
    /// The last `calls` outcomes.
    Calls {
        /// How many, 1 to 100,000.
        calls: u32,
    },
}

/// The tests over a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowRules {
    /// The window.
    pub window: Window,
    /// The share of failures that opens, above 0 and at most 1.
    pub failure_rate: Ppm,
    /// How many outcomes the window must hold before a rate is tested.
    pub minimum_calls: u32,
    /// The share of slow calls that opens; without `slow_call` never reached.
    pub slow_rate: Ppm,
}

/// The validated policy of a breaker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BreakerPolicy {
    /// The tests over a window, if there are any.
    pub window: Option<WindowRules>,
    /// So many failures in a row open, if set.
    pub consecutive_failures: Option<u32>,
    /// Whether the consecutive test applies only while the window holds fewer than
    /// `minimum_calls` outcomes (so in the defaults, where it is there for trickles).
    pub consecutive_for_trickles: bool,
    /// From this duration on a call is slow.
    pub slow_call: Option<Span>,
    /// From this duration on a cancelled call counts as a failure. `slow_call` if not given; where
    /// that is off too, a guard chooses half of its attempt timeout.
    pub abandon_after: Option<Span>,
    /// The first cooldown.
    pub cooldown: Span,
    /// The longest cooldown.
    pub cooldown_max: Span,
    /// What each further cooldown is multiplied by.
    pub cooldown_multiplier: Ppm,
    /// The share of the cooldown that is added at random, at most.
    pub cooldown_jitter: Ppm,
    /// How many probes may be out at once.
    pub probes: u32,
    /// How many successful probes close.
    pub close_after: u32,
    /// How many failed probes open again.
    pub reopen_after: u32,
    /// How long a probe may take before it counts as lost.
    pub probe_timeout: Span,
    /// Whether `probe_timeout` was given; if not, a guard chooses it by its attempt timeout.
    pub probe_timeout_given: bool,
}

impl BreakerPolicy {
    /// The most probes that may be granted in one half-open epoch, net of returns.
    pub const fn trials(&self) -> u32 {
        self.close_after + self.reopen_after - 1
    }
}
