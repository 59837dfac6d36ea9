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
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::kernel::policy::GuardDraft;

    /// A breaker that lets everything through once and rejects from then on; it counts the draws, and notes
    /// what it hears.
    #[derive(Default)]
    struct Once {
        heard: RefCell<Vec<String>>,
        admitted: Cell<bool>,
        drawn: Cell<u64>,
    }

    impl Resources for Once {
        fn draw(&self) -> u64 {
            self.drawn.set(self.drawn.get() + 1);
            u64::MAX
        }

        fn withdraw(&self, _: Instant) -> bool {
            true
        }

        fn rejects(&self, _: Instant, _: Instant) -> bool {
            true
        }
    }

    impl Surroundings for Once {
        fn begun(&self) {}

        fn acquire(&self, _: u32, _: Instant) -> Result<Pass, Rejection> {
            let rejection = Rejection { reason: RejectReason::HalfOpen, retry_after: None };
            if self.admitted.replace(true) { Err(rejection) } else { Ok(Pass { epoch: 1 }) }
        }

        fn record(&self, attempt: u32, _: Pass, outcome: Outcome, _: Span, _: Instant) {
            self.heard.borrow_mut().push(format!("{attempt} {outcome}"));
        }

        fn attempt_ended(&self, ending: Ending) {
            self.heard.borrow_mut().push(format!("attempt {ending}"));
        }

        fn tell(&self, _: Notice) {}

        fn call_ended(&self, ending: Ending, took: Span) {
            self.heard.borrow_mut().push(format!("call {ending} {took}"));
        }
    }

    fn failed(when_open: WhenOpen) -> (Step, u64) {
        let policy = GuardDraft::default().when_open(when_open).build().expect("the policy is valid");
        let once = Once::default();
        let mut call = Call::begin(&policy, &once, Instant::ZERO);
        assert!(matches!(call.next(&policy, &once, Instant::ZERO), Step::Attempt(_)));
        let settled =
            call.settled(&policy, &once, Verdict::Failure(Failure::RETRYABLE), Instant::from_millis(1));
        (settled.step, once.drawn.get())
    }

    #[test]
    fn a_breaker_that_would_reject_stops_a_call_only_where_it_fails_calls() {
        let whole = Span::from_millis(100);
        assert_eq!(failed(WhenOpen::Fail), (Step::Stop(StopReason::BreakerOpen), 1));
        assert_eq!(failed(WhenOpen::Wait), (Step::Wait(whole), 1), "the largest draw is the whole wait");
    }

    #[test]
    fn what_is_done_once_is_not_tried_again_whatever_became_of_it() {
        let policy = GuardDraft::default().build().expect("the policy is valid");
        let step = |once, timed_out| {
            let around = Once::default();
            let call = Call::begin(&policy, &around, Instant::ZERO);
            let mut call = if once { call.once() } else { call };
            call.next(&policy, &around, Instant::ZERO);
            let now = Instant::from_millis(if timed_out { 10_000 } else { 1 });
            let settled = call.settled(&policy, &around, Verdict::Failure(Failure::RETRYABLE), now);
            assert_eq!(settled.timed_out, timed_out);
            settled.step
        };
        for timed_out in [false, true] {
            assert_eq!(step(true, timed_out), Step::Stop(StopReason::NotRetryable));
            assert_eq!(step(false, timed_out), Step::Stop(StopReason::BreakerOpen), "it goes on to ask");
        }
    }

    #[test]
    fn an_attempt_that_has_just_its_timeout_left_is_cut_by_that() {
        let second = std::time::Duration::from_secs;
        let draft = GuardDraft::default().attempt_timeout(second(2)).deadline(second(5));
        let policy = draft.build().expect("the policy is valid");
        let cut = |millis| {
            let once = Once::default();
            let mut call = Call::begin(&policy, &once, Instant::ZERO);
            match call.next(&policy, &once, Instant::from_millis(millis)) {
                Step::Attempt(attempt) => attempt.cut,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(cut(3_000), Some((Cut::Attempt, Span::from_secs(2))));
        assert_eq!(cut(3_001), Some((Cut::Deadline, Span::from_millis(1_999))));
    }

    #[test]
    fn what_remains_of_an_attempt_is_less_of_its_timeout_and_the_deadline() {
        let second = std::time::Duration::from_secs;
        let draft = GuardDraft::default().attempt_timeout(second(2)).deadline(second(5));
        let policy = draft.build().expect("the policy is valid");
        let once = Once::default();
        let mut call = Call::begin(&policy, &once, Instant::ZERO);
        assert_eq!((call.attempt_remaining(Instant::ZERO), call.attempt_ends()), (None, None));
        call.next(&policy, &once, Instant::from_millis(500));
        assert_eq!(call.attempt_remaining(Instant::from_millis(700)), Some(Span::from_millis(1_800)));
        assert_eq!(call.attempt_ends(), Some(Instant::from_millis(2_500)));

        let late = Once::default();
        let mut call = Call::begin(&policy, &late, Instant::ZERO);
        call.next(&policy, &late, Instant::from_millis(4_000));
        assert_eq!(call.attempt_remaining(Instant::from_millis(4_250)), Some(Span::from_millis(750)));
    }

    #[test]
    fn each_attempt_and_each_call_ends_once() {
        let second = std::time::Duration::from_secs;
        let draft = || GuardDraft::default().attempt_timeout(second(2)).deadline(second(5));
        // What a call hears that is rejected at its second attempt, if it comes to one.
        let heard = |draft: GuardDraft, go: &dyn Fn(&mut Call, &GuardPolicy, &Once)| {
            let (policy, around) = (draft.build().expect("the policy is valid"), Once::default());
            let mut call = Call::begin(&policy, &around, Instant::ZERO);
            go(&mut call, &policy, &around);
            call.cancelled(&around, Instant::from_millis(9_000));
            call.cancelled(&around, Instant::from_millis(9_000));
            around.heard.into_inner()
        };
        let at = Instant::from_millis;
        let settle = |verdict: Verdict, millis: u64| {
            move |call: &mut Call, policy: &GuardPolicy, around: &Once| {
                call.next(policy, around, Instant::ZERO);
                call.settled(policy, around, verdict, at(millis));
            }
        };
        let failed = Verdict::Failure(Failure::FINAL);
        let one = |verdict, millis| heard(draft(), &settle(verdict, millis));
        assert_eq!(one(Verdict::Success, 1), ["1 success", "attempt success", "call success 1ms"]);
        assert_eq!(one(Verdict::Ignored, 1), ["1 ignored", "attempt ignored", "call ignored 1ms"]);
        assert_eq!(one(failed, 1), ["1 failure", "attempt failure", "call failure 1ms"]);
        assert_eq!(one(Verdict::Success, 2_000), ["1 failure", "attempt timeout", "call timeout 2s"]);
        let deadline = draft().no_attempt_timeout();
        assert_eq!(
            heard(deadline, &settle(Verdict::Success, 5_000)),
            ["1 failure", "attempt timeout", "call timeout 5s"]
        );
        let late = |call: &mut Call, policy: &GuardPolicy, around: &Once| {
            call.next(policy, around, at(5_000));
        };
        assert_eq!(heard(draft(), &late), ["call timeout 5s"]);
        let given_up = |call: &mut Call, policy: &GuardPolicy, around: &Once| {
            call.next(policy, around, Instant::ZERO);
        };
        assert_eq!(heard(draft(), &given_up), ["1 cancelled", "attempt cancelled", "call cancelled 9s"]);
        let rejected = |call: &mut Call, policy: &GuardPolicy, around: &Once| {
            around.admitted.set(true);
            call.next(policy, around, at(3));
        };
        assert_eq!(heard(draft(), &rejected), ["call rejected 3ms"]);
        let again = |call: &mut Call, policy: &GuardPolicy, around: &Once| {
            settle(Verdict::Failure(Failure::RETRYABLE), 1)(call, policy, around);
            call.next(policy, around, at(7));
        };
        assert_eq!(heard(draft(), &again), ["1 failure", "attempt failure", "call failure 1ms"]);
        let in_vain = |call: &mut Call, policy: &GuardPolicy, around: &Once| {
            settle(Verdict::Failure(Failure::RETRYABLE), 1)(call, policy, around);
            assert!(matches!(call.next(policy, around, at(4_999)), Step::Stop(StopReason::BreakerOpen)));
        };
        let waits = draft().when_open(WhenOpen::Wait);
        assert_eq!(heard(waits, &in_vain), ["1 failure", "attempt failure", "call failure 4999ms"]);
    }
}
