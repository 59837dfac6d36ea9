//! One admission: owned, stamped with its epoch, used up by one outcome.

use std::{ops::Deref, sync::Arc, time::Duration};

use super::breaker::Breaker;
use crate::kernel::{
    call::Pass,
    error::BreakerOpen,
    outcome::Outcome,
    time::{Instant, Span},
};

/// The right to make one call. Say what became of it with [`Self::success`], [`Self::failure`] or
/// [`Self::ignored`]; dropping it, also by a panic or a dropped future, says that it was cancelled.
#[must_use = "dropping a permit says that the call was cancelled"]
#[derive(Debug)]
pub struct Permit<B: Deref<Target = Breaker>> {
    breaker: B,
    pass: Pass,
    /// When it was granted, where the policy asks for durations.
    granted: Option<Instant>,
    used: bool,
}

impl Breaker {
    /// Asks for admission. The permit is used up by saying what became of the call; dropping it says
    /// that the call was cancelled.
    ///
    /// # Errors
    /// [`BreakerOpen`] when no call is admitted.
    #[inline]
    pub fn acquire(&self) -> Result<Permit<&Self>, BreakerOpen> {
        Permit::acquire(self)
    }

    /// [`Self::acquire`] with a permit that keeps the breaker alive, to be moved to another task.
    ///
    /// # Errors
    /// [`BreakerOpen`] when no call is admitted.
    pub fn acquire_owned(self: &Arc<Self>) -> Result<Permit<Arc<Self>>, BreakerOpen> {
        Permit::acquire(Arc::clone(self))
    }
}

impl<B: Deref<Target = Breaker>> Permit<B> {
    #[inline]
    pub(crate) fn acquire(breaker: B) -> Result<Self, BreakerOpen> {
        let timed = breaker.is_timed();
        if let (false, Some(pass)) = (timed, breaker.cells().pass()) {
            return Ok(Self { breaker, pass, granted: None, used: false });
        }
        Self::ask(breaker, timed)
    }

    #[cold]
    fn ask(breaker: B, timed: bool) -> Result<Self, BreakerOpen> {
        let now = breaker.now();
        match breaker.acquire_at(now) {
            Ok(pass) => Ok(Self { granted: timed.then_some(now), breaker, pass, used: false }),
            Err(rejection) => Err(breaker.refusal(rejection)),
        }
    }

    /// The call succeeded.
    #[inline]
    pub fn success(self) {
        self.record(Outcome::Success);
    }

    /// The call failed.
    pub fn failure(self) {
        self.record(Outcome::Failure);
    }

    /// The call ended in a way that says nothing of the dependency.
    pub fn ignored(self) {
        self.record(Outcome::Ignored);
    }

    /// The caller gave up; what dropping says too.
    pub fn cancelled(self) {
        self.record(Outcome::Cancelled);
    }

    /// Says what became of the call.
    #[inline]
    pub fn record(mut self, outcome: Outcome) {
        self.settle(outcome, None);
    }

    /// Says what became of a call whose duration the caller has measured.
    pub fn record_took(mut self, outcome: Outcome, took: Duration) {
        self.settle(outcome, Some(took.into()));
    }

    #[inline]
    fn settle(&mut self, outcome: Outcome, took: Option<Span>) {
        self.used = true;
        let breaker = &*self.breaker;
        let quick = outcome == Outcome::Success && self.granted.is_none();
        if !(quick && breaker.record_quickly(self.pass)) {
            self.settle_at(breaker.now(), outcome, took);
        }
    }

    fn settle_at(&self, now: Instant, outcome: Outcome, took: Option<Span>) {
        let measured = || self.granted.map_or(Span::ZERO, |granted| now.since(granted));
        self.breaker.record_at(self.pass, outcome, took.unwrap_or_else(measured), now);
    }
}

impl<B: Deref<Target = Breaker>> Drop for Permit<B> {
    fn drop(&mut self) {
        if !self.used {
            self.settle(Outcome::Cancelled, None);
        }
    }
}
