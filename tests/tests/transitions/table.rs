//! The state table as data: every step that a breaker can take, with the rule it follows.
//!
//! A row stands for all its positions times all its operations. What no row allows must not happen.

use std::fmt;

use overcurrent::{
    ChangeReason,
    OpenReason::{self, ConsecutiveFailures, FailureRate, Manual, ProbeFailed, ProbeTimeout, SlowRate},
    Position::{self, Closed, ForcedClosed, ForcedOpen, HalfOpen, Open},
    RejectReason,
};

use crate::step::{
    Answer::{self, Granted, Late, Refused, Rejected, Taken},
    By::{self, *},
    Step,
};

/// A rule and the steps it speaks of.
struct Row {
    rule: &'static str,
    from: &'static [Position],
    by: &'static [By],
    answer: Answer,
    to: To,
}

/// Where a step leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum To {
    /// Nowhere: the epoch goes on.
    Stays,
    /// A new epoch, there.
    Goes(Position),
    /// A new epoch, open for this reason.
    Opens(OpenReason),
    /// A new epoch, open for the reason that the snapshot tells.
    OpensAsSaved,
}

/// One step of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Edge {
    pub(crate) from: Position,
    pub(crate) by: By,
    pub(crate) answer: Answer,
    pub(crate) to: To,
}

impl Edge {
    /// The edge that a step took.
    pub(crate) fn of(step: Step) -> Self {
        let to = match (step.moved, step.by, step.to, step.reason) {
            (false, ..) => To::Stays,
            (true, Restore(_), Open, Some(_)) => To::OpensAsSaved,
            (true, _, Open, Some(reason)) => To::Opens(reason),
            (true, _, position, _) => To::Goes(position),
        };
        Self { from: step.from, by: step.by, answer: step.answer, to }
    }
}

impl Edge {
    /// As the core counts it, if it is a transition.
    pub(crate) fn counted(self) -> Option<overcurrent::Edge> {
        let to = match self.to {
            To::Stays => return None,
            To::Goes(position) => position,
            To::Opens(_) | To::OpensAsSaved => Open,
        };
        let reason = match (self.by, self.to) {
            (Trip, _) => ChangeReason::Manual,
            (Reset, _) => ChangeReason::Reset,
            (ForceOpen | ForceClosed, _) => ChangeReason::Forced,
            (Automatic, _) => ChangeReason::Automatic,
            (Restore(_), _) => ChangeReason::Restored,
            (_, To::Opens(reason)) => reason.into(),
            (Acquire, _) => ChangeReason::CooldownOver,
            _ => ChangeReason::ProbesSucceeded,
        };
        Some(overcurrent::Edge { from: self.from, to, reason })
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = match self.to {
            To::Stays => String::from("stays"),
            To::Goes(position) => format!("→ {position}"),
            To::Opens(reason) => format!("→ open: {reason}"),
            To::OpensAsSaved => String::from("→ open: as saved"),
        };
        write!(f, "{:<13} {:<21} {:<21} {to:<28}", self.from.as_str(), self.by, self.answer)
    }
}

/// Every edge, with its rule, in the order of the table.
pub(crate) fn edges() -> Vec<(&'static str, Edge)> {
    let each = |row: &'static Row| {
        let cells = row.from.iter().flat_map(|from| row.by.iter().map(move |by| (*from, *by)));
        cells.map(|(from, by)| (row.rule, Edge { from, by, answer: row.answer, to: row.to }))
    };
    TABLE.iter().flat_map(each).collect()
}

pub(crate) const ANYWHERE: &[Position] = &[Closed, Open, HalfOpen, ForcedOpen, ForcedClosed];
const COUNTED: &[By] = &[Success, SlowSuccess, Failure, Abandoned];
const NOTHING: &[By] = &[Ignored, Cancelled, Dropped];

