//! The policy of a retry: how often, how long between, how much in all.

use super::budget::BudgetPolicy;
use crate::kernel::time::{Ppm, Span};

/// The base of the waits: how they grow from one failed attempt to the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Backoff {
    /// No wait.
    None,
    /// The same wait each time.
    Constant {
        /// The wait.
        delay: Span,
    },
    /// `min(max, initial + (k − 1) · step)`.
    Linear {
        /// The first wait.
        initial: Span,
        /// What each further one adds.
        step: Span,
        /// The longest wait.
        max: Span,
    },
    /// `initial`, then each `min(max, floor(last · multiplier))`.
    Exponential {
        /// The first wait.
        initial: Span,
        /// What each further one is multiplied by, 1 to 100.
        multiplier: Ppm,
        /// The longest wait.
        max: Span,
    },
    /// The waits one by one; the last repeats.
    Schedule {
        /// The waits, 1 to 1000 of them.
        delays: Vec<Span>,
    },
}

/// How a wait is drawn around its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Jitter {
    /// The base itself; draws nothing.
    None,
    /// From nothing to the base.
    Full,
    /// From half of the base to the base.
    Equal,
    /// From the first wait to three times the last one, within the cap.
    Decorrelated,
    /// The base, give or take this share of it, within the cap.
    Proportional(Ppm),
}

/// The validated policy of a retry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RetryPolicy {
    /// How many attempts in all, the first one counted.
    pub max_attempts: u32,
    /// How the waits grow.
    pub backoff: Backoff,
    /// How they are drawn.
    pub jitter: Jitter,
    /// The longest server hint that is waited for.
    pub max_hint: Span,
    /// The budget of all calls together, if there is one.
    pub budget: Option<BudgetPolicy>,
}
