//! The core's machines, one for each object that a call can go through, behind one face.
//!
//! | of a | attempts | bounded in time |
//! | --- | --- | --- |
//! | guard | as its policy says | by `attempt_timeout` and `deadline` |
//! | breaker | one | no |
//! | retry | as its policy says | no |
//! | none, as calls are switched off | one, of which nothing is told | no |

use std::sync::Arc;

use overcurrent::{
    AttemptTimeout, Breaker, BreakerOpen, DeadlineExceeded, Decision, First, Guard, Instant, Outcome, Retry,
    Span, Verdict,
    kernel::{
        call::{Attempt, Call, Pass, Rejection, Settled, Step},
        retry::Attempts,
    },
};

use crate::{behalf::Made, fork::forks, switch};

/// What calls go through.
pub(crate) trait Subject {
    /// The first attempt of a call, where nothing stands in its way.
    fn first(&self) -> Option<First>;
    /// Records that the first attempt has succeeded; `false` where that needs the machine.
    fn succeeded(&self, first: First) -> bool;
    /// Whether nothing is decided when the first attempt succeeds.
    fn is_quiet(&self, first: First) -> bool;
    /// A first attempt in short, where one half says all.
    fn short(&self, first: First) -> Option<Short>;
    /// The guard that waits for the end of a call that has begun, if that counts calls.
    fn counting(&self) -> Option<Arc<Guard>> {
        None
    }
    /// The rejection of a call that begins now, where that is certain, and the call is over with it.
    fn refused(&self) -> Option<BreakerOpen> {
        None
    }
    /// Whether anything bounds an attempt.
    fn is_bounded(&self) -> bool {
        false
    }
    /// The machine of a call whose first attempt is running.
    fn adopt(&self, first: First) -> Machine;
    /// The machine of a call that has made no attempt.
    fn start(&self) -> Machine;
}

impl Subject for Arc<Guard> {
    #[inline]
    fn counting(&self) -> Option<Arc<Guard>> {
        Some(Self::clone(self))
    }

    #[inline]
    fn refused(&self) -> Option<BreakerOpen> {
        Guard::refused(self)
    }

    #[inline]
    fn first(&self) -> Option<First> {
        Guard::first(self)
    }

    #[inline]
    fn succeeded(&self, first: First) -> bool {
        Guard::succeeded(self, first)
    }

    fn is_quiet(&self, first: First) -> bool {
        self.breaker().is_none_or(|breaker| breaker.is_quiet(first))
    }

    #[inline]
    fn short(&self, _: First) -> Option<Short> {
        None
    }

    #[inline]
    fn is_bounded(&self) -> bool {
        self.first_limit().is_some()
    }

    fn adopt(&self, first: First) -> Machine {
        Machine::Guard(GuardRun::of(Guard::adopt(self, first), None, self))
    }

    fn start(&self) -> Machine {
        let now = self.now();
        Machine::Guard(GuardRun::of(self.begin(now), Some(now), self))
    }
}

impl Subject for Arc<Breaker> {
    #[inline]
    fn refused(&self) -> Option<BreakerOpen> {
        Breaker::refused(self)
    }

    #[inline]
    fn first(&self) -> Option<First> {
        Breaker::first(self)
    }

    #[inline]
    fn succeeded(&self, first: First) -> bool {
        Breaker::succeeded(self, first);
        true
    }

    fn is_quiet(&self, first: First) -> bool {
        self.policy().slow_call.is_none() && self.cells().pass() == Some(first.pass)
    }

    #[inline]
    fn short(&self, first: First) -> Option<Short> {
        (first.started == Instant::ZERO).then_some(Short::Epoch(first.pass.epoch))
    }

    fn adopt(&self, first: First) -> Machine {
        Machine::Breaker(BreakerRun { running: Some(first), breaker: Self::clone(self) })
    }

    fn start(&self) -> Machine {
        Machine::Breaker(BreakerRun { running: None, breaker: Self::clone(self) })
    }
}

impl Subject for Arc<Retry> {
    #[inline]
    fn first(&self) -> Option<First> {
        Some(Retry::first(self))
    }

    #[inline]
    fn succeeded(&self, _: First) -> bool {
        true
    }

    fn is_quiet(&self, _: First) -> bool {
        true
    }

    #[inline]
    fn short(&self, first: First) -> Option<Short> {
        Some(Short::Started(first.started))
    }

    fn adopt(&self, first: First) -> Machine {
        Machine::Retry(RetryRun {
            attempts: Attempts::default(),
            begun: 1,
            started: first.started,
            skipped: Span::ZERO,
            retry: Self::clone(self),
        })
    }

