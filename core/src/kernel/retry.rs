//! The retry decision: after a failed attempt, wait or stop, and why.
//!
//! The checks run in one order, and the first that holds stops:
//!
//! 1. the failure cannot be cured by trying again → `not_retryable`
//! 2. `max_attempts` were made → `attempts_exhausted`
//! 3. (the wait is drawn)
//! 4. the server's hint is above `max_hint` → `hint_too_long`
//! 5. the wait would end at or after the deadline → `deadline`
//! 6. the breaker would reject the next attempt → `breaker_open`
//! 7. the budget holds no whole token → `budget_exhausted`; else one is taken
//!
//! INVARIANT: a token is taken only by a decision to wait, and nothing gives it back.

use super::{
    jitter::Waits,
    outcome::{Origin, StopReason},
    policy::retry::RetryPolicy,
    time::{Instant, Span},
};

/// A failed attempt, as far as the decision needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whether trying again can cure it.
    pub retryable: bool,
    /// How long the server asked to wait (Retry-After).
    pub hint: Option<Span>,
}

impl Failure {
    /// A failure that trying again may cure, without a hint.
    pub const RETRYABLE: Self = Self { retryable: true, hint: None };
    /// A failure that trying again cannot cure.
    pub const FINAL: Self = Self { retryable: false, hint: None };
}

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Wait so long, then try again.
    Wait(Span),
    /// Do not try again.
    Stop(StopReason),
}

/// What a decision consults beside the policy.
pub trait Resources {
    /// The next draw of the retry's random stream.
    fn draw(&self) -> u64;
    /// Takes a token of the budget; `true` also where there is no budget.
    fn withdraw(&self, now: Instant) -> bool;
    /// Whether the breaker would reject a call at `then`, as far as is known at `now`.
    fn rejects(&self, now: Instant, then: Instant) -> bool;
}

/// The retries of one call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempts {
    failed: u32,
    waits: Waits,
}

impl Attempts {
    /// Decides what follows an attempt that failed at `now`.
    pub fn failed(
        &mut self,
        policy: &RetryPolicy,
        failure: Failure,
        now: Instant,
        deadline: Option<Instant>,
        resources: &impl Resources,
    ) -> Decision {
        self.failed = self.failed.saturating_add(1);
        if !failure.retryable {
            return Decision::Stop(StopReason::NotRetryable);
        }
        if self.failed >= policy.max_attempts {
            return Decision::Stop(StopReason::AttemptsExhausted);
        }
        let wait = self.waits.next(&policy.backoff, policy.jitter, failure.hint, || resources.draw());
        if failure.hint.is_some_and(|hint| hint > policy.max_hint) {
            return Decision::Stop(StopReason::HintTooLong);
        }
        let then = now.after(wait);
        if deadline.is_some_and(|deadline| then >= deadline) {
            return Decision::Stop(StopReason::Deadline);
        }
        if resources.rejects(now, then) {
            return Decision::Stop(StopReason::BreakerOpen);
        }
        if !resources.withdraw(now) {
            return Decision::Stop(StopReason::BudgetExhausted);
        }
        Decision::Wait(wait)
    }

    /// How many attempts have failed.
    pub const fn failures(&self) -> u32 {
        self.failed
    }

    /// What the last wait came from.
    pub const fn origin(&self) -> Origin {
        self.waits.origin()
    }
}
