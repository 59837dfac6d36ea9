//! One thread's part in one history: carries operations out and notes what came of them.

use std::{
    cell::RefCell,
    hint,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use overcurrent::{
    Breaker, Instant, Outcome, Span, Transition,
    kernel::call::{Pass, Rejection},
};

use crate::{
    history::{Answer, Call, Grant, Op},
    program::{Planned, Route, Step},
};

thread_local! {
    /// What the listener was told on this thread.
    static TOLD: RefCell<Vec<Transition>> = const { RefCell::new(Vec::new()) };
}

/// The listener of the breakers.
pub(crate) fn tell(moved: Transition) {
    TOLD.with_borrow_mut(|told| told.push(moved));
}

/// The next stamp of a history.
pub(crate) fn next(stamp: &AtomicU64) -> u64 {
    // ORDERING: sequentially consistent; the stamps are the order that the operations are held to.
    stamp.fetch_add(1, Ordering::SeqCst)
}

pub(crate) struct Worker<'c> {
    stamp: &'c AtomicU64,
    breaker: &'c Breaker,
    held: Vec<Grant>,
    ops: Vec<Op>,
}

impl<'c> Worker<'c> {
    pub(crate) const fn new(stamp: &'c AtomicU64, breaker: &'c Breaker) -> Self {
        Self { stamp, breaker, held: Vec::new(), ops: Vec::new() }
    }

    /// What it did.
    pub(crate) fn into_ops(self) -> Vec<Op> {
        self.ops
    }

    pub(crate) fn carry_out(&mut self, planned: Planned) {
        let call = match planned.step {
            Step::Record(nth, outcome, took) if !self.held.is_empty() => {
                let grant = self.held.swap_remove(nth % self.held.len());
                Call::Record { grant, outcome, took }
            }
            Step::Acquire | Step::Record(..) => Call::Acquire,
            Step::Command(command) => Call::Command(command),
            Step::State => Call::State,
            Step::LateCount => Call::LateCount,
            Step::Snapshot => Call::Snapshot,
        };
        let invoked = next(self.stamp);
        planned.pause();
        let answer = perform(self.breaker, call, planned);
        planned.pause();
        let returned = next(self.stamp);
        if let Answer::Granted(epoch) = answer {
            self.held.push(Grant { epoch, request: invoked });
        }
        self.ops.push(Op { invoked, returned, call, now: planned.now, answer, told: TOLD.take() });
    }
}

impl Planned {
    fn pause(self) {
        if self.pauses {
            thread::yield_now();
        }
    }

    /// A jitter of nothing.
    fn draw(self) -> u64 {
        self.pause();
        for _ in 0..64 {
            hint::spin_loop();
        }
        0
    }

    fn now(self) -> Instant {
        Instant::from_nanos(self.now)
    }
}

fn perform(breaker: &Breaker, call: Call, planned: Planned) -> Answer {
    match call {
        Call::Acquire => match acquire(breaker, planned) {
            Ok(pass) => Answer::Granted(pass.epoch),
            Err(Rejection { reason, retry_after }) => {
                Answer::Rejected(reason, retry_after.map(Span::as_nanos))
            }
        },
        Call::Record { grant, outcome, took } => {
            let pass = Pass { epoch: grant.epoch };
            let counted = record(breaker, planned, pass, outcome, Span::from_nanos(took));
            if counted { Answer::Counted } else { Answer::Late }
        }
        Call::Command(command) => {
            breaker.command_at(command, planned.now());
            Answer::Done
        }
        Call::State => Answer::State(breaker.cells().state()),
        Call::LateCount => Answer::LateCount(breaker.late()),
        Call::Snapshot => Answer::Snapshot(breaker.snapshot_at(planned.now())),
        Call::Audit => {
            let read = breaker.cells().read(breaker.policy(), planned.now());
            Answer::Audit(read.state, read.deadline.as_nanos(), breaker.late())
        }
    }
}

/// Reads everything, when all are done.
pub(crate) fn audit(stamp: &AtomicU64, breaker: &Breaker, now: u64) -> Op {
    let planned = Planned { step: Step::State, route: Route::Plain, now, pauses: false };
    let (invoked, call) = (next(stamp), Call::Audit);
    let answer = perform(breaker, call, planned);
    Op { invoked, returned: next(stamp), call, now, answer, told: TOLD.take() }
}

fn acquire(breaker: &Breaker, planned: Planned) -> Result<Pass, Rejection> {
    let (cells, now) = (breaker.cells(), planned.now());
    match planned.route {
        Route::Plain => breaker.acquire_at(now),
        Route::Quick => cells.pass().map_or_else(|| breaker.acquire_at(now), Ok),
        Route::Stretched => {
            cells.acquire(breaker.policy(), now, || planned.draw(), |turned| tell(turned.transition))
        }
    }
}

fn record(breaker: &Breaker, planned: Planned, pass: Pass, outcome: Outcome, took: Span) -> bool {
    let (cells, now) = (breaker.cells(), planned.now());
    let quick_now = || {
        planned.pause();
        now
    };
    match planned.route {
        Route::Quick if outcome == Outcome::Success && cells.record_quickly(pass, quick_now) => true,
        Route::Plain | Route::Quick => breaker.record_at(pass, outcome, took, now),
        Route::Stretched => {
            let draw = || planned.draw();
            cells.record(breaker.policy(), pass, outcome, took, now, draw, |turned| tell(turned.transition))
        }
    }
}
