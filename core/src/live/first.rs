//! The first attempt of a call, as long as nothing is wrong: what a binding keeps of a healthy call in
//! the place of a machine.
//!
//! ```text
//!  first ─▶ First ─┬─ succeeded ─▶ true: it is over
//!     │            └─ adopt ─────▶ the machine of the call, its first attempt running
//!     └─▶ None: the call must begin with the machine
//! ```
//!
//! INVARIANT: what a call comes to is the same on both ways.

use super::{breaker::Breaker, guard::Guard, permit::Permit, retry::Retry};
use crate::kernel::{
    call::{Call, Pass, Surroundings},
    error::BreakerOpen,
    outcome::{Ending, Outcome},
    time::{Instant, Span},
};

/// The first attempt of a call that was admitted at once. It is recorded by nobody but its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First {
    /// Its admission; of epoch zero where there is no breaker.
    pub pass: Pass,
    /// When it began, on the clock of what admitted it; zero at a breaker that does not ask for
    /// durations.
    pub started: Instant,
}

impl Guard {
    /// The first attempt of a call, its deposit made, where the breaker is closed.
    #[inline]
    pub fn first(&self) -> Option<First> {
        let pass = self.breaker().map_or(Some(Pass { epoch: 0 }), |breaker| breaker.cells().pass())?;
        self.begun();
        Some(First { pass, started: self.now() })
    }

    /// Records that the first attempt has succeeded; `false`, and nothing is recorded, where its time
    /// was up before: [`Self::adopt`] it then.
    #[inline]
    pub fn succeeded(&self, first: First) -> bool {
        let now = self.now();
        let took = now.since(first.started);
        let in_time = self.first_limit().is_none_or(|limit| took < limit);
        if in_time {
            self.record(1, first.pass, Outcome::Success, took, now);
            self.attempt_ended(Ending::Success);
            self.call_ended(Ending::Success, took);
        }
        in_time
    }

    /// The time of the first attempt of a call; `None` where nothing bounds it.
    #[inline]
    pub fn first_limit(&self) -> Option<Span> {
        let policy = self.policy();
        match (policy.attempt_timeout, policy.deadline) {
            (Some(timeout), Some(deadline)) => Some(timeout.min(deadline)),
            (timeout, deadline) => timeout.or(deadline),
        }
    }

    /// The call of a first attempt that is not over.
    pub fn adopt(&self, first: First) -> Call {
        Call::adopt(self.policy(), first.pass, first.started)
    }
}

impl Breaker {
    /// The first and only attempt of a call, where the breaker is closed.
    #[inline]
    pub fn first(&self) -> Option<First> {
        let pass = self.cells().pass()?;
        Some(First { pass, started: if self.is_timed() { self.now() } else { Instant::ZERO } })
    }

    /// Records that the attempt has succeeded.
    #[inline]
    pub fn succeeded(&self, first: First) {
        if self.is_timed() || !self.record_quickly(first.pass) {
            let now = self.now();
            let took = if self.is_timed() { now.since(first.started) } else { Span::ZERO };
            self.record_at(first.pass, Outcome::Success, took, now);
        }
    }

    /// The rejection of a call, while it is open for a while yet.
    #[inline]
    pub fn refused(&self) -> Option<BreakerOpen> {
        self.held_off(None).map(|rejection| self.refusal(rejection))
    }

    /// The first and only attempt of a call, in whatever state.
    ///
    /// # Errors
    /// [`BreakerOpen`] when no call is admitted.
    pub fn admit(&self) -> Result<First, BreakerOpen> {
        let (pass, started) = self.grant()?;
        Ok(First { pass, started })
    }

    /// The permit of an attempt that is not over.
    pub fn adopt(&self, first: First) -> Permit<&Self> {
        Permit::of(self, first.pass, first.started)
    }
}

impl Retry {
    /// The first attempt of a call, its deposit made. Its success needs no record. When it began is for
    /// accounts only, and read coarsely.
    #[inline]
    pub fn first(&self) -> First {
        if let Some(budget) = self.budget() {
            budget.deposit();
        }
        First { pass: Pass { epoch: 0 }, started: self.coarse() }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        kernel::{
            call::{Step, Verdict},
            outcome::Position,
            policy::{BreakerDraft, BudgetDraft, GuardDraft, RetryDraft, WhenOpen},
            retry::Failure,
        },
        live::{clock::ManualClock, guard::Surrounds},
    };

    fn guard(draft: GuardDraft) -> (Guard, ManualClock) {
        let clock = ManualClock::new();
        let surrounds = Surrounds { clock: Some(Arc::new(clock.clone())), ..Surrounds::default() };
        let policy = draft.build().expect("the policy is valid");
        let guard = Guard::with("g", policy, surrounds, crate::Dialect::Rust).expect("it fits");
        (guard, clock)
    }

