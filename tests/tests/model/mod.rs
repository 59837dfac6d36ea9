//! The breaker once more, as plainly as it can be written: a list of outcomes, numbers wide enough to
//! need no care, no words, no atomics.
//!
//! INVARIANT: it shares no code with the core; only the plain enums of questions and answers, and the
//! plain record of a snapshot, are the core's.

pub(crate) mod rules;
pub(crate) mod stream;

use overcurrent::{OpenReason, Outcome, Position, RejectReason, Snapshot};
use rules::{Extent, Rules};
use stream::Stream;

const MILLI: u128 = 1_000_000;
/// Instants are whole nanoseconds in 64 bits; nothing comes after this one.
const END: u128 = u64::MAX as u128;
const DAY: u64 = 24 * 3_600 * 1_000_000_000;

/// A breaker.
pub(crate) struct Model {
    rules: Rules,
    stream: Stream,
    position: Position,
    /// Why it opened; kept while probes are out.
    reason: Option<OpenReason>,
    cause: OpenReason,
    epoch: u32,
    late: u64,
    opens: u8,
    /// Closed: forgiven then; Open: over then; HalfOpen: the probes are lost then.
    deadline: u64,
    outcomes: Vec<Counted>,
    in_a_row: u64,
    out: u32,
    granted: u32,
    succeeded: u32,
    failed: u32,
    moves: Vec<Moved>,
}

struct Counted {
    tick: u64,
    failed: bool,
    slow: bool,
}

/// A transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) from: Position,
    pub(crate) to: Position,
    pub(crate) reason: Option<OpenReason>,
    pub(crate) epoch: u32,
}

/// The last whole millisecond that there is, or the next one from here.
fn whole(nanos: u128) -> u64 {
    narrow(nanos.div_ceil(MILLI).min(END / MILLI) * MILLI)
}

fn narrow(nanos: u128) -> u64 {
    u64::try_from(nanos).expect("an instant")
}

impl Model {
    pub(crate) fn new(rules: Rules, seed: u64) -> Self {
        Self {
            rules,
            stream: Stream::new(seed),
            position: Position::Closed,
            reason: None,
            cause: OpenReason::Manual,
            epoch: 1,
            late: 0,
            opens: 0,
            deadline: 0,
            outcomes: Vec::new(),
            in_a_row: 0,
            out: 0,
            granted: 0,
            succeeded: 0,
            failed: 0,
            moves: Vec::new(),
        }
    }

    pub(crate) fn position(&self) -> Position {
        self.position
    }

    pub(crate) fn late(&self) -> u64 {
        self.late
    }

    pub(crate) fn reason(&self) -> Option<OpenReason> {
        self.reason.filter(|_| self.position == Position::Open)
    }

    pub(crate) fn retry_after(&self, now: u64) -> Option<u64> {
        (self.position == Position::Open).then(|| self.deadline.saturating_sub(now))
    }

    /// The transitions since this was asked last.
    pub(crate) fn moves(&mut self) -> Vec<Moved> {
        std::mem::take(&mut self.moves)
    }

    fn go(&mut self, to: Position, reason: Option<OpenReason>, deadline: u64) {
        self.epoch = self.epoch.wrapping_add(1);
        let told = reason.filter(|_| to == Position::Open);
        self.moves.push(Moved { from: self.position, to, reason: told, epoch: self.epoch });
        (self.position, self.reason, self.deadline) = (to, reason, deadline);
        self.outcomes.clear();
        (self.in_a_row, self.out, self.granted, self.succeeded, self.failed) = (0, 0, 0, 0, 0);
    }

    /// `c(0) = 0`, `c(1) = cooldown`, `c(k+1) = min(cooldown_max, floor(c(k) · multiplier))`.
    fn cooldown(&self) -> u128 {
        let mut all = vec![0, u128::from(self.rules.cooldown)];
        while all.len() <= usize::from(self.opens) {
            let grown = all[all.len() - 1] * u128::from(self.rules.cooldown_multiplier) / 1_000_000;
            all.push(grown.min(self.rules.cooldown_max.into()));
        }
        all[usize::from(self.opens)]
    }

