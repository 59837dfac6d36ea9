//! The breaker once more, as plainly as it can be written: a list of outcomes, no words, no atomics,
//! no code shared with the core but the random stream and the policy.

use overcurrent::{
    BreakerPolicy, Instant, OpenReason, Outcome, Position, RejectReason, Span, Window, kernel::random,
};

const MILLI: u64 = 1_000_000;
/// Instants are whole nanoseconds; the last whole millisecond among them.
const LAST_MILLI: u64 = u64::MAX / MILLI * MILLI;

pub(crate) struct Model {
    policy: BreakerPolicy,
    seed: u64,
    draws: u64,
    pub(crate) position: Position,
    pub(crate) reason: Option<OpenReason>,
    pub(crate) late: u64,
    epoch: u64,
    opens: u32,
    cause: OpenReason,
    deadline: u64,
    outcomes: Vec<Counted>,
    newest: Option<u64>,
    row: u32,
    out: u32,
    granted: u32,
    succeeded: u32,
    failed: u32,
}

struct Counted {
    tick: u64,
    failed: bool,
    slow: bool,
}

pub(crate) enum Command {
    Trip(Option<u64>),
    Reset,
    ForceOpen,
    ForceClosed,
    Automatic,
}

fn ceil(nanos: u64) -> u64 {
    if nanos > LAST_MILLI { LAST_MILLI } else { nanos.div_ceil(MILLI) * MILLI }
}

impl Model {
    pub(crate) fn new(policy: BreakerPolicy, seed: u64) -> Self {
        Self {
            policy,
            seed,
            draws: 0,
            position: Position::Closed,
            reason: None,
            late: 0,
            epoch: 0,
            opens: 0,
            cause: OpenReason::Manual,
            deadline: 0,
            outcomes: Vec::new(),
            newest: None,
            row: 0,
            out: 0,
            granted: 0,
            succeeded: 0,
            failed: 0,
        }
    }

    fn go(&mut self, position: Position, reason: Option<OpenReason>, deadline: u64) {
        self.position = position;
        self.reason = reason;
        self.deadline = deadline;
        self.epoch += 1;
        self.outcomes.clear();
        self.newest = None;
        (self.row, self.out, self.granted, self.succeeded, self.failed) = (0, 0, 0, 0, 0);
    }

    fn cooldown(&self, opens: u32) -> u64 {
        if opens == 0 {
            return 0;
        }
        let mut span = u128::from(self.policy.cooldown.as_nanos());
        for _ in 1..opens {
            let grown = span * u128::from(self.policy.cooldown_multiplier.parts()) / 1_000_000;
            span = grown.min(u128::from(self.policy.cooldown_max.as_nanos()));
        }
        u64::try_from(span).unwrap()
    }

    fn open(&mut self, reason: OpenReason, now: u64) {
        if self.position == Position::Closed {
            if now >= self.deadline {
                self.opens = 0;
            }
            self.cause = reason;
        }
        self.opens = (self.opens + 1).min(63);
        let mut span = self.cooldown(self.opens);
        let jitter = u128::from(self.policy.cooldown_jitter.parts());
        if jitter > 0 {
            let more = u64::try_from(u128::from(span) * jitter / 1_000_000).unwrap();
            self.draws += 1;
            span = random::between(random::draw(self.seed, self.draws), span, span + more);
        }
        self.go(Position::Open, Some(reason), ceil(now.saturating_add(span)));
    }

    pub(crate) fn acquire(&mut self, now: u64) -> Result<u64, (RejectReason, Option<u64>)> {
        let lost_at = ceil(now.saturating_add(self.policy.probe_timeout.as_nanos()));
        match self.position {
            Position::ForcedOpen => Err((RejectReason::ForcedOpen, None)),
            Position::Closed | Position::ForcedClosed => Ok(self.epoch),
            Position::Open if now < self.deadline => Err((RejectReason::Open, Some(self.deadline - now))),
            Position::Open => {
                self.go(Position::HalfOpen, None, lost_at);
                (self.out, self.granted) = (1, 1);
                Ok(self.epoch)
            }
            Position::HalfOpen => {
                let trials = self.policy.close_after + self.policy.reopen_after - 1;
                if self.out < self.policy.probes && self.granted < trials {
                    self.out += 1;
                    self.granted += 1;
                    self.deadline = self.deadline.max(lost_at);
                    Ok(self.epoch)
                } else if now >= self.deadline {
                    self.open(OpenReason::ProbeTimeout, now);
                    Err((RejectReason::Open, Some(self.deadline.saturating_sub(now))))
                } else {
                    Err((RejectReason::HalfOpen, None))
                }
            }
        }
    }

