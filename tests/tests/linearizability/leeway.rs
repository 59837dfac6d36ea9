//! The liberties that concurrency takes: what the rules leave open while operations overlap.
//!
//! 1. **A failure is counted, then tested.** Another operation may come in between; so a failure may
//!    open the breaker although a success has cleared the row since, and may be counted without opening
//!    it because another transition was first.
//! 2. **A transition writes its deadline after the state.** An operation that overlaps it may find the
//!    deadline missing, and then takes the one that the state would have had, had it begun at its own
//!    `now`: so it may be told to wait for one cooldown where a manual opening was for another time,
//!    and may not see that an opening is forgiven. It is never admitted before the deadline that is
//!    being written.
//! 3. **A probe's deadline moves on before the probe is granted.** A request that overlaps a grant of the
//!    same epoch may have moved it on although another took the last place; so lost probes may be found
//!    later, by the difference of their `now`s. And one that finds the probes lost may do so by the
//!    deadline from before a grant that it overlaps.
//!
//! With equal `now`s no time goes by within the second and the third, but for manual openings.

use std::collections::HashMap;

use overcurrent::{Position, RejectReason};

use crate::{
    history::{Answer, Call, History, Op},
    spec::{self, Spec, ceil, cooldown, lost_at},
};

/// What the liberties of a history depend on.
pub(crate) struct Leeway<'h> {
    history: &'h History,
    /// Who began an epoch.
    began: HashMap<u32, &'h Op>,
}

impl<'h> Leeway<'h> {
    pub(crate) fn of(history: &'h History) -> Self {
        let began = history.ops().filter_map(|op| Some((op.began()?, op))).collect();
        Self { history, began }
    }

    /// Whether the deadline of the current epoch may be missing for `op`.
    fn may_miss_deadline(&self, spec: &Spec, op: &Op) -> bool {
        self.began.get(&spec.epoch).is_some_and(|maker| maker.overlaps(op))
    }

    /// Whether some operation that was under way together with the transition may have taken `at` for
    /// the deadline of this open state.
    fn may_be_taken(&self, spec: &Spec, at: u64) -> bool {
        let span = cooldown(&self.history.policy, spec.opens.max(1));
        self.began
            .get(&spec.epoch)
            .is_some_and(|maker| self.history.ops().any(|op| op.overlaps(maker) && ceil(op.now + span) == at))
    }

    /// Whether `op`, which changes nothing, may be answered so by a deadline that is not the right one.
    pub(crate) fn unwritten(&self, spec: &Spec, op: &Op) -> bool {
        if !op.told.is_empty() {
            return false;
        }
        match (&op.call, &op.answer) {
            (Call::Acquire, Answer::Rejected(RejectReason::Open, Some(wait))) => {
                spec.position == Position::Open
                    && self.may_miss_deadline(spec, op)
                    && self.may_be_taken(spec, op.now + wait)
            }
            (Call::Snapshot, Answer::Snapshot(snapshot)) => {
                let mut right = spec.snapshot(op.now);
                right.remaining_ns = snapshot.remaining_ns;
                spec.position == Position::Open
                    && right == *snapshot
                    && self.may_miss_deadline(spec, op)
                    && self.may_be_taken(spec, op.now + snapshot.remaining_ns)
            }
            (Call::Acquire, Answer::Rejected(RejectReason::HalfOpen, None)) => {
                spec.position == Position::HalfOpen
                    && spec.full(&self.history.policy)
                    && self.moved_on(spec, op).any(|lost_at| lost_at > op.now)
            }
            (Call::Audit, Answer::Audit(state, deadline, late)) => {
                spec.position == Position::HalfOpen
                    && *state == spec.state()
                    && *late == spec.late
                    && *deadline > spec.deadline
                    && self.moved_on(spec, op).any(|lost_at| lost_at == *deadline)
            }
            _ => false,
        }
    }

    /// The deadlines that others may have written in vain in this half-open epoch before `op` returned.
    fn moved_on(&self, spec: &Spec, op: &Op) -> impl Iterator<Item = u64> {
        let (epoch, returned) = (spec.epoch, op.returned);
        let grants = move || self.history.ops().filter(move |op| op.granted() == Some(epoch));
        self.history
            .ops()
            .filter(move |op| op.invoked < returned)
            .filter(move |op| grants().any(|grant| grant.invoked != op.invoked && grant.overlaps(op)))
            .map(|op| lost_at(&self.history.policy, op.now))
    }

    /// The state as `op` may have seen it to decide on a transition.
    pub(crate) fn seen(&self, spec: &Spec, op: &Op) -> Option<Spec> {
        if op.told.is_empty() {
            return None;
        }
        let deadline = match spec.position {
            // Not known to be forgiven.
            Position::Closed if spec.opens > 0 && self.may_miss_deadline(spec, op) => u64::MAX,
            // As it was before the grants that `op` overlaps.
            Position::HalfOpen => self
                .history
                .ops()
                .filter(|grant| grant.granted() == Some(spec.epoch) && !grant.overlaps(op))
                .map(|grant| lost_at(&self.history.policy, grant.now))
                .max()?,
            _ => return None,
        };
        Some(Spec { deadline, ..spec.clone() })
    }

    /// The state once a failure is counted and before it is tested.
    pub(crate) fn counted(&self, spec: &Spec, op: &Op) -> Option<Spec> {
        let Call::Record { grant, outcome, took } = op.call else { return None };
        let fails = spec::failed(&self.history.policy, outcome, took) == Some(true);
        let passes = matches!(spec.position, Position::Closed | Position::ForcedClosed);
        let counts = fails && passes && op.answer == Answer::Counted && grant.epoch == spec.epoch;
        counts.then(|| {
            let mut spec = spec.clone();
            spec.count(true);
            spec
        })
    }
}
