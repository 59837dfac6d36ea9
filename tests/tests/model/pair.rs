//! A breaker and its model side by side on a manual clock: whatever is done is done to both, and
//! everything that can be seen of them is compared after each step.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use overcurrent::{Breaker, ManualClock, Outcome, Permit, Position, Snapshot, Span, Transition};
use proptest::{prelude::*, test_runner::TestCaseError};

use crate::{
    cases::{Op, Written},
    model::{Model, Moved, rules::Rules},
    reading::read,
    step::{Answer, By, Step},
};

/// The two of them.
pub(crate) struct Pair {
    clock: ManualClock,
    now: u64,
    breaker: Arc<Breaker>,
    model: Model,
    rules: Rules,
    out: Vec<Out>,
    saved: Vec<Snapshot>,
    told: Arc<Mutex<Vec<Transition>>>,
}

/// A call that is out.
struct Out {
    permit: Permit<Arc<Breaker>>,
    epoch: u32,
    since: u64,
}

/// What a step was and what came of it; nothing for the clock, and for a permit where none is out.
type Told = Option<(By, Answer)>;

impl Pair {
    pub(crate) fn new(written: &Written, seed: u64) -> Self {
        let clock = ManualClock::new();
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&told);
        let breaker = Breaker::with("pair", written.policy(), Arc::new(clock.clone()), Some(seed))
            .on_transition(move |moved| log.lock().expect("a log").push(*moved));
        let rules = read(written);
        Self {
            clock,
            now: 0,
            breaker: Arc::new(breaker),
            model: Model::new(rules.clone(), seed),
            rules,
            out: Vec::new(),
            saved: Vec::new(),
            told,
        }
    }

    /// Does one thing to both. The step, unless only the clock was moved.
    pub(crate) fn step(&mut self, op: &Op) -> Result<Option<Step>, TestCaseError> {
        let from = self.model.position();
        let told = self.carry_out(op)?;
        let moved = self.compare()?;
        Ok(told.map(|(by, answer)| Step {
            from,
            by,
            answer,
            to: self.model.position(),
            reason: moved.and_then(|moved| moved.reason),
            moved: moved.is_some(),
        }))
    }

    fn carry_out(&mut self, op: &Op) -> Result<Told, TestCaseError> {
        let now = self.now;
        Ok(match op {
            Op::Pass(nanos) => self.at(now.saturating_add(*nanos)),
            Op::Back(nanos) => self.at(now.saturating_sub(*nanos)),
            Op::Jump(nanos) => self.at(*nanos),
            Op::Acquire => Some((By::Acquire, self.acquire()?)),
            Op::Settle(nth, outcome, took) => self.take(*nth).map(|out| self.settle(out, *outcome, *took)),
            Op::Drop(nth) => self.take(*nth).map(|out| self.abandon(out)),
            Op::Trip(span) => {
                let taken = self.breaker.trip(span.map(Duration::from_nanos)).is_ok();
                prop_assert_eq!(taken, self.model.trip(*span, now));
                Some(if taken { (By::Trip, Answer::Taken) } else { (By::TripTooLong, Answer::Refused) })
            }
            Op::Reset => {
                self.breaker.reset();
                self.model.reset();
                Some((By::Reset, Answer::Taken))
            }
            Op::ForceOpen => {
                self.breaker.force_open();
                self.model.force(Position::ForcedOpen, now);
                Some((By::ForceOpen, Answer::Taken))
            }
            Op::ForceClosed => {
                self.breaker.force_closed();
                self.model.force(Position::ForcedClosed, now);
                Some((By::ForceClosed, Answer::Taken))
            }
            Op::Automatic => {
                self.breaker.automatic();
                self.model.automatic(now);
                Some((By::Automatic, Answer::Taken))
            }
            Op::Save => {
                self.saved.push(self.breaker.snapshot());
                None
            }
            Op::Recall(_) if self.saved.is_empty() => None,
            Op::Recall(nth) => {
                let saved = self.saved[nth % self.saved.len()].clone();
                Some(self.restore(&saved)?)
            }
            Op::Restore(snapshot) => Some(self.restore(snapshot)?),
        })
    }

    fn at(&mut self, now: u64) -> Told {
        self.now = now;
        self.clock.set(Duration::from_nanos(now));
        None
    }

    fn acquire(&mut self) -> Result<Answer, TestCaseError> {
        match (self.breaker.acquire_owned(), self.model.acquire(self.now)) {
            (Ok(permit), Ok(epoch)) => {
                self.out.push(Out { permit, epoch, since: self.now });
                Ok(Answer::Granted)
            }
            (Err(error), Err((reason, retry_after))) => {
                prop_assert_eq!(error.reason, reason);
                prop_assert_eq!(error.retry_after.map(Span::as_nanos), retry_after);
                Ok(Answer::Rejected(reason))
            }
            (answer, expected) => {
                Err(TestCaseError::fail(format!("{answer:?} where {expected:?} was expected")))
            }
        }
    }

    fn take(&mut self, nth: usize) -> Option<Out> {
        (!self.out.is_empty()).then(|| self.out.swap_remove(nth % self.out.len()))
    }

    fn settle(&mut self, out: Out, outcome: Outcome, took: Option<u64>) -> (By, Answer) {
        match took {
            Some(took) => out.permit.record_took(outcome, Duration::from_nanos(took)),
            None => out.permit.record(outcome),
        }
        let took = took.unwrap_or(self.now.saturating_sub(out.since));
        let slow = self.rules.slow_call.is_some_and(|limit| took >= limit);
        let by = match outcome {
            Outcome::Success if slow => By::SlowSuccess,
            Outcome::Success => By::Success,
            Outcome::Failure => By::Failure,
            Outcome::Ignored => By::Ignored,
            Outcome::Cancelled => By::Cancelled,
        };
        self.recorded(by, out.epoch, outcome, took)
    }

    fn abandon(&mut self, out: Out) -> (By, Answer) {
        drop(out.permit);
        let took = self.now.saturating_sub(out.since);
        self.recorded(By::Dropped, out.epoch, Outcome::Cancelled, took)
    }

    fn recorded(&mut self, by: By, epoch: u32, outcome: Outcome, took: u64) -> (By, Answer) {
        let long = self.rules.abandon_after.is_some_and(|limit| took >= limit);
        if !self.model.record(epoch, outcome, took, self.now) {
            (By::Late, Answer::Late)
        } else if outcome == Outcome::Cancelled && long {
            (By::Abandoned, Answer::Taken)
        } else {
            (by, Answer::Taken)
        }
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(By, Answer), TestCaseError> {
        let taken = self.breaker.restore(snapshot).is_ok();
        prop_assert_eq!(taken, self.model.restore(snapshot, self.now));
        if !taken {
            return Ok((By::RestoreBad, Answer::Refused));
        }
        let stood = match (snapshot.r#override.as_deref(), snapshot.state.as_str()) {
            (Some("forced_open"), _) => Position::ForcedOpen,
            (Some(_), _) => Position::ForcedClosed,
            (None, "closed") => Position::Closed,
            (None, "open") => Position::Open,
            (None, _) => Position::HalfOpen,
        };
        Ok((By::Restore(stood), Answer::Taken))
    }

    /// Everything that can be seen. The transition, if there was one: never more in one step, each told
    /// once, with the next epoch.
    fn compare(&mut self) -> Result<Option<Moved>, TestCaseError> {
        let told: Vec<Moved> = std::mem::take(&mut *self.told.lock().expect("a log"))
            .into_iter()
            .map(|moved| Moved { from: moved.from, to: moved.to, reason: moved.reason, epoch: moved.epoch })
            .collect();
        prop_assert_eq!(&told, &self.model.moves());
        prop_assert!(told.len() <= 1);
        prop_assert_eq!(self.breaker.state(), self.model.position());
        prop_assert_eq!(self.breaker.reason(), self.model.reason());
        prop_assert_eq!(self.breaker.late(), self.model.late());
        prop_assert_eq!(self.breaker.retry_after().map(Span::as_nanos), self.model.retry_after(self.now));
        prop_assert_eq!(self.breaker.snapshot(), self.model.snapshot(self.now));
        Ok(told.first().copied())
    }
}