const TABLE: &[Row] = &[
    Row { rule: "closed admits every call", from: &[Closed], by: &[Acquire], answer: Granted, to: To::Stays },
    Row {
        rule: "an outcome is counted, and no test holds",
        from: &[Closed],
        by: COUNTED,
        answer: Taken,
        to: To::Stays,
    },
    Row {
        rule: "so many failures in a row open; a call cancelled after abandon_after is one",
        from: &[Closed],
        by: &[Failure, Abandoned],
        answer: Taken,
        to: To::Opens(ConsecutiveFailures),
    },
    Row {
        rule: "the share of failures in the window opens; a slow success may be the outcome that fills it",
        from: &[Closed],
        by: &[Failure, Abandoned, SlowSuccess],
        answer: Taken,
        to: To::Opens(FailureRate),
    },
    Row {
        rule: "the share of slow outcomes opens; a quick failure may be the outcome that fills the window",
        from: &[Closed],
        by: &[SlowSuccess, Failure, Abandoned],
        answer: Taken,
        to: To::Opens(SlowRate),
    },
    Row {
        rule: "ignored and cancelled outcomes count as nothing",
        from: &[Closed, ForcedClosed],
        by: NOTHING,
        answer: Taken,
        to: To::Stays,
    },
    Row {
        rule: "open rejects until its cooldown is over, and says how long that is",
        from: &[Open],
        by: &[Acquire],
        answer: Rejected(RejectReason::Open),
        to: To::Stays,
    },
    Row {
        rule: "once the cooldown is over, the call that comes is the first probe",
        from: &[Open],
        by: &[Acquire],
        answer: Granted,
        to: To::Goes(HalfOpen),
    },
    Row {
        rule: "half-open admits as many probes at once, and in all, as the policy says",
        from: &[HalfOpen],
        by: &[Acquire],
        answer: Granted,
        to: To::Stays,
    },
    Row {
        rule: "and rejects the calls beyond that, without a hint",
        from: &[HalfOpen],
        by: &[Acquire],
        answer: Rejected(RejectReason::HalfOpen),
        to: To::Stays,
    },
    Row {
        rule: "probes that are out for probe_timeout are lost, and the call that finds that opens",
        from: &[HalfOpen],
        by: &[Acquire],
        answer: Rejected(RejectReason::Open),
        to: To::Opens(ProbeTimeout),
    },
    Row {
        rule: "a probe's outcome is counted, and does not decide yet",
        from: &[HalfOpen],
        by: COUNTED,
        answer: Taken,
        to: To::Stays,
    },
    Row {
        rule: "close_after successful probes close; a slow one is a success unless it opened for slowness",
        from: &[HalfOpen],
        by: &[Success, SlowSuccess],
        answer: Taken,
        to: To::Goes(Closed),
    },
    Row {
        rule: "reopen_after failed probes open again; where it opened for slowness, a slow one has failed",
        from: &[HalfOpen],
        by: &[Failure, Abandoned, SlowSuccess],
        answer: Taken,
        to: To::Opens(ProbeFailed),
    },
    Row {
        rule: "an ignored or cancelled probe gives its place back",
        from: &[HalfOpen],
        by: NOTHING,
        answer: Taken,
        to: To::Stays,
    },
    Row {
        rule: "forced open rejects every call",
        from: &[ForcedOpen],
        by: &[Acquire],
        answer: Rejected(RejectReason::ForcedOpen),
        to: To::Stays,
    },
    Row {
        rule: "forced closed admits every call",
        from: &[ForcedClosed],
        by: &[Acquire],
        answer: Granted,
        to: To::Stays,
    },
    Row {
        rule: "and counts the outcomes, but nothing trips it",
        from: &[ForcedClosed],
        by: COUNTED,
        answer: Taken,
        to: To::Stays,
    },
    Row {
        rule: "an outcome of an earlier epoch changes nothing but the number of late ones",
        from: ANYWHERE,
        by: &[By::Late],
        answer: Late,
        to: To::Stays,
    },
    Row {
        rule: "a trip opens, wherever it stands, also anew",
        from: ANYWHERE,
        by: &[Trip],
        answer: Taken,
        to: To::Opens(Manual),
    },
    Row {
        rule: "nobody can trip it for more than 24 h",
        from: ANYWHERE,
        by: &[TripTooLong],
        answer: Refused,
        to: To::Stays,
    },
    Row {
        rule: "a reset closes, wherever it stands, also anew",
        from: ANYWHERE,
        by: &[Reset],
        answer: Taken,
        to: To::Goes(Closed),
    },
    Row {
        rule: "force_open overrides, also anew",
        from: ANYWHERE,
        by: &[ForceOpen],
        answer: Taken,
        to: To::Goes(ForcedOpen),
    },
    Row {
        rule: "force_closed overrides, also anew",
        from: ANYWHERE,
        by: &[ForceClosed],
        answer: Taken,
        to: To::Goes(ForcedClosed),
    },
    Row {
        rule: "without an override automatic does nothing at all",
        from: &[Closed, Open, HalfOpen],
        by: &[Automatic],
        answer: Taken,
        to: To::Stays,
    },
    Row {
        rule: "forced open taken back is open with its cooldown over: probes decide",
        from: &[ForcedOpen],
        by: &[Automatic],
        answer: Taken,
        to: To::Opens(Manual),
    },
    Row {
        rule: "forced closed taken back is closed",
        from: &[ForcedClosed],
        by: &[Automatic],
        answer: Taken,
        to: To::Goes(Closed),
    },
    Row {
        rule: "a snapshot of a closed breaker closes",
        from: ANYWHERE,
        by: &[Restore(Closed)],
        answer: Taken,
        to: To::Goes(Closed),
    },
    Row {
        rule: "a snapshot of an open breaker opens; one of a half-open breaker too, with nothing remaining",
        from: ANYWHERE,
        by: &[Restore(Open), Restore(HalfOpen)],
        answer: Taken,
        to: To::OpensAsSaved,
    },
    Row {
        rule: "a snapshot of an override overrides: open",
        from: ANYWHERE,
        by: &[Restore(ForcedOpen)],
        answer: Taken,
        to: To::Goes(ForcedOpen),
    },
    Row {
        rule: "a snapshot of an override overrides: closed",
        from: ANYWHERE,
        by: &[Restore(ForcedClosed)],
        answer: Taken,
        to: To::Goes(ForcedClosed),
    },
    Row {
        rule: "what cannot be a snapshot changes nothing",
        from: ANYWHERE,
        by: &[RestoreBad],
        answer: Refused,
        to: To::Stays,
    },
];
