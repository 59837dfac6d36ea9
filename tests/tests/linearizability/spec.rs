//! The breaker as one operation after the other would find it: the rules of `docs/semantics.md` for
//! policies without rates and jitter, as plainly as they can be written, and cheap to copy and compare.
//!
//! It shares only types with the core: the policy, the words for states and reasons, the state as a
//! record of fields.

use overcurrent::{
    BreakerPolicy, OpenReason, Outcome, Position, RejectReason, Snapshot, Transition,
    kernel::breaker::{Command, Probes, State},
};

use crate::history::Answer;

const MILLI: u64 = 1_000_000;

/// What an operation answers, and the transition it makes.
pub(crate) type Effect = (Answer, Option<Transition>);

/// The whole state of a breaker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Spec {
    pub(crate) position: Position,
    pub(crate) epoch: u32,
    pub(crate) opens: u8,
    pub(crate) reason: Option<OpenReason>,
    pub(crate) out: u8,
    pub(crate) succeeded: u8,
    pub(crate) failed: u8,
    /// Failures in a row.
    pub(crate) row: u32,
    /// Closed: when the last opening is forgiven. Open: when the cooldown is over. Half-open: when the
    /// probes count as lost.
    pub(crate) deadline: u64,
    pub(crate) late: u64,
}

pub(crate) fn ceil(nanos: u64) -> u64 {
    nanos.div_ceil(MILLI) * MILLI
}

/// The cooldown of the `opens`-th opening in a row.
pub(crate) fn cooldown(policy: &BreakerPolicy, opens: u8) -> u64 {
    let mut span = if opens == 0 { 0 } else { policy.cooldown.as_nanos() };
    for _ in 1..opens {
        let grown = span * u64::from(policy.cooldown_multiplier.parts()) / 1_000_000;
        span = grown.min(policy.cooldown_max.as_nanos());
    }
    span
}

/// When a probe granted at `now` counts as lost.
pub(crate) fn lost_at(policy: &BreakerPolicy, now: u64) -> u64 {
    ceil(now + policy.probe_timeout.as_nanos())
}

/// Whether an outcome counts as a failure; `None` where it counts as nothing.
pub(crate) fn failed(policy: &BreakerPolicy, outcome: Outcome, took: u64) -> Option<bool> {
    match outcome {
        Outcome::Success => Some(false),
        Outcome::Failure => Some(true),
        Outcome::Cancelled if policy.abandon_after.is_some_and(|limit| took >= limit.as_nanos()) => {
            Some(true)
        }
        Outcome::Cancelled | Outcome::Ignored => None,
    }
}

impl Spec {
    pub(crate) const fn new() -> Self {
        Self {
            position: Position::Closed,
            epoch: 1,
            opens: 0,
            reason: None,
            out: 0,
            succeeded: 0,
            failed: 0,
            row: 0,
            deadline: 0,
            late: 0,
        }
    }

    /// Begins an epoch.
    fn go(&mut self, to: Position, reason: Option<OpenReason>, deadline: u64) -> Transition {
        let from = self.position;
        self.position = to;
        self.epoch += 1;
        self.reason = reason;
        self.deadline = deadline;
        (self.out, self.succeeded, self.failed, self.row) = (0, 0, 0, 0);
        Transition { from, to, reason: reason.filter(|_| to == Position::Open), epoch: self.epoch }
    }

    fn forgive(&mut self, now: u64) {
        if self.position == Position::Closed && now >= self.deadline {
            self.opens = 0;
        }
    }

    /// Opens by a test or by a probe.
    pub(crate) fn open(&mut self, policy: &BreakerPolicy, reason: OpenReason, now: u64) -> Transition {
        self.forgive(now);
        self.opens = (self.opens + 1).min(63);
        self.go(Position::Open, Some(reason), ceil(now + cooldown(policy, self.opens)))
    }

    /// Whether no further probe can be granted.
    pub(crate) fn full(&self, policy: &BreakerPolicy) -> bool {
        let trials = policy.close_after + policy.reopen_after - 1;
        u32::from(self.out) >= policy.probes || u32::from(self.out + self.succeeded + self.failed) >= trials
    }

