//! Every transition that a breaker can make, as data.
//!
//! | from | to | reasons |
//! | --- | --- | --- |
//! | closed | open | the tests: `consecutive_failures`, `failure_rate`, `slow_rate` |
//! | open | half-open | `cooldown_over` |
//! | half-open | open | `probe_failed`, `probe_timeout` |
//! | half-open | closed | `probes_succeeded` |
//! | anywhere | open | `manual`, `restored` |
//! | anywhere | closed | `reset`, `restored` |
//! | anywhere | either override | `forced`, `restored` |
//! | forced open | open | `automatic` |
//! | forced closed | closed | `automatic` |
//!
//! INVARIANT: a breaker makes these and no others; the tests hold the list against the state table.

use super::{
    outcome::{ChangeReason, Position},
    tally::Listed,
};

/// A transition that a breaker can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    /// Where it stood.
    pub from: Position,
    /// Where it stands then.
    pub to: Position,
    /// Why.
    pub reason: ChangeReason,
}

/// From any of these, to there, for any of these reasons.
type Row = (&'static [Position], Position, &'static [ChangeReason]);

const ROWS: &[Row] = &[
    (
        &[Position::Closed],
        Position::Open,
        &[ChangeReason::ConsecutiveFailures, ChangeReason::FailureRate, ChangeReason::SlowRate],
    ),
    (&[Position::Open], Position::HalfOpen, &[ChangeReason::CooldownOver]),
    (&[Position::HalfOpen], Position::Open, &[ChangeReason::ProbeFailed, ChangeReason::ProbeTimeout]),
    (&[Position::HalfOpen], Position::Closed, &[ChangeReason::ProbesSucceeded]),
    (Position::ALL, Position::Open, &[ChangeReason::Manual, ChangeReason::Restored]),
    (Position::ALL, Position::Closed, &[ChangeReason::Reset, ChangeReason::Restored]),
    (Position::ALL, Position::ForcedOpen, &[ChangeReason::Forced, ChangeReason::Restored]),
    (Position::ALL, Position::ForcedClosed, &[ChangeReason::Forced, ChangeReason::Restored]),
    (&[Position::ForcedOpen], Position::Open, &[ChangeReason::Automatic]),
    (&[Position::ForcedClosed], Position::Closed, &[ChangeReason::Automatic]),
];

static EDGES: [Edge; Edge::COUNT] = spelled_out();

const fn count() -> usize {
    let (mut count, mut row) = (0, 0);
    while row < ROWS.len() {
        count += ROWS[row].0.len() * ROWS[row].2.len();
        row += 1;
    }
    count
}

const fn spelled_out() -> [Edge; Edge::COUNT] {
    let none = Edge { from: Position::Closed, to: Position::Closed, reason: ChangeReason::Reset };
    let mut edges = [none; Edge::COUNT];
    let (mut place, mut row) = (0, 0);
    while row < ROWS.len() {
        let (from, to, reasons) = ROWS[row];
        let mut nth = 0;
        while nth < from.len() * reasons.len() {
            edges[place] = Edge { from: from[nth / reasons.len()], to, reason: reasons[nth % reasons.len()] };
            place += 1;
            nth += 1;
        }
        row += 1;
    }
    edges
}

impl Edge {
    /// How many there are.
    pub const COUNT: usize = count();

    /// Every transition that a breaker can make.
    pub const ALL: &'static [Self] = &EDGES;
}

impl Listed for Edge {
    const ALL: &'static [Self] = Self::ALL;

    fn words(self) -> [&'static str; 3] {
        [self.from.as_str(), self.to.as_str(), self.reason.as_str()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edge_is_listed_once() {
        for (place, edge) in Edge::ALL.iter().enumerate() {
            assert_eq!(edge.place(), place, "{edge:?}");
        }
        let unheard_of =
            Edge { from: Position::Closed, to: Position::HalfOpen, reason: ChangeReason::Forced };
        assert!(!Edge::ALL.contains(&unheard_of));
    }
}
