//! The part of a driver that does not depend on how it waits: one running call.

use std::{borrow::Cow, future::Future};

#[cfg(feature = "tower")]
use super::classify::judge;
use super::{
    classify::Classify,
    context::Told,
    error::{Account, Error},
    span::AttemptSpan,
};
use crate::{
    kernel::{
        call::{Attempt, Call, Rejection, Settled, Step, Verdict},
        error::ErrorCode,
        error_type::error_type,
        outcome::{Ending, StopReason},
        time::{Instant, Span},
    },
    live::{guard::Guard, key::CallKey},
};

/// A call under way. Dropping it before its end, also by a panic or a dropped future, is a
/// cancellation.
pub(super) struct Run<'g, T, E> {
    guard: &'g Guard,
    call: Call,
    key: CallKey,
    last: Option<Last<T, E>>,
    /// Of the attempt under way.
    span: AttemptSpan,
    ended: bool,
}

/// What the last attempt came to.
enum Last<T, E> {
    Own(Result<T, E>),
    TimedOut,
}

/// What a driver does next.
pub(super) enum Next<T, E> {
    Attempt(Attempt),
    Wait(Span),
    Return(Result<T, Error<E>>),
}

impl<'g, T, E> Run<'g, T, E> {
    pub(super) fn begin(guard: &'g Guard) -> (Self, Next<T, E>) {
        let now = guard.now();
        let (call, key, span) = (guard.begin(now), CallKey::next(), AttemptSpan::NONE);
        let mut run = Self { guard, call, key, last: None, span, ended: false };
        let next = run.next_at(now);
        (run, next)
    }

    /// The next step, at first and after a wait.
    pub(super) fn next(&mut self) -> Next<T, E> {
        self.next_at(self.guard.now())
    }

    fn next_at(&mut self, now: Instant) -> Next<T, E> {
        let step = self.call.next(self.guard.policy(), self.guard, now);
        self.step(step, now)
    }

    pub(super) fn told(&self, attempt: Attempt) -> Told {
        Told { attempt: attempt.number, ends: self.call.attempt_ends(), key: self.key }
    }

    /// From now on nothing is tried again.
    pub(super) fn once(&mut self) {
        self.call = self.call.clone().once();
    }

    /// Makes the attempt, in its span.
    pub(super) fn within<R>(&self, make: impl FnOnce() -> R) -> R {
        self.span.within(make)
    }

    /// The future of the attempt, in its span whenever it is polled.
    pub(super) fn around<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<T, E, F> {
        self.span.around(future)
    }

    /// The attempt ended with `result`.
    pub(super) fn settled(&mut self, result: Result<T, E>, classify: &impl Classify<T, E>) -> Next<T, E> {
        let now = self.guard.now();
        let (guard, call) = (self.guard, &mut self.call);
        let (verdict, settled) = self.span.within(|| {
            let verdict = classify.classify(&result);
            (verdict, call.settled(guard.policy(), guard, verdict, now))
        });
        end(&mut self.span, &settled, verdict, || classify.error_type(&result));
        if !settled.timed_out && settled.step != Step::Exceeded {
            self.last = Some(Last::Own(result));
        }
        self.after(settled, now)
    }

    /// The attempt's time was up.
    pub(super) fn cut(&mut self) -> Next<T, E> {
        let now = self.guard.now();
        let (guard, call) = (self.guard, &mut self.call);
        let settled = self.span.within(|| call.cut(guard.policy(), guard, now));
        end(&mut self.span, &settled, Verdict::Ignored, || None);
        self.after(settled, now)
    }

    fn after(&mut self, settled: Settled, now: Instant) -> Next<T, E> {
        if settled.timed_out {
            self.last = Some(Last::TimedOut);
        }
        self.step(settled.step, now)
    }

    fn step(&mut self, step: Step, now: Instant) -> Next<T, E> {
        let end = match step {
            Step::Attempt(attempt) => {
                self.span = AttemptSpan::begin(self.guard, attempt.number);
                return Next::Attempt(attempt);
            }
            Step::Wait(span) => return Next::Wait(span),
            Step::Done => self.last_failure(None, now),
            Step::Stop(reason) => self.last_failure(Some(reason), now),
            Step::Reject(rejection) => Err(self.refused(rejection)),
            Step::Exceeded => Err(self.exceeded(now)),
        };
        self.ended = true;
        Next::Return(end)
    }

    fn account(&self, stop: Option<StopReason>, now: Instant) -> Account {
        Account { attempts: self.call.attempts(), elapsed: self.call.elapsed(now).into(), stop }
    }

    fn last_failure(&mut self, stop: Option<StopReason>, now: Instant) -> Result<T, Error<E>> {
        let account = self.account(stop, now);
        match self.last.take() {
            Some(Last::Own(result)) => result.map_err(|error| Error::Failed { error, account }),
            // A stop always follows an attempt, so nothing but a timeout is left.
            Some(Last::TimedOut) | None => {
                Err(Error::AttemptTimeout { error: self.guard.attempt_timeout(&self.call), account })
            }
        }
    }

    fn exceeded(&mut self, now: Instant) -> Error<E> {
        let account = self.account(None, now);
        let cause = match self.last {
            None => None,
            Some(_) => self.last_failure(None, now).err().map(Box::new),
        };
        Error::DeadlineExceeded { error: self.guard.deadline_exceeded(&self.call), cause, account }
    }

    fn refused(&self, rejection: Rejection) -> Error<E> {
        Error::BreakerOpen(self.guard.refusal(rejection))
    }
}

/// Ends the span of an attempt that was settled; `error` says what its error is called.
fn end(
    span: &mut AttemptSpan,
    settled: &Settled,
    verdict: Verdict,
    error: impl FnOnce() -> Option<Cow<'static, str>>,
) {
    let code = match settled {
        Settled { step: Step::Exceeded, .. } => Some(ErrorCode::DeadlineExceeded),
        Settled { timed_out: true, .. } => Some(ErrorCode::AttemptTimeout),
        Settled { .. } => None,
    };
    let ending = if code.is_some() { Ending::Timeout } else { Ending::from(verdict.outcome()) };
    span.end(ending, || match (code, ending) {
        (Some(code), _) => Some(code.as_str().into()),
        (None, Ending::Success) => None,
        (None, Ending::Failure) => error().or_else(|| Some(error_type(None, None, None))),
        (None, _) => error(),
    });
}

/// A call whose one attempt has failed with `error` before it could be made.
#[cfg(feature = "tower")]
pub(crate) fn failed_before<T, E>(guard: &Guard, error: E, classify: &impl Classify<T, E>) -> Error<E> {
    let (policy, now) = (guard.policy(), guard.now());
    let (verdict, error_type, error) = judge(classify, error);
    let mut call = guard.begin(now).once();
    let stop = match call.next(policy, guard, now) {
        Step::Attempt(attempt) => {
            let mut span = AttemptSpan::begin(guard, attempt.number);
            let settled = span.within(|| call.settled(policy, guard, verdict, now));
            end(&mut span, &settled, verdict, || error_type);
            match settled.step {
                Step::Stop(reason) => Some(reason),
                _ => None,
            }
        }
        _ => None,
    };
    let account = Account { attempts: call.attempts(), elapsed: call.elapsed(now).into(), stop };
    Error::Failed { error, account }
}

impl<T, E> Drop for Run<'_, T, E> {
    fn drop(&mut self) {
        if !self.ended {
            let (guard, call) = (self.guard, &mut self.call);
            self.span.within(|| call.cancelled(guard, guard.now()));
            self.span.end(Ending::Cancelled, || None);
        }
    }
}
