//! A breaker and the naive model of it, side by side: whatever is done is done to both, and everything
//! that can be seen of them is compared after each operation.
//!
//! Half of the calls go through permits and the clock, half through passes and explicit instants; both
//! must come to the same.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use arbitrary::{Arbitrary, Result, Unstructured};
use overcurrent::{
    Breaker, BreakerPolicy, Dialect, Instant, ManualClock, Outcome, Permit, Position, Snapshot, Span,
    Transition,
    kernel::{breaker::Command, call::Pass},
};

use crate::{
    breaker_policy::Drawn,
    draw::{choice, nanos, step},
    model::{Model, Moved},
};

/// More operations than this in one case teach nothing new.
const MOST: usize = 2_000;

/// A policy, a seed and what is done.
#[derive(Debug)]
pub struct Case {
    policy: Drawn,
    seed: u64,
    ops: Vec<Op>,
}

#[derive(Debug)]
enum Op {
    /// The clock goes to this instant.
    Clock(u64),
    /// Through the clock, or by an explicit instant.
    Acquire {
        explicit: bool,
    },
    /// The n-th call that is out ends; its duration is given, or measured.
    Settle {
        nth: u8,
        outcome: Outcome,
        took: Option<u64>,
    },
    /// Its permit is dropped.
    Drop {
        nth: u8,
    },
    Trip(Option<u64>),
    Reset,
    ForceOpen,
    ForceClosed,
    Automatic,
    /// A snapshot is taken.
    Save,
    /// The last one is restored.
    Restore,
}

fn op(bytes: &mut Unstructured<'_>, now: &mut u64) -> Result<Op> {
    Ok(match choice(bytes, 16)? {
        0 | 1 => {
            *now = step(bytes, *now)?;
            Op::Clock(*now)
        }
        2..=4 => Op::Acquire { explicit: false },
        5 => Op::Acquire { explicit: true },
        kind @ 6..=8 => {
            let nth = bytes.arbitrary()?;
            let outcome = match choice(bytes, 8)? {
                0..=2 => Outcome::Success,
                3..=5 => Outcome::Failure,
                6 => Outcome::Ignored,
                _ => Outcome::Cancelled,
            };
            let took = if kind == 6 { Some(nanos(bytes)?) } else { None };
            Op::Settle { nth, outcome, took }
        }
        9 => Op::Drop { nth: bytes.arbitrary()? },
        10 => Op::Trip(if choice(bytes, 2)? == 0 { None } else { Some(nanos(bytes)?) }),
        11 => Op::Reset,
        12 => Op::ForceOpen,
        13 => Op::ForceClosed,
        14 => Op::Automatic,
        _ => match choice(bytes, 2)? {
            0 => Op::Save,
            _ => Op::Restore,
        },
    })
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let (policy, seed) = (bytes.arbitrary()?, bytes.arbitrary()?);
        let (mut ops, mut now) = (Vec::new(), 0);
        while !bytes.is_empty() && ops.len() < MOST {
            ops.push(op(bytes, &mut now)?);
        }
        Ok(Self { policy, seed, ops })
    }
}

impl Case {
    /// Carries the case out on both and compares.
    ///
    /// # Panics
    /// Where the breaker differs from the model.
    pub fn check(self) {
        let policy = BreakerPolicy::from_value(&self.policy.written, "", Dialect::Document)
            .expect("what is drawn is a valid policy");
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&told);
        let clock = ManualClock::new();
        let breaker = Breaker::with("fuzzed", policy, Arc::new(clock.clone()), Some(self.seed))
            .on_transition(move |moved| log.lock().expect("a log").push(*moved));
        let model = Model::new(self.policy.rules.clone(), self.seed);
        let breaker = Arc::new(breaker);
        let timed = self.policy.rules.slow_call.is_some() || self.policy.rules.abandon_after.is_some();
        let mut pair = Pair { clock, now: 0, breaker, model, told, timed, out: Vec::new(), saved: None };
        for op in self.ops {
            pair.carry_out(&op);
            pair.compare(&op);
        }
    }
}

/// A call that is out.
struct Out {
    held: Held,
    epoch: u32,
    since: u64,
}

enum Held {
    Permit(Permit<Arc<Breaker>>),
    Pass(Pass),
}

struct Pair {
    clock: ManualClock,
    now: u64,
    breaker: Arc<Breaker>,
    model: Model,
    told: Arc<Mutex<Vec<Transition>>>,
    /// Whether durations are measured.
    timed: bool,
    out: Vec<Out>,
    saved: Option<Snapshot>,
}

