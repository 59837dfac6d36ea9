//! How a guard is put together in code.

use std::{sync::Arc, time::Duration};

use super::{
    breaker::Breaker,
    budget::Budget,
    clock::Clock,
    guard::{Guard, Surrounds},
};
use crate::kernel::{
    error::InvalidPolicy,
    name::Name,
    policy::{BreakerDraft, Dialect, GuardDraft, RetryDraft, WhenOpen},
};

/// Puts a [`Guard`] together; everything not said has its default.
///
/// ```
/// use overcurrent::{BreakerPolicy, Guard, RetryPolicy};
/// use std::time::Duration;
///
/// let guard = Guard::builder("payments")
///     .attempt_timeout(Duration::from_secs(2))
///     .retry(RetryPolicy::exponential(Duration::from_millis(100), Duration::from_secs(5)).max_attempts(4))
///     .breaker(BreakerPolicy::failure_rate(0.5))
///     .build()?;
/// assert_eq!(guard.name(), "payments");
/// # Ok::<(), overcurrent::InvalidPolicy>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct GuardBuilder {
    name: Name,
    draft: GuardDraft,
    brought: Surrounds,
}

impl Guard {
    /// Begins a guard named `name` with every default.
    pub fn builder(name: impl Into<Name>) -> GuardBuilder {
        GuardBuilder::new(name.into())
    }
}

impl GuardBuilder {
    fn new(name: Name) -> Self {
        Self { name, draft: GuardDraft::default(), brought: Surrounds::default() }
    }

    fn draft(mut self, change: impl FnOnce(GuardDraft) -> GuardDraft) -> Self {
        self.draft = change(self.draft);
        self
    }

    /// The time for the whole call; 30 s by default.
    pub fn deadline(self, deadline: Duration) -> Self {
        self.draft(|draft| draft.deadline(deadline))
    }

    /// No bound for the whole call.
    pub fn no_deadline(self) -> Self {
        self.draft(GuardDraft::no_deadline)
    }

    /// The time for one attempt; 10 s by default.
    pub fn attempt_timeout(self, timeout: Duration) -> Self {
        self.draft(|draft| draft.attempt_timeout(timeout))
    }

    /// No bound for one attempt.
    pub fn no_attempt_timeout(self) -> Self {
        self.draft(GuardDraft::no_attempt_timeout)
    }

    /// What to do while the breaker rejects; fail by default.
    pub fn when_open(self, when_open: WhenOpen) -> Self {
        self.draft(|draft| draft.when_open(when_open))
    }

    /// How to retry.
    pub fn retry(self, retry: impl Into<RetryDraft>) -> Self {
        self.draft(|draft| draft.retry(retry))
    }

    /// One attempt only.
    pub fn no_retry(self) -> Self {
        self.draft(GuardDraft::no_retry)
    }

    /// When to open and close.
    pub fn breaker(self, breaker: impl Into<BreakerDraft>) -> Self {
        self.draft(|draft| draft.breaker(breaker))
    }

    /// No breaker.
    pub fn no_breaker(self) -> Self {
        self.draft(GuardDraft::no_breaker)
    }

    /// A breaker shared with others; its own policy holds, and its clock is this guard's too.
    pub fn shared_breaker(mut self, breaker: Arc<Breaker>) -> Self {
        self.brought.breaker = Some(breaker);
        self
    }

    /// A budget shared with others, on the same clock.
    pub fn shared_budget(mut self, budget: Arc<Budget>) -> Self {
        self.brought.budget = Some(budget);
        self
    }

    /// The clock; the monotonic one by default.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.brought.clock = Some(clock);
        self
    }

    /// The seed of every draw, for tests; from the operating system by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.brought.seed = Some(seed);
        self
    }

    /// Measures how long calls take, for `overcurrent_call_duration_seconds`. It reads a precise clock where a call
    /// begins and where it ends.
    pub fn measure_durations(mut self) -> Self {
        self.brought.durations = true;
        self
    }

    /// The guard.
    ///
    /// # Errors
    /// [`InvalidPolicy`] naming the field, the value and the rule it breaks.
    pub fn build(self) -> Result<Guard, InvalidPolicy> {
        Guard::with(self.name, self.draft.build()?, self.brought, Dialect::Rust)
    }
}
