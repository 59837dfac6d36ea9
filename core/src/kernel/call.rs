//! One guarded call as a machine without I/O: the driver says what happened and when, the machine
//! says what to do next.
//!
//! ```text
//!  begin ─▶ next ─┬─▶ Attempt ── settled / cut ─┬─▶ Done · Stop · Exceeded
//!            ▲    ├─▶ Wait (breaker open) ──┐   │
//!            │    └─▶ Reject · Stop · …     │   └─▶ Wait ──┐
//!            └──────────────────────────────┴──────────────┘
//! ```
//!
//! | input | when | may answer |
//! | --- | --- | --- |
//! | [`Call::next`] | at first, and after every wait | `Attempt`, `Wait`, `Reject`, `Stop`, `Exceeded` |
//! | [`Call::settled`] | the attempt came to an end | `Done`, `Wait`, `Stop`, `Exceeded` |
//! | [`Call::cut`] | its time was up first | `Wait`, `Stop`, `Exceeded` |
//! | [`Call::cancelled`] | the caller gave up | nothing |
//!
//! INVARIANT: an attempt is recorded at the breaker exactly once, and never after its cut.
//!
//! INVARIANT: each cut, retry and stop is told once; a call that is healthy tells nothing.
//!
//! INVARIANT: each attempt and each call is said to have ended once, the attempt first.

use super::{
    event::{News, Notice},
    jitter::Waits,
    outcome::{Cut, Ending, Outcome, RejectReason, StopReason},
    policy::{
        guard::{GuardPolicy, WhenOpen},
        retry::RetryPolicy,
    },
    retry::{Attempts, Decision, Failure, Resources},
    time::{Instant, Span},
};

/// The shortest wait for an open breaker.
const SHORTEST_OPEN_WAIT: Span = Span::from_millis(10);

/// A granted admission of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The epoch that granted it.
    pub epoch: u32,
}

/// A rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub reason: RejectReason,
    /// How long until a probe is admitted, where that is known.
    pub retry_after: Option<Span>,
}

/// The breaker of a call, beside what the retry decision consults.
pub trait Surroundings: Resources {
    /// A call begins: deposits into the budget.
    fn begun(&self);
    /// Asks the breaker for admission of attempt number `attempt`, which tells of a rejection; always
    /// granted without a breaker.
    ///
    /// # Errors
    /// The rejection.
    fn acquire(&self, attempt: u32, now: Instant) -> Result<Pass, Rejection>;
    /// Records at the breaker what became of attempt number `attempt`.
    fn record(&self, attempt: u32, pass: Pass, outcome: Outcome, took: Span, now: Instant);
    /// An attempt has ended, and was recorded.
    fn attempt_ended(&self, ending: Ending);
    /// Hears what was decided, after that.
    fn tell(&self, notice: Notice);
    /// The call has ended, `took` after it began.
    fn call_ended(&self, ending: Ending, took: Span);
}

/// How long to wait after one of a run of rejections: by the retry's shape or the default one, at least
/// 10 ms, and not less than the time until a probe is admitted, where that is known.
pub(crate) fn wait_while_open(
    rejections: &mut Waits,
    shape: Option<&RetryPolicy>,
    retry_after: Option<Span>,
    draw: impl FnMut() -> u64,
) -> Span {
    let plain;
    let shape = if let Some(retry) = shape {
        retry
    } else {
        plain = RetryPolicy::default();
        &plain
    };
    rejections.next(&shape.backoff, shape.jitter, retry_after, draw).max(SHORTEST_OPEN_WAIT)
}

/// What the user's function made of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It succeeded.
    Success,
    /// It failed.
    Failure(Failure),
    /// It ended in a way that says nothing of the dependency.
    Ignored,
}

impl Verdict {
    /// What it is to the breaker.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Success => Outcome::Success,
            Self::Failure(_) => Outcome::Failure,
            Self::Ignored => Outcome::Ignored,
        }
    }
}

/// An attempt to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Which one, from 1.
    pub number: u32,
    /// What it is cut by, and after how long.
    pub cut: Option<(Cut, Span)>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Run the function.
    Attempt(Attempt),
    /// Wait so long, then ask for the next step.
    Wait(Span),
    /// Hand over what the function returned or raised: a success, or an ignored outcome.
    Done,
    /// Hand over the last failure; it is not retried for this reason.
    Stop(StopReason),
    /// Raise `BREAKER_OPEN`: the function never ran.
    Reject(Rejection),
    /// Raise `DEADLINE_EXCEEDED`, with the last failure, if any, as its cause.
    Exceeded,
}

/// The end of an attempt: what follows, and whether the attempt was cut by its timeout (its failure
/// then is `ATTEMPT_TIMEOUT`, whatever the function made of it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What follows.
    pub step: Step,
    /// Whether the attempt's own timeout cut it.
    pub timed_out: bool,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    pass: Pass,
    started: Instant,
    cut: Option<(Cut, Span)>,
}

