//! The breaker's state and its transitions, without memory or time of their own.
//!
//! ```text
//!            test holds · trip                     cooldown over, a call comes
//!  Closed ───────────────────────▶ Open ─────────────────────────────────────▶ HalfOpen
//!    ▲                              ▲    reopen_after failures · probes lost      │ │
//!    │                              └─────────────────────────────────────────────┘ │
//!    └──────────────────────── close_after successes · reset ───────────────────────┘
//!  any ── force_open ──▶ ForcedOpen ── automatic ──▶ Open (cooldown over)
//!  any ── force_closed ▶ ForcedClosed ─ automatic ─▶ Closed
//! ```
//!
//! Every arrow, also one back into the same state, starts a new **epoch**. One word holds it all, low
//! to high: position 3 bits, opens 6, reason 3, cause-is-slow 1, probes out 7, succeeded 6, failed 6,
//! epoch 32.
//!
//! Each state has one deadline beside it, in whole milliseconds: Closed, when the last opening is
//! forgiven; Open, when the cooldown is over; HalfOpen, when the probes count as lost.
//!
//! INVARIANT: out ≤ `probes` and out + succeeded + failed ≤ `trials`, so neither can be exceeded.

use super::{
    call::Rejection,
    outcome::{ChangeReason, OpenReason, Outcome, Position, RejectReason},
    policy::breaker::BreakerPolicy,
    random::between,
    time::{Instant, Span},
};

/// `opens` stays here once it has come so far.
const MOST_OPENS: u8 = 63;

/// The probes of one half-open epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probes {
    /// Granted and not yet answered.
    pub out: u8,
    /// Answered well.
    pub succeeded: u8,
    /// Failed.
    pub failed: u8,
}

impl Probes {
    /// Granted, net of returns.
    pub const fn granted(self) -> u32 {
        self.out as u32 + self.succeeded as u32 + self.failed as u32
    }
}

/// The state of a breaker: one 64-bit word, changed by one compare-and-swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Where it stands.
    pub position: Position,
    /// How often in a row it has opened; saturates at 63.
    pub opens: u8,
    /// Why it last opened; `None` once closed.
    pub reason: Option<OpenReason>,
    /// Whether it opened from Closed for slowness, so that a probe must be quick to close it.
    pub slow_cause: bool,
    /// The probes of this epoch.
    pub probes: Probes,
    /// Counts the transitions; wraps after 2³² of them.
    pub epoch: u32,
}

impl State {
    /// A new breaker: closed, nothing counted. Epoch 0 is never current, so that cleared memory
    /// beside the state belongs to no epoch.
    pub const NEW: Self = Self {
        position: Position::Closed,
        opens: 0,
        reason: None,
        slow_cause: false,
        probes: Probes { out: 0, succeeded: 0, failed: 0 },
        epoch: 1,
    };

    /// The state as a word.
    pub fn pack(self) -> u64 {
        let position = match self.position {
            Position::Closed => 0,
            Position::Open => 1,
            Position::HalfOpen => 2,
            Position::ForcedOpen => 3,
            Position::ForcedClosed => 4,
        };
        let reason = match self.reason {
            None => 0,
            Some(OpenReason::ConsecutiveFailures) => 1,
            Some(OpenReason::FailureRate) => 2,
            Some(OpenReason::SlowRate) => 3,
            Some(OpenReason::ProbeFailed) => 4,
            Some(OpenReason::ProbeTimeout) => 5,
            Some(OpenReason::Manual) => 6,
        };
        position
            | u64::from(self.opens) << 3
            | reason << 9
            | u64::from(self.slow_cause) << 12
            | u64::from(self.probes.out) << 13
            | u64::from(self.probes.succeeded) << 20
            | u64::from(self.probes.failed) << 26
            | u64::from(self.epoch) << 32
    }

    /// The state of a word.
    pub fn unpack(word: u64) -> Self {
        Self {
            position: match word & 7 {
                0 => Position::Closed,
                1 => Position::Open,
                2 => Position::HalfOpen,
                3 => Position::ForcedOpen,
                _ => Position::ForcedClosed,
            },
            opens: low_bits(word >> 3, 6),
            reason: match word >> 9 & 7 {
                1 => Some(OpenReason::ConsecutiveFailures),
                2 => Some(OpenReason::FailureRate),
                3 => Some(OpenReason::SlowRate),
                4 => Some(OpenReason::ProbeFailed),
                5 => Some(OpenReason::ProbeTimeout),
                6 => Some(OpenReason::Manual),
                _ => None,
            },
            slow_cause: word >> 12 & 1 == 1,
            probes: Probes {
                out: low_bits(word >> 13, 7),
                succeeded: low_bits(word >> 20, 6),
                failed: low_bits(word >> 26, 6),
            },
            epoch: epoch_of(word),
        }
    }

