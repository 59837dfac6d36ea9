//! A breaker on a manual clock, carrying out a run; tells what happened, and judges nothing.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use overcurrent::{Breaker, BreakerOpen, BreakerPolicy, ManualClock, Outcome, Permit, Snapshot, Transition};

use crate::cases::Op;

/// The breaker and the calls that are out.
pub(crate) struct Course {
    pub(crate) breaker: Arc<Breaker>,
    /// The reading of its clock.
    pub(crate) now: u64,
    clock: ManualClock,
    /// The epoch that runs, by what was told.
    epoch: u32,
    out: Vec<Out>,
    saved: Vec<Snapshot>,
    told: Arc<Mutex<Vec<Transition>>>,
}

struct Out {
    permit: Permit<Arc<Breaker>>,
    epoch: u32,
    since: u64,
}

/// What came of an operation.
#[derive(Debug)]
pub(crate) struct Happened {
    /// The answer to a request for admission.
    pub(crate) answer: Option<Result<(), BreakerOpen>>,
    /// The outcome of a call, where one ended.
    pub(crate) ended: Option<Ended>,
    /// The transition, if there was one.
    pub(crate) moved: Option<Transition>,
    /// The epoch at the end of it.
    pub(crate) epoch: u32,
}

/// A call that ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    /// How long it took, or was said to have taken.
    pub(crate) took: u64,
    /// Whether the epoch that had admitted it was over.
    pub(crate) late: bool,
}

impl Course {
    pub(crate) fn new(policy: BreakerPolicy, seed: u64) -> Self {
        let clock = ManualClock::new();
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&told);
        let breaker = Breaker::with("law", policy, Arc::new(clock.clone()), Some(seed))
            .on_transition(move |moved| log.lock().expect("a log").push(*moved));
        Self { breaker: Arc::new(breaker), now: 0, clock, epoch: 1, out: Vec::new(), saved: Vec::new(), told }
    }

    /// How many calls of the current epoch are out.
    pub(crate) fn outstanding(&self) -> usize {
        self.out.iter().filter(|out| out.epoch == self.epoch).count()
    }

    /// Does one thing.
    pub(crate) fn step(&mut self, op: &Op) -> Happened {
        let mut happened = Happened { answer: None, ended: None, moved: None, epoch: self.epoch };
        match op {
            Op::Pass(nanos) => self.at(self.now.saturating_add(*nanos)),
            Op::Back(nanos) => self.at(self.now.saturating_sub(*nanos)),
            Op::Jump(nanos) => self.at(*nanos),
            Op::Acquire => {
                let answer = self.breaker.acquire_owned();
                // Whatever it moved by now, it was admitted by the epoch that then runs.
                happened.moved = self.hear();
                happened.answer = Some(answer.map(|permit| {
                    self.out.push(Out { permit, epoch: self.epoch, since: self.now });
                }));
            }
            Op::Settle(nth, outcome, took) => {
                happened.ended = self.take(*nth).map(|out| {
                    let measured = self.now.saturating_sub(out.since);
                    match took {
                        Some(took) => out.permit.record_took(*outcome, Duration::from_nanos(*took)),
                        None => out.permit.record(*outcome),
                    }
                    Ended { outcome: *outcome, took: took.unwrap_or(measured), late: out.epoch != self.epoch }
                });
            }
            Op::Drop(nth) => {
                happened.ended = self.take(*nth).map(|out| {
                    drop(out.permit);
                    let took = self.now.saturating_sub(out.since);
                    Ended { outcome: Outcome::Cancelled, took, late: out.epoch != self.epoch }
                });
            }
            // Whether it was refused shows in the transition.
            Op::Trip(span) => drop(self.breaker.trip(span.map(Duration::from_nanos))),
            Op::Reset => self.breaker.reset(),
            Op::ForceOpen => self.breaker.force_open(),
            Op::ForceClosed => self.breaker.force_closed(),
            Op::Automatic => self.breaker.automatic(),
            Op::Save => self.saved.push(self.breaker.snapshot()),
            Op::Recall(nth) => {
                if let Some(snapshot) = self.saved.get(nth % self.saved.len().max(1)) {
                    drop(self.breaker.restore(snapshot));
                }
            }
            Op::Restore(snapshot) => drop(self.breaker.restore(snapshot)),
        }
        happened.moved = happened.moved.or_else(|| self.hear());
        happened.epoch = self.epoch;
        happened
    }

    fn at(&mut self, now: u64) {
        self.now = now;
        self.clock.set(Duration::from_nanos(now));
    }

    fn take(&mut self, nth: usize) -> Option<Out> {
        (!self.out.is_empty()).then(|| self.out.swap_remove(nth % self.out.len()))
    }

    fn hear(&mut self) -> Option<Transition> {
        let moved = self.told.lock().expect("a log").pop()?;
        self.epoch = moved.epoch;
        Some(moved)
    }
}