    fn start(&self) -> Machine {
        Machine::Retry(RetryRun {
            attempts: self.begin(),
            begun: 0,
            started: self.now(),
            skipped: Span::ZERO,
            retry: Self::clone(self),
        })
    }
}

/// The half of a first attempt that says all, as the other one is zero.
#[derive(Clone, Copy)]
pub(crate) enum Short {
    /// At a breaker that does not ask for durations.
    Epoch(u32),
    /// At a retry.
    Started(Instant),
}

impl From<Short> for First {
    #[inline]
    fn from(short: Short) -> Self {
        match short {
            Short::Epoch(epoch) => Self { pass: Pass { epoch }, started: Instant::ZERO },
            Short::Started(started) => Self { pass: Pass { epoch: 0 }, started },
        }
    }
}

/// A call under way.
pub(crate) enum Machine {
    Guard(GuardRun),
    Breaker(BreakerRun),
    Retry(RetryRun),
    /// None: calls are switched off.
    Off,
}

/// Through a guard.
pub(crate) struct GuardRun {
    guard: Arc<Guard>,
    call: Call,
    /// When it began, until the first step is taken at the same instant.
    begun: Option<Instant>,
    /// The waits that were not slept: its time is ahead of the clock by so much.
    skipped: Span,
    /// How many forks there had been when it was last looked at.
    forks: u32,
}

/// Through a breaker alone.
pub(crate) struct BreakerRun {
    breaker: Arc<Breaker>,
    running: Option<First>,
}

/// Through a retry alone.
pub(crate) struct RetryRun {
    retry: Arc<Retry>,
    attempts: Attempts,
    begun: u32,
    started: Instant,
    /// As of a guard.
    skipped: Span,
}

impl Machine {
    /// Of a call that has made no attempt.
    #[cold]
    pub(crate) fn begin(subject: &impl Subject) -> Self {
        if switch::is_disabled() { Self::Off } else { subject.start() }
    }

    /// The same call, of which no failure is retried.
    pub(crate) fn once(self) -> Self {
        match self {
            Self::Guard(run) => Self::Guard(GuardRun { call: run.call.once(), ..run }),
            machine => machine,
        }
    }

    /// Whether it only lets a call through.
    pub(crate) const fn is_off(&self) -> bool {
        matches!(self, Self::Off)
    }

    /// At first, and after every wait.
    pub(crate) fn next(&mut self) -> Step {
        let number = match self {
            Self::Guard(run) => {
                run.go_on();
                let now = run.begun.take().unwrap_or_else(|| run.now());
                return run.call.next(run.guard.policy(), &*run.guard, now);
            }
            Self::Breaker(run) => match run.breaker.admit() {
                Ok(first) => {
                    run.running = Some(first);
                    1
                }
                Err(BreakerOpen { reason, retry_after, .. }) => {
                    return Step::Reject(Rejection { reason, retry_after });
                }
            },
            Self::Retry(run) => {
                run.begun = run.begun.saturating_add(1);
                run.begun
            }
            Self::Off => 1,
        };
        Step::Attempt(Attempt { number, cut: None })
    }

    /// The attempt came to an end.
    pub(crate) fn settled(&mut self, verdict: Verdict) -> Settled {
        let step = match self {
            Self::Guard(run) => {
                run.go_on();
                let now = run.now();
                return run.call.settled(run.guard.policy(), &*run.guard, verdict, now);
            }
            Self::Breaker(run) => {
                run.record(match verdict {
                    Verdict::Success => Outcome::Success,
                    Verdict::Failure(_) => Outcome::Failure,
                    Verdict::Ignored => Outcome::Ignored,
                });
                Step::Done
            }
            Self::Retry(run) => match verdict {
                Verdict::Success | Verdict::Ignored => Step::Done,
                Verdict::Failure(failure) => {
                    let now = run.now();
                    match run.retry.failed_at(&mut run.attempts, failure, now, None) {
                        Decision::Wait(span) => Step::Wait(span),
                        Decision::Stop(reason) => Step::Stop(reason),
                    }
                }
            },
            Self::Off => Step::Done,
        };
        Settled { step, timed_out: false }
    }

    /// The time of the attempt was up; only a guard cuts.
    pub(crate) fn cut(&mut self) -> Settled {
        match self {
            Self::Guard(run) => {
                run.go_on();
                let now = run.now();
                run.call.cut(run.guard.policy(), &*run.guard, now)
            }
            Self::Breaker(_) | Self::Retry(_) | Self::Off => Settled { step: Step::Done, timed_out: false },
        }
    }

