//! One admission: owned, stamped with its epoch, used up by one outcome.

use std::{ops::Deref, sync::Arc, time::Duration};

use super::breaker::Breaker;
use crate::kernel::{
    call::{Pass, Rejection},
    error::BreakerOpen,
    outcome::Outcome,
    time::{Instant, Span},
};

/// The right to make one call. Say what became of it with [`Self::success`], [`Self::failure`] or
/// [`Self::ignored`]; dropping it, also by a panic or a dropped future, says that it was cancelled.
#[must_use = "dropping a permit says that the call was cancelled"]
#[derive(Debug)]
pub struct Permit<B: Deref<Target = Breaker>> {
    /// Until it is used up.
    admission: Option<Admission<B>>,
}

#[derive(Debug)]
struct Admission<B> {
    breaker: B,
    pass: Pass,
    /// When it was granted; zero where the policy does not ask for durations.
    granted: Instant,
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

    /// Admission, and when it was granted; to be recorded by the caller.
    #[expect(clippy::inline_always, reason = "out of line, the answer goes through memory: 2 ns of 5")]
    #[inline(always)]
    pub(crate) fn grant(&self) -> Result<(Pass, Instant), BreakerOpen> {
        match self.cells().pass().filter(|_| !self.is_timed()) {
            Some(pass) => Ok((pass, Instant::ZERO)),
            None => ask(self).map_err(|rejection| self.refusal(rejection)),
        }
    }
}

impl<B: Deref<Target = Breaker>> Permit<B> {
    #[inline]
    pub(crate) fn acquire(breaker: B) -> Result<Self, BreakerOpen> {
        let (pass, granted) = breaker.grant()?;
        Ok(Self::of(breaker, pass, granted))
    }

    #[inline]
    pub(crate) const fn of(breaker: B, pass: Pass, granted: Instant) -> Self {
        Self { admission: Some(Admission { breaker, pass, granted }) }
    }

    /// Whether it belongs to the epoch that its breaker is in, so that its outcome would count.
    #[cfg(feature = "tower")]
    pub(crate) fn is_current(&self) -> bool {
        let current = |held: &Admission<B>| held.breaker.cells().state().epoch == held.pass.epoch;
        self.admission.as_ref().is_some_and(current)
    }

    /// The same permit of a call that begins only now.
    #[cfg(feature = "tower")]
    pub(crate) fn beginning(mut self) -> Self {
        if let Some(held) = self.admission.as_mut().filter(|held| held.breaker.is_timed()) {
            held.granted = held.breaker.now();
        }
        self
    }

    /// There was no call. What belongs to an epoch that is over has nothing to give back.
    #[cfg(feature = "tower")]
    pub(crate) fn unused(mut self) {
        if self.is_current() {
            self.settle(Outcome::Cancelled, Some(Span::ZERO));
        } else {
            self.admission = None;
        }
    }

    /// The call succeeded.
    #[expect(clippy::inline_always, reason = "out of line, the permit goes through memory: 0.8 ns of 3.9")]
    #[inline(always)]
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
    #[expect(clippy::inline_always, reason = "out of line, the permit goes through memory: 0.8 ns of 3.9")]
    #[inline(always)]
    pub fn record(mut self, outcome: Outcome) {
        self.settle(outcome, None);
    }

    /// Says what became of a call whose duration the caller has measured.
    pub fn record_took(mut self, outcome: Outcome, took: Duration) {
        self.settle(outcome, Some(took.into()));
    }

    #[expect(clippy::inline_always, reason = "out of line, the permit goes through memory: 0.8 ns of 3.9")]
    #[inline(always)]
    fn settle(&mut self, outcome: Outcome, took: Option<Span>) {
        let Some(Admission { breaker, pass, granted }) = self.admission.take() else { return };
        let quick = outcome == Outcome::Success && !breaker.is_timed();
        if !(quick && breaker.record_quickly(pass)) {
            record(&breaker, pass, granted, outcome, took);
        }
    }
}

// What follows takes its arguments by value and is not inlined, so that the quick path keeps a permit in
// registers.

/// Asks with the time at hand.
#[inline(never)]
fn ask(breaker: &Breaker) -> Result<(Pass, Instant), Rejection> {
    if let Some(rejection) = breaker.held_off(None) {
        return Err(rejection);
    }
    let now = breaker.now();
    let pass = breaker.acquire_at(now)?;
    Ok((pass, if breaker.is_timed() { now } else { Instant::ZERO }))
}

/// Records with the time at hand.
#[inline(never)]
fn record(breaker: &Breaker, pass: Pass, granted: Instant, outcome: Outcome, took: Option<Span>) {
    let now = breaker.now();
    let measured = || if breaker.is_timed() { now.since(granted) } else { Span::ZERO };
    breaker.record_at(pass, outcome, took.unwrap_or_else(measured), now);
}

impl<B: Deref<Target = Breaker>> Drop for Permit<B> {
    fn drop(&mut self) {
        self.settle(Outcome::Cancelled, None);
    }
}
