//! A breaker in memory: one run of 64-bit words.
//!
//! | index | word | bits, low to high | written by |
//! | --- | --- | --- | --- |
//! | 0 | state | see [`State`] | every transition and probe, by CAS |
//! | 1 | deadline | see [`Deadline`] | whoever won the transition; a reader that finds it missing |
//! | 2 | consecutive | failures in a row 32, epoch 32 | failures; a success only where it is not zero |
//! | 3 | newest | see the time window | the first outcome of a tick |
//! | 4 | base | see the call window | whoever won the transition |
//! | 5 | successes | total | one add per success |
//! | 6 | quick | total 32 | successes of a runtime that adds in place |
//! | 7 | failures | total | failures |
//! | 8 | slow | total | slow outcomes |
//! | 9 | late | total | outcomes of an epoch that was over |
//! | 10… | window | marks (time) or rings (calls) | see there |
//!
//! The state word decides everything: its CAS is the transition. Every other word carries the epoch it
//! belongs to, so what a slow writer leaves behind is recognised as old, and what a dead one did not
//! write is made up for by the next reader.
//!
//! What may wrap: the epoch after 2³² transitions (136 years at one a second); a permit would have to
//! be held for exactly that many to be taken for a new one. The tag of a deadline after 2¹⁹ of them: a
//! thread would have to sleep between two instructions for exactly that many.

use std::cmp::Ordering as Age;

use super::{
    call_window::CallWindow,
    sync::{AtomicU64, Ordering},
    tallies::Tallies,
    time_window::{MARK_WORDS, TimeWindow},
};
use crate::kernel::{
    breaker::{Admission, Answer, Arrival, Command, Deadline, Move, State, epoch_of},
    call::{Pass, Rejection},
    outcome::{OpenReason, Outcome, Position, RejectReason},
    policy::{breaker::BreakerPolicy, window::Window},
    time::{Instant, Ppm, Span},
    window::Counts,
};

/// The index of each word in front of the window.
pub mod layout {
    /// The state word.
    pub const STATE: usize = 0;
    /// The deadline of the state.
    pub const DEADLINE: usize = 1;
    /// Failures in a row.
    pub const CONSECUTIVE: usize = 2;
    /// The newest tick of a time window.
    pub const NEWEST: usize = 3;
    /// The start of the epoch of a call window.
    pub const BASE: usize = 4;
    /// All successes.
    pub const SUCCESSES: usize = 5;
    /// Successes added in place by a runtime of its own.
    pub const QUICK: usize = 6;
    /// All failures.
    pub const FAILURES: usize = 7;
    /// All slow outcomes.
    pub const SLOW: usize = 8;
    /// All late outcomes.
    pub const LATE: usize = 9;
    /// The first word of the window.
    pub const WINDOW: usize = 10;
}

/// A transition that has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Where the breaker stood.
    pub from: Position,
    /// Where it stands now.
    pub to: Position,
    /// Why, where it opened.
    pub reason: Option<OpenReason>,
    /// The epoch that began with it.
    pub epoch: u32,
}

/// What a breaker looks like at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The state.
    pub state: State,
    /// Its deadline.
    pub deadline: Instant,
}

/// A breaker in memory.
#[derive(Debug)]
pub struct BreakerCells {
    words: Box<[AtomicU64]>,
    slow_ring: usize,
}

impl BreakerCells {
    /// A closed breaker with nothing counted, with room for the policy's window.
    pub fn new(policy: &BreakerPolicy) -> Self {
        let (window, slow) = match &policy.window {
            None => (0, 0),
            Some(rules) => match rules.window {
                Window::Time { buckets, .. } => (buckets as usize * MARK_WORDS, 0),
                Window::Calls { calls } => {
                    let slow =
                        if policy.slow_call.is_some() { ring_length(calls, rules.slow_rate) } else { 0 };
                    (ring_length(calls, rules.failure_rate) + slow, slow)
                }
            },
        };
        let length = layout::WINDOW + window;
        let words: Box<[AtomicU64]> = (0..length).map(|_| AtomicU64::new(0)).collect();
        let cells = Self { words, slow_ring: length - slow };
        cells.word(layout::STATE).store(State::NEW.pack(), Ordering::Release);
        cells
            .word(layout::DEADLINE)
            .store(Deadline::of(State::NEW.epoch, Instant::ZERO).pack(), Ordering::Release);
        cells.word(layout::BASE).store(u64::from(State::NEW.epoch) << 48, Ordering::Release);
        cells
    }

