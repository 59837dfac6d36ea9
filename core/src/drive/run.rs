//! The part of a driver that does not depend on how it waits: one running call.

#[cfg(feature = "tower")]
use super::classify::judge;
use super::{
    classify::Classify,
    context::Told,
    error::{Account, Error},
};
use crate::{
    kernel::{
        call::{Attempt, Call, Rejection, Settled, Step},
        outcome::StopReason,
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
        let mut run = Self { guard, call: guard.begin(now), key: CallKey::next(), last: None, ended: false };
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

    /// The attempt ended with `result`.
    pub(super) fn settled(&mut self, result: Result<T, E>, classify: &impl Classify<T, E>) -> Next<T, E> {
        let now = self.guard.now();
        let verdict = classify.classify(&result);
        let settled = self.call.settled(self.guard.policy(), self.guard, verdict, now);
        if !settled.timed_out && settled.step != Step::Exceeded {
            self.last = Some(Last::Own(result));
        }
        self.after(settled, now)
    }

    /// The attempt's time was up.
    pub(super) fn cut(&mut self) -> Next<T, E> {
        let now = self.guard.now();
        let settled = self.call.cut(self.guard.policy(), self.guard, now);
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
            Step::Attempt(attempt) => return Next::Attempt(attempt),
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

/// A call whose one attempt has failed with `error` before it could be made.
#[cfg(feature = "tower")]
pub(crate) fn failed_before<T, E>(guard: &Guard, error: E, classify: &impl Classify<T, E>) -> Error<E> {
    let (policy, now) = (guard.policy(), guard.now());
    let (verdict, error) = judge(classify, error);
    let mut call = guard.begin(now).once();
    let stop = match call.next(policy, guard, now) {
        Step::Attempt(_) => match call.settled(policy, guard, verdict, now).step {
            Step::Stop(reason) => Some(reason),
            _ => None,
        },
        _ => None,
    };
    let account = Account { attempts: call.attempts(), elapsed: call.elapsed(now).into(), stop };
    Error::Failed { error, account }
}

impl<T, E> Drop for Run<'_, T, E> {
    fn drop(&mut self) {
        if !self.ended {
            self.call.cancelled(self.guard, self.guard.now());
        }
    }
}