/// One guarded call.
#[derive(Clone, Debug)]
pub struct Call {
    started: Instant,
    deadline: Option<Instant>,
    attempts: u32,
    /// The last attempt that its own timeout cut.
    timed_out: u32,
    once: bool,
    waited: bool,
    retries: Attempts,
    rejections: Waits,
    running: Option<Running>,
    /// How the last attempt ended.
    last: Ending,
    ended: bool,
}

impl Call {
    /// Begins a call at `now` and deposits into the budget.
    pub fn begin(policy: &GuardPolicy, surroundings: &impl Surroundings, now: Instant) -> Self {
        surroundings.begun();
        Self::of(policy, now)
    }

    fn of(policy: &GuardPolicy, now: Instant) -> Self {
        Self {
            started: now,
            deadline: policy.deadline.map(|deadline| now.after(deadline)),
            attempts: 0,
            timed_out: 0,
            once: false,
            waited: false,
            retries: Attempts::default(),
            rejections: Waits::default(),
            running: None,
            last: Ending::Cancelled,
            ended: false,
        }
    }

    /// A call whose first attempt began at `now` with a pass that a fast path took, and that has begun there.
    pub fn adopt(policy: &GuardPolicy, pass: Pass, now: Instant) -> Self {
        let mut call = Self::of(policy, now);
        call.start(policy, pass, now);
        call
    }