impl Pair {
    fn at(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    fn carry_out(&mut self, op: &Op) {
        let now = self.now;
        match *op {
            Op::Clock(now) => {
                self.now = now;
                self.clock.set(Duration::from_nanos(now));
            }
            Op::Acquire { explicit } => self.acquire(explicit),
            Op::Settle { nth, outcome, took } => {
                if let Some(out) = self.take(nth) {
                    self.settle(out, outcome, took);
                }
            }
            Op::Drop { nth } => {
                if let Some(out) = self.take(nth) {
                    self.abandon(out);
                }
            }
            Op::Trip(span) => {
                let taken = self.breaker.trip_at(span.map(Span::from_nanos), self.at()).is_ok();
                assert_eq!(taken, self.model.trip(span, now), "whether it may be tripped so long");
            }
            Op::Reset => {
                self.breaker.command_at(Command::Reset, self.at());
                self.model.reset();
            }
            Op::ForceOpen => {
                self.breaker.command_at(Command::ForceOpen, self.at());
                self.model.force(Position::ForcedOpen, now);
            }
            Op::ForceClosed => {
                self.breaker.command_at(Command::ForceClosed, self.at());
                self.model.force(Position::ForcedClosed, now);
            }
            Op::Automatic => {
                self.breaker.command_at(Command::Automatic, self.at());
                self.model.automatic(now);
            }
            Op::Save => self.saved = Some(self.breaker.snapshot_at(self.at())),
            Op::Restore => {
                if let Some(saved) = &self.saved {
                    let taken = self.breaker.restore_at(saved, self.at()).is_ok();
                    assert_eq!(taken, self.model.restore(saved, now), "whether {saved:?} can be restored");
                }
            }
        }
    }

    fn acquire(&mut self, explicit: bool) {
        let answer = if explicit {
            self.breaker
                .acquire_at(self.at())
                .map(Held::Pass)
                .map_err(|refused| (refused.reason, refused.retry_after))
        } else {
            self.breaker.acquire_owned().map(Held::Permit).map_err(|error| (error.reason, error.retry_after))
        };
        let expected = self.model.acquire(self.now);
        match (answer, expected) {
            (Ok(held), Ok(epoch)) => self.out.push(Out { held, epoch, since: self.now }),
            (Err((reason, wait)), expected) => {
                assert_eq!(Err((reason, wait.map(Span::as_nanos))), expected, "the answer to a request");
            }
            (Ok(_), expected) => panic!("granted where {expected:?} was expected"),
        }
    }

    fn take(&mut self, nth: u8) -> Option<Out> {
        (!self.out.is_empty()).then(|| self.out.remove(usize::from(nth) % self.out.len()))
    }

    fn settle(&mut self, out: Out, outcome: Outcome, took: Option<u64>) {
        let at = self.at();
        let Out { held, epoch, since } = out;
        let measured = self.now.saturating_sub(since);
        match held {
            Held::Permit(permit) => {
                match took {
                    Some(took) => permit.record_took(outcome, Duration::from_nanos(took)),
                    None => permit.record(outcome),
                }
                let took = took.unwrap_or(if self.timed { measured } else { 0 });
                self.model.record(epoch, outcome, took, self.now);
            }
            Held::Pass(pass) => {
                let took = took.unwrap_or(measured);
                let counted = self.breaker.record_at(pass, outcome, Span::from_nanos(took), at);
                let expected = self.model.record(epoch, outcome, took, self.now);
                assert_eq!(counted, expected, "whether the outcome counts");
            }
        }
    }

    fn abandon(&mut self, out: Out) {
        match out.held {
            Held::Permit(permit) => {
                drop(permit);
                let took = self.now.saturating_sub(out.since);
                self.model.record(out.epoch, Outcome::Cancelled, took, self.now);
            }
            Held::Pass(_) => self.settle(out, Outcome::Cancelled, None),
        }
    }

    /// Everything that can be seen, and the transitions: each told once, in order.
    fn compare(&mut self, op: &Op) {
        let told: Vec<Moved> = std::mem::take(&mut *self.told.lock().expect("a log"))
            .into_iter()
            .map(|moved| Moved { from: moved.from, to: moved.to, reason: moved.reason, epoch: moved.epoch })
            .collect();
        assert_eq!(told, self.model.moves(), "the transitions after {op:?}");
        assert_eq!(self.breaker.state(), self.model.position(), "the state after {op:?}");
        assert_eq!(self.breaker.reason(), self.model.reason(), "the reason after {op:?}");
        assert_eq!(self.breaker.late(), self.model.late(), "the late outcomes after {op:?}");
        let retry_after = self.breaker.retry_after().map(Span::as_nanos);
        assert_eq!(retry_after, self.model.retry_after(self.now), "retry_after after {op:?}");
        let snapshot = self.breaker.snapshot_at(self.at());
        assert_eq!(snapshot, self.model.snapshot(self.now), "the snapshot after {op:?}");
    }
}
