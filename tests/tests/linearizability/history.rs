//! What several threads did to one breaker, when, and what came of it.
//!
//! Every operation carries two stamps of one counter: no operation whose `invoked` is above the
//! `returned` of another can have taken effect before it.

use std::fmt;

use overcurrent::{
    BreakerPolicy, Outcome, RejectReason, Snapshot, Span, Transition,
    kernel::breaker::{Command, State},
};

/// A granted admission: what the breaker answered, and which request it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The epoch of the pass.
    pub(crate) epoch: u32,
    /// The `invoked` stamp of the request, which no other has.
    pub(crate) request: u64,
}

/// An operation and its inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Call {
    Acquire,
    Record {
        grant: Grant,
        outcome: Outcome,
        /// How long the call took, in nanoseconds.
        took: u64,
    },
    Command(Command),
    /// Reads the whole state word.
    State,
    /// Reads the count of late outcomes.
    LateCount,
    Snapshot,
    /// Reads the state and its deadline, when everybody else is done.
    Audit,
}

/// What an operation answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Granted(u32),
    /// With the time until a probe is admitted, in nanoseconds, where that is known.
    Rejected(RejectReason, Option<u64>),
    Counted,
    Late,
    Done,
    State(State),
    LateCount(u64),
    Snapshot(Snapshot),
    /// The state, its deadline in nanoseconds, and the count of late outcomes.
    Audit(State, u64, u64),
}

/// One operation of a history.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) invoked: u64,
    pub(crate) returned: u64,
    pub(crate) call: Call,
    /// Nanoseconds since the creation of the breaker.
    pub(crate) now: u64,
    pub(crate) answer: Answer,
    /// The transitions that the listener was told of during the operation, on its thread.
    pub(crate) told: Vec<Transition>,
}

impl Op {
    /// Whether both were under way at some moment.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.invoked < other.returned && other.invoked < self.returned
    }

    /// The epoch that admitted the call, if this is a request and it was granted.
    pub(crate) fn granted(&self) -> Option<u32> {
        match self.answer {
            Answer::Granted(epoch) => Some(epoch),
            _ => None,
        }
    }

    /// The epoch that this operation began, if it made a transition.
    pub(crate) fn began(&self) -> Option<u32> {
        self.told.first().map(|moved| moved.epoch)
    }
}

/// The operations of each thread, in its order.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) title: String,
    pub(crate) policy: BreakerPolicy,
    pub(crate) threads: Vec<Vec<Op>>,
}

impl History {
    pub(crate) fn ops(&self) -> impl Iterator<Item = &Op> {
        self.threads.iter().flatten()
    }

    /// Whether operations of different threads were under way at once.
    pub(crate) fn has_overlaps(&self) -> bool {
        let mut pairs = (0..self.threads.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        pairs.any(|(a, b)| {
            self.threads[a].iter().any(|one| self.threads[b].iter().any(|other| one.overlaps(other)))
        })
    }
}

/// One line: the interval, the inputs, the answer.
impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = match self.call {
            Call::Record { grant: Grant { epoch, request }, outcome, took } => {
                let took = Span::from_nanos(took);
                format!("record {outcome:?} after {took} of epoch {epoch}, granted at [{request}]")
            }
            Call::Command(command) => format!("{command:?}"),
            call => format!("{call:?}"),
        };
        let stamps = format!("[{}, {}]", self.invoked, self.returned);
        write!(f, "{stamps:>16} at {:>11}  {call} → ", Span::from_nanos(self.now).to_string())?;
        match &self.answer {
            Answer::Rejected(reason, Some(wait)) => {
                write!(f, "rejected, {reason} for {}", Span::from_nanos(*wait))?;
            }
            Answer::Rejected(reason, None) => write!(f, "rejected, {reason}")?,
            Answer::Granted(epoch) => write!(f, "granted by epoch {epoch}")?,
            answer => write!(f, "{answer:?}")?,
        }
        for moved in &self.told {
            let reason = moved.reason.map(|reason| format!(" for {reason}")).unwrap_or_default();
            write!(f, "; told {} → {}{reason}, epoch {}", moved.from, moved.to, moved.epoch)?;
        }
        Ok(())
    }
}

/// Thread by thread.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = &self.policy;
        writeln!(f, "{}", self.title)?;
        writeln!(
            f,
            "consecutive_failures {:?}, window {:?}, cooldown {} to {}, probes {}, close_after {}, reopen_after \
             {}, probe_timeout {}, abandon_after {:?}",
            policy.consecutive_failures,
            policy.window.map(|rules| rules.window),
            policy.cooldown,
            policy.cooldown_max,
            policy.probes,
            policy.close_after,
            policy.reopen_after,
            policy.probe_timeout,
            policy.abandon_after,
        )?;
        for (number, ops) in self.threads.iter().enumerate() {
            writeln!(f, "thread {number}")?;
            for (nth, op) in ops.iter().enumerate() {
                writeln!(f, "  {number}.{nth:<3}{op}")?;
            }
        }
        Ok(())
    }
}