    #[test]
    fn a_first_attempt_is_given_while_the_breaker_is_closed() {
        let (guard, _) = guard(GuardDraft::default());
        assert!(guard.first().is_some());
        let breaker = guard.breaker().expect("it has one");
        breaker.force_closed();
        assert!(guard.first().is_some() && breaker.first().is_some());
        breaker.trip(None).expect("no span is too long");
        assert!(guard.first().is_none() && breaker.first().is_none());
    }

    #[test]
    fn a_call_is_refused_at_once_while_the_breaker_is_open_for_a_while_yet() {
        let (guard, clock) = guard(GuardDraft::default());
        let breaker = guard.breaker().expect("it has one");
        assert!(guard.refused().is_none() && breaker.refused().is_none(), "it is closed");
        breaker.trip(Some(Duration::from_secs(2))).expect("no span is too long");
        clock.advance(Duration::from_secs(1));
        for refusal in [guard.refused(), breaker.refused()] {
            let refusal = refusal.expect("it is open");
            assert_eq!((refusal.breaker.as_str(), refusal.retry_after), ("g", Some(Span::from_secs(1))));
        }
        clock.advance(Duration::from_secs(1));
        assert!(guard.refused().is_none() && breaker.refused().is_none(), "a probe is due");
    }

    #[test]
    fn a_refused_call_has_deposited_and_a_waiting_one_is_not_refused() {
        let retry = RetryDraft::default().budget(BudgetDraft::default().ratio(1.0));
        let (guard, _) = guard(GuardDraft::default().retry(retry.clone()));
        let budget = guard.budget().expect("it has one");
        let full = budget.tokens_micro();
        assert!(budget.withdraw());
        guard.breaker().expect("it has one").trip(None).expect("no span is too long");
        assert!(guard.refused().is_some());
        assert_eq!(budget.tokens_micro(), full);

        let (waits, _) = self::guard(GuardDraft::default().when_open(WhenOpen::Wait));
        waits.breaker().expect("it has one").trip(None).expect("no span is too long");
        assert!(waits.refused().is_none());
    }

    #[test]
    fn its_success_counts_as_any_other() {
        let (guard, _) = guard(GuardDraft::default());
        let cells = guard.breaker().expect("it has one").cells();
        let first = guard.first().expect("the breaker is closed");
        assert!(guard.succeeded(first));
        assert_eq!(cells.totals().successes, 1);

        let breaker = guard.breaker().expect("it has one");
        breaker.succeeded(breaker.first().expect("it is closed"));
        assert_eq!(cells.totals().successes, 2);
    }

    #[test]
    fn it_is_not_a_success_once_its_time_is_up() {
        let (guard, clock) = guard(GuardDraft::default().attempt_timeout(Duration::from_secs(1)));
        assert_eq!(guard.first_limit(), Some(Span::from_secs(1)));
        let first = guard.first().expect("the breaker is closed");
        clock.advance(Duration::from_nanos(999_999_999));
        assert!(guard.succeeded(first));
        clock.advance(Duration::from_nanos(1));
        assert!(!guard.succeeded(first));
        let mut call = guard.adopt(first);
        let settled = call.settled(guard.policy(), &guard, Verdict::Success, guard.now());
        assert!(settled.timed_out);
        assert!(matches!(settled.step, Step::Wait(_)), "{settled:?}");
    }

    #[test]
    fn the_call_of_it_goes_on_from_its_first_attempt() {
        let (guard, clock) = guard(GuardDraft::default().deadline(Duration::from_secs(5)));
        let first = guard.first().expect("the breaker is closed");
        clock.advance(Duration::from_secs(2));
        let mut call = guard.adopt(first);
        assert_eq!((call.attempts(), call.elapsed(guard.now())), (1, Span::from_secs(2)));
        assert_eq!(call.attempt_limit(), Some(Span::from_secs(5)));
        assert_eq!(call.attempt_remaining(guard.now()), Some(Span::from_secs(3)));
        let failed = Verdict::Failure(Failure::RETRYABLE);
        let settled = call.settled(guard.policy(), &guard, failed, guard.now());
        assert!(matches!(settled.step, Step::Wait(_)), "{settled:?}");
        assert_eq!(call.attempt_limit(), None, "none is running");
    }

    #[test]
    fn a_breaker_takes_the_time_of_it_where_durations_matter() {
        let clock = ManualClock::new();
        let policy = BreakerDraft::default()
            .slow_call(Duration::from_secs(1))
            .minimum_calls(1)
            .build()
            .expect("the policy is valid");
        let breaker = Breaker::with("b", policy, Arc::new(clock.clone()), None);
        clock.advance(Duration::from_secs(7));
        let first = breaker.admit().expect("it is closed");
        assert_eq!(first.started, Instant::ZERO.after(Span::from_secs(7)));
        clock.advance(Duration::from_secs(1));
        breaker.succeeded(first);
        assert_eq!(breaker.state(), Position::Open, "every call was slow");
        breaker.adopt(first).failure();
        assert_eq!(breaker.late(), 1);
    }
}