    pub(crate) fn record(&mut self, epoch: u64, outcome: Outcome, took: u64, now: u64) {
        if epoch != self.epoch {
            self.late += 1;
            return;
        }
        let abandoned = self.policy.abandon_after.is_some_and(|limit| took >= limit.as_nanos());
        let slow = self.policy.slow_call.is_some_and(|limit| took >= limit.as_nanos());
        let failed = match outcome {
            Outcome::Success => false,
            Outcome::Failure => true,
            Outcome::Cancelled if abandoned => true,
            Outcome::Cancelled | Outcome::Ignored => {
                if self.position == Position::HalfOpen {
                    self.out -= 1;
                    self.granted -= 1;
                }
                return;
            }
        };
        if self.position == Position::HalfOpen {
            self.out -= 1;
            if failed || slow && self.cause == OpenReason::SlowRate {
                self.failed += 1;
                if self.failed == self.policy.reopen_after {
                    self.open(OpenReason::ProbeFailed, now);
                }
            } else {
                self.succeeded += 1;
                if self.succeeded == self.policy.close_after {
                    let forgiven_at = ceil(now.saturating_add(self.cooldown(self.opens)));
                    self.go(Position::Closed, None, forgiven_at);
                }
            }
            return;
        }
        let tick = match self.policy.window.map(|rules| rules.window) {
            Some(Window::Time { width, .. }) => now / width.as_nanos(),
            _ => 0,
        };
        let tick = self.newest.map_or(tick, |newest| newest.max(tick));
        self.newest = Some(tick);
        self.outcomes.push(Counted { tick, failed, slow });
        self.row = if failed { self.row + 1 } else { 0 };
        if (failed || slow)
            && self.position == Position::Closed
            && let Some(reason) = self.verdict(tick)
        {
            self.open(reason, now);
        }
    }

    fn verdict(&self, tick: u64) -> Option<OpenReason> {
        let held: Vec<&Counted> = match self.policy.window.map(|rules| rules.window) {
            Some(Window::Time { buckets, .. }) => {
                self.outcomes.iter().filter(|one| one.tick + u64::from(buckets) > tick).collect()
            }
            Some(Window::Calls { calls }) => self.outcomes.iter().rev().take(calls as usize).collect(),
            None => Vec::new(),
        };
        let total = held.len() as u64;
        let failures = held.iter().filter(|one| one.failed).count() as u64;
        let slow = held.iter().filter(|one| one.slow).count() as u64;
        let minimum = self.policy.window.map_or(0, |rules| u64::from(rules.minimum_calls));
        let in_row = self.policy.consecutive_failures.is_some_and(|limit| self.row >= limit);
        if in_row && (!self.policy.consecutive_for_trickles || total < minimum) {
            return Some(OpenReason::ConsecutiveFailures);
        }
        let rules = self.policy.window.filter(|_| total >= minimum)?;
        if failures * 1_000_000 >= u64::from(rules.failure_rate.parts()) * total {
            return Some(OpenReason::FailureRate);
        }
        (self.policy.slow_call.is_some() && slow * 1_000_000 >= u64::from(rules.slow_rate.parts()) * total)
            .then_some(OpenReason::SlowRate)
    }

    pub(crate) fn command(&mut self, command: &Command, now: u64) {
        let forgive = self.position == Position::Closed && now >= self.deadline;
        if forgive && !matches!(command, Command::Automatic) {
            self.opens = 0;
        }
        match (command, self.position) {
            (Command::Trip(span), _) => {
                self.cause = OpenReason::Manual;
                let span = span.unwrap_or(self.policy.cooldown.as_nanos());
                self.go(Position::Open, Some(OpenReason::Manual), ceil(now.saturating_add(span)));
            }
            (Command::Reset, _) => {
                self.opens = 0;
                self.go(Position::Closed, None, 0);
            }
            (Command::ForceOpen, _) => self.go(Position::ForcedOpen, None, 0),
            (Command::ForceClosed, _) => self.go(Position::ForcedClosed, None, 0),
            (Command::Automatic, Position::ForcedOpen) => {
                self.cause = OpenReason::Manual;
                self.go(Position::Open, Some(OpenReason::Manual), ceil(now));
            }
            (Command::Automatic, Position::ForcedClosed) => self.go(Position::Closed, None, 0),
            (Command::Automatic, _) => {}
        }
    }

    pub(crate) fn retry_after(&self, now: u64) -> Option<Span> {
        (self.position == Position::Open)
            .then(|| Instant::from_nanos(self.deadline).since(Instant::from_nanos(now)))
    }
}