    fn open(&mut self, reason: OpenReason, now: u64) {
        if self.position == Position::Closed {
            self.forgive(now);
            self.cause = reason;
        }
        self.opens = (self.opens + 1).min(63);
        let mut span = self.cooldown();
        if self.rules.cooldown_jitter > 0 {
            let more = span * u128::from(self.rules.cooldown_jitter) / 1_000_000;
            span = self.stream.between(span, span + more);
        }
        self.go(Position::Open, Some(reason), whole(u128::from(now) + span));
    }

    fn forgive(&mut self, now: u64) {
        if self.position == Position::Closed && now >= self.deadline {
            self.opens = 0;
        }
    }

    /// The epoch that admits the call, or the reason against it and how long to wait.
    pub(crate) fn acquire(&mut self, now: u64) -> Result<u32, (RejectReason, Option<u64>)> {
        let lost_at = whole(u128::from(now) + u128::from(self.rules.probe_timeout));
        match self.position {
            Position::ForcedOpen => Err((RejectReason::ForcedOpen, None)),
            Position::Closed | Position::ForcedClosed => Ok(self.epoch),
            Position::Open if now < self.deadline => Err((RejectReason::Open, Some(self.deadline - now))),
            Position::Open => {
                self.go(Position::HalfOpen, self.reason, lost_at);
                (self.out, self.granted) = (1, 1);
                Ok(self.epoch)
            }
            Position::HalfOpen => {
                let trials = self.rules.close_after + self.rules.reopen_after - 1;
                if self.out < self.rules.probes && self.granted < trials {
                    self.out += 1;
                    self.granted += 1;
                    self.deadline = self.deadline.max(lost_at);
                    Ok(self.epoch)
                } else if now >= self.deadline {
                    self.open(OpenReason::ProbeTimeout, now);
                    Err((RejectReason::Open, self.retry_after(now)))
                } else {
                    Err((RejectReason::HalfOpen, None))
                }
            }
        }
    }

    /// What became of a call that `epoch` had admitted. `false` if it came late.
    pub(crate) fn record(&mut self, epoch: u32, outcome: Outcome, took: u64, now: u64) -> bool {
        if epoch != self.epoch {
            self.late += 1;
            return false;
        }
        let slow = self.rules.slow_call.is_some_and(|limit| took >= limit);
        let failed = match outcome {
            Outcome::Success => false,
            Outcome::Failure => true,
            Outcome::Cancelled if self.rules.abandon_after.is_some_and(|limit| took >= limit) => true,
            Outcome::Cancelled | Outcome::Ignored => {
                if self.position == Position::HalfOpen {
                    self.out -= 1;
                    self.granted -= 1;
                }
                return true;
            }
        };
        match self.position {
            Position::HalfOpen => self.answer(failed, slow, now),
            _ => self.count(failed, slow, now),
        }
        true
    }

    fn answer(&mut self, failed: bool, slow: bool, now: u64) {
        self.out -= 1;
        if failed || slow && self.cause == OpenReason::SlowRate {
            self.failed += 1;
            if self.failed == self.rules.reopen_after {
                self.open(OpenReason::ProbeFailed, now);
            }
        } else {
            self.succeeded += 1;
            if self.succeeded == self.rules.close_after {
                self.go(Position::Closed, None, whole(u128::from(now) + self.cooldown()));
            }
        }
    }

    fn count(&mut self, failed: bool, slow: bool, now: u64) {
        let tick = match self.rules.window {
            Some(Extent::Time { width, .. }) => now / width,
            _ => 0,
        };
        let tick = self.outcomes.iter().map(|one| one.tick).fold(tick, u64::max);
        self.outcomes.push(Counted { tick, failed, slow });
        self.in_a_row = if failed { self.in_a_row + 1 } else { 0 };
        if (failed || slow)
            && self.position == Position::Closed
            && let Some(reason) = self.verdict(tick)
        {
            self.open(reason, now);
        }
    }