    /// The words, for a runtime that reads them in place.
    pub fn words(&self) -> &[AtomicU64] {
        &self.words
    }

    #[inline]
    fn word(&self, index: usize) -> &AtomicU64 {
        &self.words[index]
    }

    #[inline]
    fn state_word(&self) -> u64 {
        // ORDERING: acquire pairs with the release of each transition, so that a reader of the new
        // state also sees what its writer had written before.
        self.word(layout::STATE).load(Ordering::Acquire)
    }

    #[inline]
    fn tallies(&self) -> Tallies<'_> {
        Tallies {
            successes: self.word(layout::SUCCESSES),
            quick: self.word(layout::QUICK),
            failures: self.word(layout::FAILURES),
            slow: self.word(layout::SLOW),
        }
    }

    fn time_window(&self) -> TimeWindow<'_> {
        TimeWindow { newest: self.word(layout::NEWEST), marks: &self.words[layout::WINDOW..] }
    }

    fn call_window(&self, calls: u32) -> CallWindow<'_> {
        CallWindow {
            calls: u64::from(calls),
            base: self.word(layout::BASE),
            failures: &self.words[layout::WINDOW..self.slow_ring],
            slow: &self.words[self.slow_ring..],
        }
    }

    /// The pass of a call, if the breaker is closed: one load.
    #[inline]
    pub fn pass(&self) -> Option<Pass> {
        let word = self.state_word();
        State::unpack(word).passes().then(|| Pass { epoch: epoch_of(word) })
    }

    /// Asks for admission at `now`. `moved` hears of a transition.
    ///
    /// # Errors
    /// The rejection.
    pub fn acquire(
        &self,
        policy: &BreakerPolicy,
        now: Instant,
        draw: impl Fn() -> u64,
        moved: impl FnOnce(Transition),
    ) -> Result<Pass, Rejection> {
        loop {
            let word = self.state_word();
            let state = State::unpack(word);
            if state.passes() {
                return Ok(Pass { epoch: state.epoch });
            }
            let Some(deadline) = self.deadline(state, policy, now) else { continue };
            match state.acquire(deadline, policy, now) {
                Admission::Pass => return Ok(Pass { epoch: state.epoch }),
                Admission::Reject(reason, retry_after) => return Err(Rejection { reason, retry_after }),
                Admission::Probe(next, lost_at) => {
                    // The deadline moves on before the grant, so that nobody finds the probes both all
                    // out and already lost.
                    self.extend(state.epoch, lost_at.max(deadline));
                    if self.swap(word, next) {
                        return Ok(Pass { epoch: state.epoch });
                    }
                }
                Admission::Turn(turn) => {
                    if let Some((to, _)) = self.turn(word, turn, policy, now, &draw) {
                        moved(transition(state, to));
                        return Ok(Pass { epoch: to.epoch });
                    }
                }
                Admission::Lost(turn) => {
                    if let Some((to, until)) = self.turn(word, turn, policy, now, &draw) {
                        moved(transition(state, to));
                        let retry_after = Some(until.since(now));
                        return Err(Rejection { reason: RejectReason::Open, retry_after });
                    }
                }
            }
        }
    }

    /// Records a success that was not slow without asking for the time, where that can be done: it is
    /// one add. `false` where it cannot; then [`Self::record`] must.
    #[inline]
    pub fn record_quickly(&self, policy: &BreakerPolicy, pass: Pass) -> bool {
        let word = self.state_word();
        let timed = matches!(&policy.window, Some(rules) if matches!(rules.window, Window::Time { .. }));
        // ORDERING: relaxed; a failure that is only just being counted may be ordered after this
        // success.
        let clear = self.word(layout::CONSECUTIVE).load(Ordering::Relaxed) & u64::from(u32::MAX) == 0;
        let quick = !timed && clear && epoch_of(word) == pass.epoch && State::unpack(word).passes();
        if quick && policy.window.is_some() {
            self.tallies().success();
        }
        quick
    }

    /// Records what became of an admitted call that took `took` and ended at `now`. `moved` hears of a
    /// transition. `false` if the outcome came late and changed nothing.
    #[expect(clippy::too_many_arguments, reason = "what a record is made of; the live breaker bundles it")]
    pub fn record(
        &self,
        policy: &BreakerPolicy,
        pass: Pass,
        outcome: Outcome,
        took: Span,
        now: Instant,
        draw: impl Fn() -> u64,
        moved: impl FnOnce(Transition),
    ) -> bool {
        let outcome = policy.judged(outcome, took);
        let slow = policy.is_slow(took);
        loop {
            let word = self.state_word();
            let state = State::unpack(word);
            if state.epoch != pass.epoch {
                return self.late();
            }
            match state.position {
                Position::Open | Position::ForcedOpen => return self.late(),
                Position::Closed | Position::ForcedClosed => {
                    let (Outcome::Success | Outcome::Failure) = outcome else { return true };
                    let failed = outcome == Outcome::Failure;
                    let Some((consecutive, counts)) = self.count(policy, pass.epoch, failed, slow, now)
                    else {
                        return self.late();
                    };
                    if (failed || slow) && state.position == Position::Closed {
                        self.test(policy, word, consecutive, counts, now, &draw, moved);
                    }
                    return true;
                }
                Position::HalfOpen => match state.answered(outcome, slow, policy, now) {
                    Answer::Count(next) => {
                        if self.swap(word, next) {
                            return true;
                        }
                    }
                    Answer::Turn(turn) => {
                        if let Some((to, _)) = self.turn(word, turn, policy, now, &draw) {
                            moved(transition(state, to));
                            return true;
                        }
                    }
                },
            }
        }
    }

    fn late(&self) -> bool {
        // ORDERING: relaxed; a counter that is only read.
        self.word(layout::LATE).fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Counts an outcome while closed; answers what the tests need: the failures in a row and what the
    /// window holds. `None` if the epoch is over.
    fn count(
        &self,
        policy: &BreakerPolicy,
        epoch: u32,
        failed: bool,
        slow: bool,
        now: Instant,
    ) -> Option<(u32, Counts)> {
        let consecutive = self.count_consecutive(epoch, failed)?;
        let tallies = self.tallies();
        let Some(rules) = &policy.window else { return Some((consecutive, Counts::default())) };
        let tick = match rules.window {
            Window::Time { .. } => self.time_window().enter(epoch, rules.window.tick(now), tallies)?,
            Window::Calls { .. } => 0,
        };
        let nth_failure = if failed {
            tallies.failure()
        } else {
            tallies.success();
            0
        };
        let nth_slow = if slow { tallies.slow() } else { 0 };
        if !failed && !slow {
            return Some((consecutive, Counts::default()));
        }
        match rules.window {
            Window::Time { .. } => Some((consecutive, self.time_window().counts(epoch, tick, tallies))),
            Window::Calls { calls } => {
                let window = self.call_window(calls);
                let number = tallies.total();
                if failed {
                    CallWindow::note(window.failures, nth_failure, number);
                }
                if slow {
                    CallWindow::note(window.slow, nth_slow, number);
                }
                Some((consecutive, window.counts(epoch, tallies)?))
            }
        }
    }

    fn count_consecutive(&self, epoch: u32, failed: bool) -> Option<u32> {
        let cell = self.word(layout::CONSECUTIVE);
        // ORDERING: relaxed; the word carries its epoch and guards no other data.
        let mut seen = cell.load(Ordering::Relaxed);
        loop {
            let ahead = epoch_of(seen).wrapping_sub(epoch).cast_signed();
            if ahead > 0 {
                return None;
            }
            let count = if ahead == 0 { count_of(seen) } else { 0 };
            let next = if failed { count.saturating_add(1) } else { 0 };
            if !failed && count_of(seen) == 0 {
                return Some(0);
            }
            let word = u64::from(epoch) << 32 | u64::from(next);
            match cell.compare_exchange_weak(seen, word, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(next),
                Err(now) => seen = now,
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the tail of a record")]
    fn test(
        &self,
        policy: &BreakerPolicy,
        word: u64,
        consecutive: u32,
        counts: Counts,
        now: Instant,
        draw: impl Fn() -> u64,
        moved: impl FnOnce(Transition),
    ) {
        let Some(reason) = policy.verdict(consecutive, counts) else { return };
        let state = State::unpack(word);
        let Some(forgiven_at) = self.deadline(state, policy, now) else { return };
        if let Some((to, _)) = self.turn(word, state.opened(reason, forgiven_at, now), policy, now, draw) {
            moved(transition(state, to));
        }
    }

    /// Carries out an operator's command. `moved` hears of the transition, if it makes one.
    pub fn command(
        &self,
        policy: &BreakerPolicy,
        command: Command,
        now: Instant,
        moved: impl FnOnce(Transition),
    ) {
        loop {
            let word = self.state_word();
            let state = State::unpack(word);
            let Some(deadline) = self.deadline(state, policy, now) else { continue };
            let Some(turn) = state.commanded(command, deadline, policy, now) else { return };
            // No command draws: each says its deadline itself.
            if let Some((to, _)) = self.turn(word, turn, policy, now, || 0) {
                return moved(transition(state, to));
            }
        }
    }

    /// The state and its deadline.
    pub fn read(&self, policy: &BreakerPolicy, now: Instant) -> Reading {
        loop {
            let state = State::unpack(self.state_word());
            if let Some(deadline) = self.deadline(state, policy, now) {
                return Reading { state, deadline };
            }
        }
    }

    /// The state alone: one load.
    pub fn state(&self) -> State {
        State::unpack(self.state_word())
    }

    /// How many outcomes came late.
    pub fn late_count(&self) -> u64 {
        // ORDERING: relaxed; a counter that is only read.
        self.word(layout::LATE).load(Ordering::Relaxed)
    }

    /// Makes room in the lane of successes that are added in place.
    pub fn fold(&self) {
        self.tallies().fold();
    }

    fn swap(&self, from: u64, to: State) -> bool {
        // ORDERING: release pairs with the acquire of `state_word`; acquire on success, so that what
        // follows a transition is not done before it.
        self.word(layout::STATE)
            .compare_exchange(from, to.pack(), Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// The transition: one CAS. Who wins it starts the window anew, draws, and writes the deadline.
    fn turn(
        &self,
        from: u64,
        turn: Move,
        policy: &BreakerPolicy,
        now: Instant,
        draw: impl Fn() -> u64,
    ) -> Option<(State, Instant)> {
        let to = turn.to;
        if !self.swap(from, to) {
            return None;
        }
        if let Some(Window::Calls { calls }) = policy.window.as_ref().map(|rules| rules.window) {
            self.call_window(calls).start(to.epoch, self.tallies());
        }
        let at = match turn.deadline {
            Arrival::At(at) => at,
            Arrival::Cooldown => policy.open_until(to.opens, now, draw),
        };
        self.write_deadline(to.epoch, |_| at);
        Some((to, at))
    }

    /// The deadline of `state`. Where its writer has not come to it, writes the one it would have had
    /// now. `None` if the state is over.
    fn deadline(&self, state: State, policy: &BreakerPolicy, now: Instant) -> Option<Instant> {
        let cell = self.word(layout::DEADLINE);
        // ORDERING: acquire; a deadline of a later epoch is seen together with its state.
        let mut seen = cell.load(Ordering::Acquire);
        loop {
            let deadline = Deadline::unpack(seen);
            match deadline.age(state.epoch) {
                Age::Equal => return Some(deadline.at),
                Age::Greater => return None,
                Age::Less => {
                    let own = Deadline::of(state.epoch, state.deadline_from(policy, now));
                    match cell.compare_exchange(seen, own.pack(), Ordering::AcqRel, Ordering::Acquire) {
                        Ok(_) => return Some(own.at),
                        Err(now) => seen = now,
                    }
                }
            }
        }
    }

    fn extend(&self, epoch: u32, at: Instant) {
        self.write_deadline(epoch, |held| held.map_or(at, |held| held.max(at)));
    }

    /// Writes the deadline of `epoch`, given the one it has already; leaves a later epoch's alone.
    fn write_deadline(&self, epoch: u32, next: impl Fn(Option<Instant>) -> Instant) {
        let cell = self.word(layout::DEADLINE);
        // ORDERING: acquire and release, as for reading a deadline.
        let mut seen = cell.load(Ordering::Acquire);
        loop {
            let deadline = Deadline::unpack(seen);
            let at = match deadline.age(epoch) {
                Age::Greater => return,
                Age::Equal => next(Some(deadline.at)),
                Age::Less => next(None),
            };
            match cell.compare_exchange(
                seen,
                Deadline::of(epoch, at).pack(),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }
}

fn transition(from: State, to: State) -> Transition {
    let reason = to.reason.filter(|_| to.position == Position::Open);
    Transition { from: from.position, to: to.position, reason, epoch: to.epoch }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half of 64 bits")]
const fn count_of(consecutive: u64) -> u32 {
    consecutive as u32
}

/// The places a ring needs: the number of outcomes of a kind at which `rate` of `calls` is reached.
fn ring_length(calls: u32, rate: Ppm) -> usize {
    let reached = (u64::from(calls) * u64::from(rate.parts())).div_ceil(u64::from(Ppm::ONE.parts()));
    usize::try_from(reached.max(1)).unwrap_or(usize::MAX)
}
