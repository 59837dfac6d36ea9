//! The policy of a guard: everything that surrounds one call.

use super::{breaker::BreakerPolicy, retry::RetryPolicy};
use crate::kernel::time::Span;

/// What a call does while the breaker rejects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhenOpen {
    /// Fail at once.
    Fail,
    /// Wait for the breaker, within the deadline.
    Wait,
}

/// The validated policy of a guard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GuardPolicy {
    /// The time for the whole call.
    pub deadline: Option<Span>,
    /// The time for one attempt.
    pub attempt_timeout: Option<Span>,
    /// What to do while the breaker rejects.
    pub when_open: WhenOpen,
    /// How to retry; `None` makes one attempt.
    pub retry: Option<RetryPolicy>,
    /// The breaker's policy as this guard sees it; `None` has no breaker.
    pub breaker: Option<BreakerPolicy>,
}
