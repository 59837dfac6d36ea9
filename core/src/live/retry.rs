//! A retry without a breaker: a policy, its random stream and its budget.

use std::{sync::Arc, time::Duration};

use super::{
    budget::Budget,
    clock::{Clock, Timer},
    current::caller,
    events::{About, tell},
    stream::Stream,
};
use crate::kernel::{
    event::Notice,
    policy::retry::RetryPolicy,
    retry::{Attempts, Decision, Failure, Resources},
    time::{Instant, Span},
};

/// Decides whether and when to try again; the caller runs the attempts and does the waiting.
///
/// ```
/// use overcurrent::{Decision, Failure, Retry, RetryPolicy};
///
/// let retry = Retry::new(RetryPolicy::default());
/// let mut call = retry.start(None);
/// assert!(matches!(call.failed(Failure::RETRYABLE), Decision::Wait(_)));
/// ```
#[derive(Debug)]
pub struct Retry {
    policy: RetryPolicy,
    budget: Option<Arc<Budget>>,
    /// How much longer the budget has existed than the retry.
    budget_ahead: Span,
    stream: Stream,
    timer: Timer,
}

impl Retry {
    /// A retry on the monotonic clock, seeded by the operating system.
    pub fn new(policy: RetryPolicy) -> Self {
        Self::on(policy, Timer::start(None), None)
    }

    /// A retry on a clock and, if given, a seed of the caller's.
    pub fn with(policy: RetryPolicy, clock: Arc<dyn Clock>, seed: Option<u64>) -> Self {
        Self::on(policy, Timer::start(Some(clock)), seed)
    }

    fn on(policy: RetryPolicy, timer: Timer, seed: Option<u64>) -> Self {
        let budget = policy.budget.map(|budget| Arc::new(Budget::on(budget, timer.clone())));
        Self { policy, budget, budget_ahead: Span::ZERO, stream: Stream::new(seed), timer }
    }

    /// The same with a budget that it shares with others, on the same clock, in the place of its own.
    #[must_use]
    pub fn sharing(mut self, budget: Arc<Budget>) -> Self {
        self.policy.budget = Some(*budget.policy());
        self.budget_ahead = self.timer.behind(&budget.timer);
        self.budget = Some(budget);
        self
    }

    /// Its policy.
    pub const fn policy(&self) -> &RetryPolicy {
        &self.policy
    }

    /// Its budget, if the policy has one.
    pub const fn budget(&self) -> Option<&Arc<Budget>> {
        self.budget.as_ref()
    }

    /// Begins a call that must be over `deadline` from now, and deposits into the budget.
    pub fn start(&self, deadline: Option<Duration>) -> RetryCall<'_> {
        let attempts = self.begin();
        RetryCall {
            retry: self,
            attempts,
            deadline: deadline.map(|span| self.timer.now().after(span.into())),
        }
    }

    /// The clock's reading since this retry's creation.
    pub fn now(&self) -> Instant {
        self.timer.now()
    }

    /// [`Self::now`], up to the clock's grain ago.
    #[inline]
    pub(crate) fn coarse(&self) -> Instant {
        self.timer.coarse()
    }

    /// Begins a call for a driver that keeps the attempts and the time itself; deposits.
    pub fn begin(&self) -> Attempts {
        if let Some(budget) = &self.budget {
            budget.deposit();
        }
        Attempts::default()
    }

    /// Decides at an instant since this retry's creation, for such a driver.
    pub fn failed_at(
        &self,
        attempts: &mut Attempts,
        failure: Failure,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Decision {
        let decision = attempts.failed(&self.policy, failure, now, deadline, self);
        for notice in Notice::of_decision(decision, attempts.failures(), attempts.origin(), None) {
            tell(|| (About::default(), notice.by(caller(None, Some(notice.attempt)))));
        }
        decision
    }
}

impl Resources for Retry {
    fn draw(&self) -> u64 {
        self.stream.draw()
    }

    fn withdraw(&self, now: Instant) -> bool {
        self.budget.as_ref().is_none_or(|budget| budget.withdraw_at(now.after(self.budget_ahead)))
    }

    fn rejects(&self, _now: Instant, _then: Instant) -> bool {
        false
    }
}

/// The retries of one call.
#[derive(Debug)]
pub struct RetryCall<'r> {
    retry: &'r Retry,
    attempts: Attempts,
    deadline: Option<Instant>,
}

impl RetryCall<'_> {
    /// Decides what follows an attempt that failed now.
    pub fn failed(&mut self, failure: Failure) -> Decision {
        self.retry.failed_at(&mut self.attempts, failure, self.retry.timer.now(), self.deadline)
    }

    /// The time left for the call; `None` without a deadline.
    pub fn remaining(&self) -> Option<Span> {
        self.deadline.map(|deadline| deadline.since(self.retry.timer.now()))
    }
}
