//! What a service holds between `poll_ready` and `call`.
//!
//! | state | means | `poll_ready` |
//! | --- | --- | --- |
//! | unasked | nothing is held | asks the breaker |
//! | held | a permit | ready, while it is of the breaker's epoch |
//! | rejected | what `call` will answer | ready, while the breaker is known to reject |
//! | waiting | a timer | pending |
//!
//! INVARIANT: a permit that no call has used goes back as cancelled after no time at all, however long it
//! was held, so that it is never taken for a call that was given up.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use crate::{
    kernel::{
        call::wait_while_open,
        error::BreakerOpen,
        jitter::Waits,
        outcome::{Outcome, Position},
        policy::WhenOpen,
        time::Span,
    },
    live::{breaker::Breaker, permit::Permit, stream::Stream},
};

/// The longest time until a waiting service looks at the breaker again, which an operator may have reset.
const LONGEST_NAP: Span = Span::from_secs(1);

/// The breaker of a layer, and how its services ask it.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) breaker: Arc<Breaker>,
    pub(super) when_open: WhenOpen,
    stream: Stream,
}

impl Gate {
    pub(super) fn new(breaker: Arc<Breaker>, when_open: WhenOpen) -> Self {
        Self { breaker, when_open, stream: Stream::new(None) }
    }

    /// Whether it is known to reject, without asking it.
    fn rejects(&self) -> bool {
        let breaker = &self.breaker;
        breaker.state() == Position::ForcedOpen
            || breaker.retry_after().is_some_and(|retry_after| retry_after > Span::ZERO)
    }
}

/// A permit for the next call.
#[derive(Debug)]
pub(super) struct Reserved(Option<Permit<Arc<Breaker>>>);

impl Reserved {
    fn is_current(&self) -> bool {
        self.0.as_ref().is_some_and(Permit::is_current)
    }

    /// The call begins now.
    fn begin(mut self) -> Option<Permit<Arc<Breaker>>> {
        self.0.take().map(Permit::beginning)
    }

    /// It came to no call, as the inner service failed before.
    pub(super) fn record(mut self, outcome: Outcome) {
        if let Some(permit) = self.0.take() {
            permit.record_took(outcome, Duration::ZERO);
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(permit) = self.0.take() {
            permit.unused();
        }
    }
}

/// One run of rejections and the time until it is asked again.
#[derive(Debug)]
pub(super) struct Waiting {
    rejections: Waits,
    /// The epoch that rejected; in another one it is asked at once.
    epoch: u32,
    nap: Pin<Box<tokio::time::Sleep>>,
    /// What is to be waited after the nap.
    left: Span,
}

impl Waiting {
    fn after(mut rejections: Waits, rejection: &BreakerOpen, gate: &Gate) -> Self {
        let wait = wait_while_open(&mut rejections, None, rejection.retry_after, || gate.stream.draw());
        let nap = wait.min(LONGEST_NAP);
        Self {
            rejections,
            epoch: gate.breaker.cells().state().epoch,
            nap: Box::pin(tokio::time::sleep(nap.into())),
            left: wait.saturating_sub(nap),
        }
    }

    /// Ready when it is time to ask again.
    fn poll(&mut self, gate: &Gate, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.nap.as_mut().poll(cx));
            let state = gate.breaker.cells().state();
            let forced = state.position == Position::ForcedOpen;
            if state.epoch != self.epoch || !(forced || self.left > Span::ZERO) {
                return Poll::Ready(());
            }
            let nap = if forced { LONGEST_NAP } else { self.left.min(LONGEST_NAP) };
            self.left = self.left.saturating_sub(nap);
            self.nap.set(tokio::time::sleep(nap.into()));
        }
    }
}

/// What a service holds. A clone of the service holds nothing.
#[derive(Debug, Default)]
pub(super) enum Admission {
    #[default]
    Unasked,
    Held(Reserved),
    Rejected(BreakerOpen),
    Waiting(Waiting),
}

impl Admission {
    /// Ready when it is known what `call` will do; whether that is to call.
    pub(super) fn poll(&mut self, gate: &Gate, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            let rejections = match self {
                Self::Held(reserved) if reserved.is_current() => return Poll::Ready(true),
                Self::Rejected(_) if gate.rejects() => return Poll::Ready(false),
                Self::Waiting(waiting) => {
                    ready!(waiting.poll(gate, cx));
                    waiting.rejections
                }
                Self::Unasked | Self::Held(_) | Self::Rejected(_) => Waits::default(),
            };
            *self = match (gate.breaker.acquire_owned(), gate.when_open) {
                (Ok(permit), _) => Self::Held(Reserved(Some(permit))),
                (Err(rejection), WhenOpen::Fail) => Self::Rejected(rejection),
                (Err(rejection), WhenOpen::Wait) => {
                    Self::Waiting(Waiting::after(rejections, &rejection, gate))
                }
            };
            match self {
                Self::Held(_) => return Poll::Ready(true),
                Self::Unasked | Self::Rejected(_) => return Poll::Ready(false),
                Self::Waiting(_) => {}
            }
        }
    }

    /// The permit of a call that begins now. What is held from an epoch that is over is of no worth, and
    /// neither is nothing: the breaker is asked then.
    pub(super) fn begin(&mut self, gate: &Gate) -> Result<Permit<Arc<Breaker>>, BreakerOpen> {
        match std::mem::take(self) {
            Self::Rejected(rejection) => return Err(rejection),
            Self::Held(reserved) if reserved.is_current() => {
                if let Some(permit) = reserved.begin() {
                    return Ok(permit);
                }
            }
            Self::Unasked | Self::Held(_) | Self::Waiting(_) => {}
        }
        gate.breaker.acquire_owned()
    }

    /// Gives back what is held, with what became of it.
    pub(super) fn spend(&mut self, outcome: Outcome) {
        if let Self::Held(reserved) = std::mem::take(self) {
            reserved.record(outcome);
        }
    }
}