    /// Whether calls pass and are counted, as a word tells it.
    #[inline]
    pub const fn word_passes(word: u64) -> bool {
        // The only two positions whose lowest bits are both zero: closed is 0, forced closed 4.
        const HELD: u64 = 0b11;
        word & HELD == 0
    }

    /// Whether it is open, as a word tells it.
    #[inline]
    pub const fn word_is_open(word: u64) -> bool {
        word & 7 == 1
    }

    /// The rejection of an open breaker, while its cooldown lasts for certain by a clock that may lag
    /// behind by `lag`. Who comes back after `retry_after` finds it over.
    #[inline]
    pub fn held_off(deadline: Instant, now: Instant, lag: Span) -> Option<Rejection> {
        let retry_after = Some(deadline.since(now));
        (now.after(lag) < deadline).then_some(Rejection { reason: RejectReason::Open, retry_after })
    }

    /// Whether calls pass and are counted.
    pub const fn passes(self) -> bool {
        matches!(self.position, Position::Closed | Position::ForcedClosed)
    }

    /// The next epoch in `position`, nothing counted.
    const fn arrive(self, position: Position) -> Self {
        Self {
            position,
            epoch: self.epoch.wrapping_add(1),
            probes: Probes { out: 0, succeeded: 0, failed: 0 },
            ..self
        }
    }

    /// With the escalation forgotten, if it is closed and has been for its last cooldown.
    fn forgiven(self, forgiven_at: Instant, now: Instant) -> Self {
        let forget = self.position == Position::Closed && now >= forgiven_at;
        Self { opens: if forget { 0 } else { self.opens }, ..self }
    }

    /// Opens for `reason`; `forgiven_at` counts only where it is closed.
    pub fn opened(self, reason: OpenReason, forgiven_at: Instant, now: Instant) -> Move {
        let from = self.forgiven(forgiven_at, now);
        let slow_cause =
            if self.position == Position::Closed { reason == OpenReason::SlowRate } else { self.slow_cause };
        let opens = (from.opens + 1).min(MOST_OPENS);
        Move {
            to: Self { opens, reason: Some(reason), slow_cause, ..self.arrive(Position::Open) },
            deadline: Arrival::Cooldown,
            why: reason.into(),
        }
    }

    /// Asks for admission; `deadline` is that of this state.
    pub fn acquire(self, deadline: Instant, policy: &BreakerPolicy, now: Instant) -> Admission {
        match self.position {
            Position::Closed | Position::ForcedClosed => Admission::Pass,
            Position::ForcedOpen => {
                Admission::Reject(Rejection { reason: RejectReason::ForcedOpen, retry_after: None })
            }
            Position::Open => {
                if let Some(rejection) = Self::held_off(deadline, now, Span::ZERO) {
                    return Admission::Reject(rejection);
                }
                let mut to = self.arrive(Position::HalfOpen);
                to.probes.out = 1;
                let lost_at = policy.probes_lost_at(now);
                let why = ChangeReason::CooldownOver;
                Admission::Turn(Move { to, deadline: Arrival::At(lost_at), why })
            }
            Position::HalfOpen => {
                let probes = self.probes;
                if u32::from(probes.out) < policy.probes && probes.granted() < policy.trials() {
                    let probes = Probes { out: probes.out + 1, ..probes };
                    return Admission::Probe(Self { probes, ..self }, policy.probes_lost_at(now));
                }
                if now >= deadline {
                    return Admission::Lost(self.opened(OpenReason::ProbeTimeout, Instant::ZERO, now));
                }
                Admission::Reject(Rejection { reason: RejectReason::HalfOpen, retry_after: None })
            }
        }
    }

    /// Records what became of a probe. Only for a half-open state.
    pub fn answered(self, outcome: Outcome, slow: bool, policy: &BreakerPolicy, now: Instant) -> Answer {
        let mut probes = Probes { out: self.probes.out.saturating_sub(1), ..self.probes };
        let failed = match outcome {
            Outcome::Ignored | Outcome::Cancelled => return Answer::Count(Self { probes, ..self }),
            Outcome::Success => slow && self.slow_cause,
            Outcome::Failure => true,
        };
        if failed {
            probes.failed += 1;
            if u32::from(probes.failed) >= policy.reopen_after {
                return Answer::Turn(self.opened(OpenReason::ProbeFailed, Instant::ZERO, now));
            }
        } else {
            probes.succeeded += 1;
            if u32::from(probes.succeeded) >= policy.close_after {
                let forgiven_at = now.after(policy.cooldown_after(self.opens)).ceil_to_milli();
                let to = Self { reason: None, ..self.arrive(Position::Closed) };
                let why = ChangeReason::ProbesSucceeded;
                return Answer::Turn(Move { to, deadline: Arrival::At(forgiven_at), why });
            }
        }
        Answer::Count(Self { probes, ..self })
    }