    pub(crate) fn acquire(&mut self, policy: &BreakerPolicy, now: u64) -> Effect {
        match self.position {
            Position::ForcedOpen => (Answer::Rejected(RejectReason::ForcedOpen, None), None),
            Position::Closed | Position::ForcedClosed => (Answer::Granted(self.epoch), None),
            Position::Open if now < self.deadline => {
                (Answer::Rejected(RejectReason::Open, Some(self.deadline - now)), None)
            }
            Position::Open => {
                let moved = self.go(Position::HalfOpen, self.reason, lost_at(policy, now));
                self.out = 1;
                (Answer::Granted(self.epoch), Some(moved))
            }
            Position::HalfOpen if !self.full(policy) => {
                self.out += 1;
                self.deadline = self.deadline.max(lost_at(policy, now));
                (Answer::Granted(self.epoch), None)
            }
            Position::HalfOpen if now >= self.deadline => {
                let moved = self.open(policy, OpenReason::ProbeTimeout, now);
                (Answer::Rejected(RejectReason::Open, Some(self.deadline - now)), Some(moved))
            }
            Position::HalfOpen => (Answer::Rejected(RejectReason::HalfOpen, None), None),
        }
    }

    /// Records the outcome of a call that `epoch` admitted.
    pub(crate) fn record(
        &mut self,
        policy: &BreakerPolicy,
        epoch: u32,
        failed: Option<bool>,
        now: u64,
    ) -> Effect {
        if epoch != self.epoch {
            self.late += 1;
            return (Answer::Late, None);
        }
        let moved = match (self.position, failed) {
            (Position::HalfOpen, failed) => {
                self.out = self.out.saturating_sub(1);
                failed.and_then(|failed| self.answered(policy, failed, now))
            }
            (_, None) => None,
            (_, Some(failed)) => {
                self.count(failed);
                let trips = failed && self.trips(policy, self.row);
                trips.then(|| self.open(policy, OpenReason::ConsecutiveFailures, now))
            }
        };
        (Answer::Counted, moved)
    }

    fn answered(&mut self, policy: &BreakerPolicy, failed: bool, now: u64) -> Option<Transition> {
        if failed {
            self.failed += 1;
            let opens = u32::from(self.failed) >= policy.reopen_after;
            opens.then(|| self.open(policy, OpenReason::ProbeFailed, now))
        } else {
            self.succeeded += 1;
            let forgiven_at = ceil(now + cooldown(policy, self.opens));
            let closes = u32::from(self.succeeded) >= policy.close_after;
            closes.then(|| self.go(Position::Closed, None, forgiven_at))
        }
    }

    /// The first half of recording while calls pass.
    pub(crate) fn count(&mut self, failed: bool) {
        self.row = if failed { self.row + 1 } else { 0 };
    }

    /// The second half: whether a failure that was the `row`-th in a row opens.
    pub(crate) fn trips(&self, policy: &BreakerPolicy, row: u32) -> bool {
        self.position == Position::Closed && policy.consecutive_failures.is_some_and(|limit| row >= limit)
    }

    pub(crate) fn command(&mut self, policy: &BreakerPolicy, command: Command, now: u64) -> Effect {
        if matches!(command, Command::Trip(_) | Command::ForceOpen | Command::ForceClosed) {
            self.forgive(now);
        }
        let manual = Some(OpenReason::Manual);
        let moved = match (command, self.position) {
            (Command::Trip(span), _) => {
                let span = span.unwrap_or(policy.cooldown).as_nanos();
                self.go(Position::Open, manual, ceil(now + span))
            }
            (Command::Reset, _) => {
                self.opens = 0;
                self.go(Position::Closed, None, 0)
            }
            (Command::ForceOpen, _) => self.go(Position::ForcedOpen, None, 0),
            (Command::ForceClosed, _) => self.go(Position::ForcedClosed, None, 0),
            (Command::Automatic, Position::ForcedOpen) => self.go(Position::Open, manual, ceil(now)),
            (Command::Automatic, Position::ForcedClosed) => self.go(Position::Closed, None, 0),
            (Command::Automatic, _) => return (Answer::Done, None),
            (Command::Restore { position, opens, reason, remaining }, _) => {
                self.opens = opens;
                let open = position == Position::Open;
                self.go(position, reason, if open { ceil(now + remaining.as_nanos()) } else { 0 })
            }
        };
        (Answer::Done, Some(moved))
    }

    /// The state word.
    pub(crate) fn state(&self) -> State {
        State {
            position: self.position,
            opens: self.opens,
            reason: self.reason,
            slow_cause: false,
            probes: Probes { out: self.out, succeeded: self.succeeded, failed: self.failed },
            epoch: self.epoch,
        }
    }

    pub(crate) fn snapshot(&self, now: u64) -> Snapshot {
        let (base, forced) = match self.position {
            Position::ForcedOpen => (Position::Open, true),
            Position::ForcedClosed => (Position::Closed, true),
            position => (position, false),
        };
        let open = self.position == Position::Open;
        Snapshot {
            version: 1,
            state: base.to_string(),
            r#override: forced.then(|| self.position.to_string()),
            remaining_ns: if open { self.deadline.saturating_sub(now) } else { 0 },
            opens: self.opens,
            reason: self.reason.map(|reason| reason.to_string()),
        }
    }
}