    /// The caller gave up.
    pub(crate) fn cancelled(&mut self) {
        match self {
            Self::Guard(run) => {
                run.go_on();
                let now = run.now();
                run.call.cancelled(&*run.guard, now);
            }
            Self::Breaker(run) => run.record(Outcome::Cancelled),
            Self::Retry(_) | Self::Off => {}
        }
    }

    /// Takes a wait that was not slept for time that has passed.
    pub(crate) const fn skip(&mut self, span: Span) {
        match self {
            Self::Guard(GuardRun { skipped, .. }) | Self::Retry(RetryRun { skipped, .. }) => {
                *skipped = skipped.saturating_add(span);
            }
            Self::Breaker(_) | Self::Off => {}
        }
    }

    /// Whose attempt is under way.
    pub(crate) fn made(&self) -> Made {
        let at = |breaker: &Breaker| (breaker.name().to_owned(), breaker.state().as_str());
        let (guard, breaker) = match self {
            Self::Guard(run) => {
                (Some(run.guard.name().to_owned()), run.guard.breaker().map(|breaker| at(breaker)))
            }
            Self::Breaker(run) => (None, Some(at(&run.breaker))),
            Self::Retry(_) | Self::Off => (None, None),
        };
        Made { guard, breaker, attempt: self.attempts() }
    }

    /// How many attempts have begun.
    pub(crate) const fn attempts(&self) -> u32 {
        match self {
            Self::Guard(run) => run.call.attempts(),
            Self::Breaker(_) | Self::Off => 1,
            Self::Retry(run) => run.begun,
        }
    }

    /// The time that the attempt had when it began; `None` where nothing bounds it.
    pub(crate) fn limit(&self) -> Option<Span> {
        self.guard().and_then(|run| run.call.attempt_limit())
    }

    /// The time left for the attempt; `None` where nothing bounds it.
    pub(crate) fn remaining(&self) -> Option<Span> {
        self.guard().and_then(|run| run.call.attempt_remaining(run.now()))
    }

    /// The time since the call began; `None` where that is not measured.
    pub(crate) fn elapsed(&self) -> Option<Span> {
        match self {
            Self::Guard(run) => Some(run.call.elapsed(run.now())),
            Self::Breaker(_) | Self::Off => None,
            Self::Retry(run) => Some(run.now().since(run.started)),
        }
    }

    /// The subject of an account.
    pub(crate) fn who(&self) -> String {
        match self {
            Self::Guard(run) => format!("guard `{}`", run.guard.name()),
            Self::Breaker(run) => format!("breaker `{}`", run.breaker.name()),
            Self::Retry(_) | Self::Off => "retry".to_owned(),
        }
    }

    /// The error of a rejection; only a breaker rejects.
    pub(crate) fn refusal(&self, rejection: Rejection) -> Option<BreakerOpen> {
        match self {
            Self::Guard(run) => Some(run.guard.refusal(rejection)),
            Self::Breaker(run) => Some(run.breaker.refusal(rejection)),
            Self::Retry(_) | Self::Off => None,
        }
    }

    /// The error of an attempt that its timeout cut; only a guard cuts.
    pub(crate) fn attempt_timeout(&self) -> Option<AttemptTimeout> {
        self.guard().map(|run| run.guard.attempt_timeout(&run.call))
    }

    /// The error of a call whose deadline is over; only a guard has one.
    pub(crate) fn deadline_exceeded(&self) -> Option<DeadlineExceeded> {
        self.guard().map(|run| run.guard.deadline_exceeded(&run.call))
    }

    const fn guard(&self) -> Option<&GuardRun> {
        match self {
            Self::Guard(run) => Some(run),
            Self::Breaker(_) | Self::Retry(_) | Self::Off => None,
        }
    }
}

impl GuardRun {
    fn of(call: Call, begun: Option<Instant>, guard: &Arc<Guard>) -> Self {
        Self { call, begun, skipped: Span::ZERO, forks: forks(), guard: Arc::clone(guard) }
    }

    /// Where it goes on in the child of a fork, it is counted there from here on.
    fn go_on(&mut self) {
        if std::mem::replace(&mut self.forks, forks()) != forks() {
            self.guard.inherited();
        }
    }

    fn now(&self) -> Instant {
        self.guard.now().after(self.skipped)
    }
}

impl BreakerRun {
    fn record(&mut self, outcome: Outcome) {
        if let Some(first) = self.running.take() {
            Breaker::adopt(&self.breaker, first).record(outcome);
        }
    }
}

impl RetryRun {
    fn now(&self) -> Instant {
        self.retry.now().after(self.skipped)
    }
}