    /// The first test that holds.
    fn verdict(&self, tick: u64) -> Option<OpenReason> {
        let rules = &self.rules;
        let held: Vec<&Counted> = match rules.window {
            Some(Extent::Time { buckets, .. }) => {
                self.outcomes.iter().filter(|one| one.tick + u64::from(buckets) > tick).collect()
            }
            Some(Extent::Calls(calls)) => self.outcomes.iter().rev().take(calls as usize).collect(),
            None => Vec::new(),
        };
        let total = held.len() as u64;
        let failures = held.iter().filter(|one| one.failed).count() as u64;
        let slow = held.iter().filter(|one| one.slow).count() as u64;
        let enough = rules.window.is_some() && total >= u64::from(rules.minimum_calls);
        let applies = !(rules.in_a_row_for_trickles && enough);
        if applies && rules.in_a_row.is_some_and(|limit| self.in_a_row >= u64::from(limit)) {
            Some(OpenReason::ConsecutiveFailures)
        } else if enough && failures * 1_000_000 >= rules.failure_rate * total {
            Some(OpenReason::FailureRate)
        } else if enough && rules.slow_call.is_some() && slow * 1_000_000 >= rules.slow_rate * total {
            Some(OpenReason::SlowRate)
        } else {
            None
        }
    }

    /// Opens by hand. `false` if nobody may ask for that long.
    pub(crate) fn trip(&mut self, span: Option<u64>, now: u64) -> bool {
        if span.is_some_and(|span| span > DAY) {
            return false;
        }
        self.forgive(now);
        self.cause = OpenReason::Manual;
        let until = whole(u128::from(now) + u128::from(span.unwrap_or(self.rules.cooldown)));
        self.go(Position::Open, Some(OpenReason::Manual), until);
        true
    }

    pub(crate) fn reset(&mut self) {
        self.opens = 0;
        self.go(Position::Closed, None, 0);
    }

    /// Overrides it, for open or for closed.
    pub(crate) fn force(&mut self, to: Position, now: u64) {
        self.forgive(now);
        self.go(to, None, 0);
    }

    pub(crate) fn automatic(&mut self, now: u64) {
        match self.position {
            Position::ForcedOpen => {
                self.cause = OpenReason::Manual;
                self.go(Position::Open, Some(OpenReason::Manual), whole(now.into()));
            }
            Position::ForcedClosed => self.go(Position::Closed, None, 0),
            Position::Closed | Position::Open | Position::HalfOpen => {}
        }
    }

    pub(crate) fn snapshot(&self, now: u64) -> Snapshot {
        let (state, over) = match self.position {
            Position::Closed => ("closed", None),
            Position::Open => ("open", None),
            Position::HalfOpen => ("half_open", None),
            Position::ForcedOpen => ("open", Some("forced_open")),
            Position::ForcedClosed => ("closed", Some("forced_closed")),
        };
        Snapshot {
            version: 1,
            state: state.to_owned(),
            r#override: over.map(str::to_owned),
            remaining_ns: self.retry_after(now).unwrap_or(0),
            opens: self.opens,
            reason: self.reason.map(|reason| word(reason).to_owned()),
        }
    }

    /// `false` if it cannot be a snapshot.
    pub(crate) fn restore(&mut self, from: &Snapshot, now: u64) -> bool {
        let reason = from.reason.as_ref().map(|told| OpenReason::ALL.iter().find(|one| word(**one) == told));
        let state = from.state.as_str();
        let legal = from.version == 1
            && ["closed", "open", "half_open"].contains(&state)
            && [None, Some("forced_open"), Some("forced_closed")].contains(&from.r#override.as_deref())
            && from.opens <= 63
            && from.remaining_ns <= DAY
            && reason != Some(None);
        if !legal {
            return false;
        }
        self.cause = OpenReason::Manual;
        self.opens = from.opens;
        match (from.r#override.as_deref(), state) {
            (Some("forced_open"), _) => self.go(Position::ForcedOpen, None, 0),
            (Some(_), _) => self.go(Position::ForcedClosed, None, 0),
            (None, "closed") => self.go(Position::Closed, None, 0),
            (None, state) => {
                let reason = reason.flatten().copied().unwrap_or(OpenReason::Manual);
                let remaining = if state == "open" { from.remaining_ns } else { 0 };
                let until = whole(u128::from(now) + u128::from(remaining));
                self.go(Position::Open, Some(reason), until);
            }
        }
        true
    }
}

fn word(reason: OpenReason) -> &'static str {
    match reason {
        OpenReason::ConsecutiveFailures => "consecutive_failures",
        OpenReason::FailureRate => "failure_rate",
        OpenReason::SlowRate => "slow_rate",
        OpenReason::ProbeFailed => "probe_failed",
        OpenReason::ProbeTimeout => "probe_timeout",
        OpenReason::Manual => "manual",
    }
}