    /// What an operator's command does; `None` where it does nothing. `forgiven_at` counts only
    /// where the breaker is closed.
    pub fn commanded(
        self,
        command: Command,
        forgiven_at: Instant,
        policy: &BreakerPolicy,
        now: Instant,
    ) -> Option<Move> {
        let kept = self.forgiven(forgiven_at, now);
        let why = command.reason();
        let open = |from: Self, until: Instant| Move {
            to: Self { reason: Some(OpenReason::Manual), slow_cause: false, ..from.arrive(Position::Open) },
            deadline: Arrival::At(until.ceil_to_milli()),
            why,
        };
        let other = |from: Self, position: Position| Move {
            to: Self { reason: None, slow_cause: false, ..from.arrive(position) },
            deadline: Arrival::At(Instant::ZERO),
            why,
        };
        Some(match (command, self.position) {
            (Command::Trip(span), _) => open(kept, now.after(span.unwrap_or(policy.cooldown))),
            (Command::Reset, _) => other(Self { opens: 0, ..self }, Position::Closed),
            (Command::ForceOpen, _) => other(kept, Position::ForcedOpen),
            (Command::ForceClosed, _) => other(kept, Position::ForcedClosed),
            (Command::Automatic, Position::ForcedOpen) => open(self, now),
            (Command::Automatic, Position::ForcedClosed) => other(self, Position::Closed),
            (Command::Automatic, Position::Closed | Position::Open | Position::HalfOpen) => return None,
            (Command::Restore { position, opens, reason, remaining }, _) => {
                let to = Self { opens, reason, slow_cause: false, ..self.arrive(position) };
                let until = match position {
                    Position::Open => now.after(remaining).ceil_to_milli(),
                    _ => Instant::ZERO,
                };
                Move { to, deadline: Arrival::At(until), why }
            }
        })
    }

    /// The deadline that this state would have, had it begun at `now` without jitter: for a state
    /// whose own deadline has not been written (yet, or because its writer died).
    pub fn deadline_from(self, policy: &BreakerPolicy, now: Instant) -> Instant {
        match self.position {
            Position::HalfOpen => policy.probes_lost_at(now),
            Position::Closed => now.after(policy.cooldown_after(self.opens)).ceil_to_milli(),
            // A manual opening may be the first.
            Position::Open => now.after(policy.cooldown_after(self.opens.max(1))).ceil_to_milli(),
            Position::ForcedOpen | Position::ForcedClosed => Instant::ZERO,
        }
    }
}

/// The epoch of a state word.
pub const fn epoch_of(word: u64) -> u32 {
    (word >> 32) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "masked to at most 7 bits")]
const fn low_bits(word: u64, count: u32) -> u8 {
    (word & ((1 << count) - 1)) as u8
}

/// A transition: the state to go to, and how its deadline is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The next state, with the next epoch.
    pub to: State,
    /// Its deadline.
    pub deadline: Arrival,
    /// What it is made for.
    pub why: ChangeReason,
}

/// How the deadline of a new state is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is this whole millisecond.
    At(Instant),
    /// It is the cooldown of the new state, jittered; drawn only once the transition has won.
    Cooldown,
}

/// The answer to a request for admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Granted; nothing changes.
    Pass,
    /// Granted as a probe: the state to write, and the instant before which probes are not lost.
    Probe(State, Instant),
    /// Granted as the first probe of a new half-open epoch.
    Turn(Move),
    /// Rejected, and the breaker opens: its probes are lost or hanging.
    Lost(Move),
    /// Rejected.
    Reject(Rejection),
}

/// What a probe's outcome does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is counted in the same epoch.
    Count(State),
    /// It decides.
    Turn(Move),
}

/// What an operator can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Open, for so long or for the policy's first cooldown.
    Trip(Option<Span>),
    /// Close, with everything forgotten.
    Reset,
    /// Reject everything until taken back.
    ForceOpen,
    /// Admit everything until taken back.
    ForceClosed,
    /// Take an override back.
    Automatic,
    /// Go to a remembered state.
    Restore {
        /// Where to stand.
        position: Position,
        /// How often it had opened in a row.
        opens: u8,
        /// Why it was open.
        reason: Option<OpenReason>,
        /// How long it was still to stay open.
        remaining: Span,
    },
}

