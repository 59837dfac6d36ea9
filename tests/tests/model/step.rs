//! What was done to a breaker, and what it answered: the words in which its transitions are told.

use std::fmt;

use overcurrent::{OpenReason, Position, RejectReason};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum By {
    Acquire,
    Success,
    SlowSuccess,
    Failure,
    Ignored,
    Cancelled,
    /// A permit was dropped unused.
    Dropped,
    /// Cancelled or dropped after `abandon_after`.
    Abandoned,
    /// Any outcome of a call that an earlier epoch admitted.
    Late,
    Trip,
    /// For longer than a breaker may be tripped.
    TripTooLong,
    Reset,
    ForceOpen,
    ForceClosed,
    Automatic,
    /// A snapshot is restored, of a breaker that stood there.
    Restore(Position),
    /// What cannot be a snapshot is restored.
    RestoreBad,
}

/// What the answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Granted,
    Rejected(RejectReason),
    /// The outcome or the command was taken.
    Taken,
    /// The outcome came late.
    Late,
    /// It was refused as invalid.
    Refused,
}

/// One step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) from: Position,
    pub(crate) by: By,
    pub(crate) answer: Answer,
    pub(crate) to: Position,
    /// Why it opened, where it did.
    pub(crate) reason: Option<OpenReason>,
    /// Whether it was a transition, also one back into the same state.
    pub(crate) moved: bool,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Acquire => "acquire",
            Self::Success => "success",
            Self::SlowSuccess => "slow success",
            Self::Failure => "failure",
            Self::Ignored => "ignored",
            Self::Cancelled => "cancelled",
            Self::Dropped => "dropped",
            Self::Abandoned => "abandoned",
            Self::Late => "late outcome",
            Self::Trip => "trip",
            Self::TripTooLong => "trip for too long",
            Self::Reset => "reset",
            Self::ForceOpen => "force_open",
            Self::ForceClosed => "force_closed",
            Self::Automatic => "automatic",
            Self::Restore(Position::Closed) => "restore closed",
            Self::Restore(Position::Open) => "restore open",
            Self::Restore(Position::HalfOpen) => "restore half_open",
            Self::Restore(Position::ForcedOpen) => "restore forced_open",
            Self::Restore(Position::ForcedClosed) => "restore forced_closed",
            Self::RestoreBad => "restore nonsense",
        })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Granted => "granted",
            Self::Rejected(RejectReason::Open) => "rejected: open",
            Self::Rejected(RejectReason::HalfOpen) => "rejected: half_open",
            Self::Rejected(RejectReason::ForcedOpen) => "rejected: forced_open",
            Self::Taken => "taken",
            Self::Late => "late",
            Self::Refused => "refused",
        })
    }
}