    /// The same call, of which no failure is retried, not even a timeout: what it does may not be done
    /// twice.
    #[must_use]
    pub const fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// The next attempt, if it may be made.
    pub fn next(&mut self, policy: &GuardPolicy, surroundings: &impl Surroundings, now: Instant) -> Step {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            self.timed_out(Cut::Deadline, policy, surroundings);
            self.end(Ending::Timeout, surroundings, now);
            return Step::Exceeded;
        }
        match surroundings.acquire(self.attempts.saturating_add(1), now) {
            Ok(pass) => Step::Attempt(self.start(policy, pass, now)),
            Err(rejection) => self.rejected(policy, surroundings, rejection, now),
        }
    }

    fn start(&mut self, policy: &GuardPolicy, pass: Pass, now: Instant) -> Attempt {
        self.rejections = Waits::default();
        self.attempts = self.attempts.saturating_add(1);
        let left = self.remaining(now);
        let cut = match (policy.attempt_timeout, left) {
            (Some(timeout), Some(left)) if timeout > left => Some((Cut::Deadline, left)),
            (Some(timeout), _) => Some((Cut::Attempt, timeout)),
            (None, left) => left.map(|left| (Cut::Deadline, left)),
        };
        self.running = Some(Running { pass, started: now, cut });
        Attempt { number: self.attempts, cut }
    }

    fn rejected(
        &mut self,
        policy: &GuardPolicy,
        surroundings: &impl Surroundings,
        rejection: Rejection,
        now: Instant,
    ) -> Step {
        if policy.when_open == WhenOpen::Wait && rejection.reason != RejectReason::ForcedOpen {
            let shape = policy.retry.as_ref();
            let hint = rejection.retry_after;
            let wait = wait_while_open(&mut self.rejections, shape, hint, || surroundings.draw());
            if self.deadline.is_none_or(|deadline| now.after(wait) < deadline) {
                self.waited = true;
                return Step::Wait(wait);
            }
        }
        if self.attempts == 0 {
            self.end(Ending::Rejected, surroundings, now);
            return Step::Reject(rejection);
        }
        self.stop(StopReason::BreakerOpen, surroundings, now)
    }

    /// The running attempt came to an end at `now`. Judged as cut where its time was up by then, so
    /// that a function that cannot be interrupted is held to the same rules.
    pub fn settled(
        &mut self,
        policy: &GuardPolicy,
        surroundings: &impl Surroundings,
        verdict: Verdict,
        now: Instant,
    ) -> Settled {
        let Some(running) = self.running else {
            return Settled { step: Step::Done, timed_out: false };
        };
        let took = now.since(running.started);
        if running.cut.is_some_and(|(_, limit)| took >= limit) {
            return self.cut(policy, surroundings, now);
        }
        let outcome = verdict.outcome();
        let ending = Ending::from(outcome);
        self.finish(surroundings, outcome, ending, now);
        let step = if let Verdict::Failure(failure) = verdict {
            self.failed(policy, surroundings, failure, now)
        } else {
            self.end(ending, surroundings, now);
            Step::Done
        };
        Settled { step, timed_out: false }
    }

    /// The time of the running attempt was up at `now`.
    pub fn cut(&mut self, policy: &GuardPolicy, surroundings: &impl Surroundings, now: Instant) -> Settled {
        match self.running.and_then(|running| running.cut) {
            Some((which @ Cut::Attempt, _)) => {
                self.timed_out = self.attempts;
                self.timed_out(which, policy, surroundings);
                self.finish(surroundings, Outcome::Failure, Ending::Timeout, now);
                let step = self.failed(policy, surroundings, Failure::RETRYABLE, now);
                Settled { step, timed_out: true }
            }
            Some((which @ Cut::Deadline, _)) => {
                self.timed_out(which, policy, surroundings);
                // A caller that had waited before had little time left, which condemns nobody.
                let outcome = if self.waited { Outcome::Ignored } else { Outcome::Failure };
                self.finish(surroundings, outcome, Ending::Timeout, now);
                self.end(Ending::Timeout, surroundings, now);
                Settled { step: Step::Exceeded, timed_out: false }
            }
            None => Settled { step: Step::Done, timed_out: false },
        }
    }

    /// The caller gave up at `now`, in an attempt or in a wait. Nothing where the call is over.
    pub fn cancelled(&mut self, surroundings: &impl Surroundings, now: Instant) {
        self.finish(surroundings, Outcome::Cancelled, Ending::Cancelled, now);
        self.end(Ending::Cancelled, surroundings, now);
    }

    fn finish(&mut self, surroundings: &impl Surroundings, outcome: Outcome, ending: Ending, now: Instant) {
        if let Some(running) = self.running.take() {
            surroundings.record(self.attempts, running.pass, outcome, now.since(running.started), now);
            surroundings.attempt_ended(ending);
            self.last = ending;
        }
    }

    fn end(&mut self, ending: Ending, surroundings: &impl Surroundings, now: Instant) {
        if !self.ended {
            self.ended = true;
            surroundings.call_ended(ending, self.elapsed(now));
        }
    }

    fn failed(
        &mut self,
        policy: &GuardPolicy,
        surroundings: &impl Surroundings,
        failure: Failure,
        now: Instant,
    ) -> Step {
        let failure = Failure { retryable: failure.retryable && !self.once, ..failure };
        let Some(retry) = &policy.retry else {
            let reason =
                if failure.retryable { StopReason::AttemptsExhausted } else { StopReason::NotRetryable };
            return self.stop(reason, surroundings, now);
        };
        let resources = Weighed { surroundings, when_open: policy.when_open };
        let decision = self.retries.failed(retry, failure, now, self.deadline, &resources);
        let (origin, elapsed) = (self.retries.origin(), Some(self.elapsed(now)));
        Notice::of_decision(decision, self.attempts, origin, elapsed)
            .for_each(|notice| surroundings.tell(notice));
        match decision {
            Decision::Wait(wait) => {
                self.waited = true;
                Step::Wait(wait)
            }
            Decision::Stop(reason) => {
                self.end(self.last, surroundings, now);
                Step::Stop(reason)
            }
        }
    }

    fn stop(&mut self, reason: StopReason, surroundings: &impl Surroundings, now: Instant) -> Step {
        let elapsed = Some(self.elapsed(now));
        surroundings.tell(Notice { attempt: self.attempts, news: News::GiveUp { elapsed, reason } });
        self.end(self.last, surroundings, now);
        Step::Stop(reason)
    }

    fn timed_out(&self, which: Cut, policy: &GuardPolicy, surroundings: &impl Surroundings) {
        let timeout = match which {
            Cut::Attempt => policy.attempt_timeout,
            Cut::Deadline => policy.deadline,
        };
        let timeout = timeout.unwrap_or_default();
        surroundings.tell(Notice { attempt: self.attempts, news: News::Timeout { timeout, which } });
    }

    /// How many attempts have begun.
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The last attempt that its own timeout cut, from 1; 0 where none was.
    pub const fn last_timed_out(&self) -> u32 {
        self.timed_out
    }

    /// The time since the call began.
    pub const fn elapsed(&self, now: Instant) -> Span {
        now.since(self.started)
    }

    /// The time left for the call; `None` without a deadline.
    pub fn remaining(&self, now: Instant) -> Option<Span> {
        self.deadline.map(|deadline| deadline.since(now))
    }

    /// The time that the running attempt had when it began; `None` where nothing bounds it.
    pub fn attempt_limit(&self) -> Option<Span> {
        self.running?.cut.map(|(_, limit)| limit)
    }

    /// When the running attempt is cut; `None` where nothing bounds it.
    pub fn attempt_ends(&self) -> Option<Instant> {
        let running = self.running?;
        running.cut.map(|(_, limit)| running.started.after(limit))
    }

    /// The time left for the running attempt; `None` where nothing bounds it.
    pub fn attempt_remaining(&self, now: Instant) -> Option<Span> {
        self.attempt_ends().map(|ends| ends.since(now))
    }
}

/// The breaker's part in the retry decision counts only where an open breaker fails the call.
struct Weighed<'a, S> {
    surroundings: &'a S,
    when_open: WhenOpen,
}

impl<S: Surroundings> Resources for Weighed<'_, S> {
    fn draw(&self) -> u64 {
        self.surroundings.draw()
    }

    fn withdraw(&self, now: Instant) -> bool {
        self.surroundings.withdraw(now)
    }

    fn rejects(&self, now: Instant, then: Instant) -> bool {
        self.when_open == WhenOpen::Fail && self.surroundings.rejects(now, then)
    }
}

#[cfg(test)]
mod tests;