impl Command {
    /// The reason of the transition that it makes.
    const fn reason(self) -> ChangeReason {
        match self {
            Self::Trip(_) => ChangeReason::Manual,
            Self::Reset => ChangeReason::Reset,
            Self::ForceOpen | Self::ForceClosed => ChangeReason::Forced,
            Self::Automatic => ChangeReason::Automatic,
            Self::Restore { .. } => ChangeReason::Restored,
        }
    }
}

impl BreakerPolicy {
    /// The cooldown of the `opens`-th opening in a row, before jitter; none for 0.
    pub fn cooldown_after(&self, opens: u8) -> Span {
        if opens == 0 {
            return Span::ZERO;
        }
        let mut span = self.cooldown;
        for _ in 1..opens {
            if span >= self.cooldown_max {
                break;
            }
            span = span.scaled(self.cooldown_multiplier).min(self.cooldown_max);
        }
        span
    }

    /// When the `opens`-th opening in a row, begun at `now`, is over. Draws once if jitter is set.
    pub fn open_until(&self, opens: u8, now: Instant, draw: impl FnOnce() -> u64) -> Instant {
        let span = self.cooldown_after(opens);
        let span = if self.cooldown_jitter.parts() == 0 {
            span
        } else {
            let most = span.saturating_add(span.scaled(self.cooldown_jitter));
            Span::from_nanos(between(draw(), span.as_nanos(), most.as_nanos()))
        };
        now.after(span).ceil_to_milli()
    }

    fn probes_lost_at(&self, now: Instant) -> Instant {
        now.after(self.probe_timeout).ceil_to_milli()
    }

    /// What an outcome counts as: a cancelled call that had run for `abandon_after` is a failure.
    pub fn judged(&self, outcome: Outcome, took: Span) -> Outcome {
        match outcome {
            Outcome::Cancelled if self.abandon_after.is_some_and(|limit| took >= limit) => Outcome::Failure,
            _ => outcome,
        }
    }

    /// Whether durations matter to this breaker at all.
    pub const fn needs_duration(&self) -> bool {
        self.slow_call.is_some() || self.abandon_after.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn a_word_tells_in_short_what_its_state_says() {
        for position in Position::ALL.iter().copied() {
            let state = State { position, ..State::NEW };
            let passes = matches!(position, Position::Closed | Position::ForcedClosed);
            assert_eq!((state.passes(), State::word_passes(state.pack())), (passes, passes));
            assert_eq!(State::word_is_open(state.pack()), position == Position::Open);
        }
    }

    #[test]
    fn what_an_operator_opens_asks_no_probe_to_be_quick() {
        let policy = BreakerPolicy::failure_rate(0.5).build().expect("the policy is valid");
        let slow = State { position: Position::Open, slow_cause: true, ..State::NEW };
        let restored = Command::Restore {
            position: Position::Open,
            opens: 1,
            reason: Some(OpenReason::SlowRate),
            remaining: Span::ZERO,
        };
        for command in [Command::Trip(None), Command::ForceOpen, Command::ForceClosed, restored] {
            let turn = slow.commanded(command, Instant::ZERO, &policy, Instant::ZERO);
            assert!(turn.is_some_and(|turn| !turn.to.slow_cause), "{command:?}");
        }
    }

    #[test]
    fn durations_are_asked_for_where_they_matter() {
        let needs = |policy: crate::kernel::policy::BreakerDraft| {
            policy.build().expect("the policy is valid").needs_duration()
        };
        let second = Duration::from_secs(1);
        assert!(!needs(BreakerPolicy::failure_rate(0.5)));
        assert!(needs(BreakerPolicy::failure_rate(0.5).slow_call(second)));
        assert!(needs(BreakerPolicy::failure_rate(0.5).abandon_after(second)));
    }

    proptest! {
        #[test]
        fn a_state_survives_its_word(
            position in 0usize..5, opens in 0u8..64, reason in 0usize..7, slow_cause: bool,
            out in 0u8..=64, succeeded in 0u8..64, failed in 0u8..64, epoch: u32,
        ) {
            let state = State {
                position: Position::ALL[position],
                opens,
                reason: OpenReason::ALL.get(reason).copied(),
                slow_cause,
                probes: Probes { out, succeeded, failed },
                epoch,
            };
            prop_assert_eq!(State::unpack(state.pack()), state);
        }
    }
}
