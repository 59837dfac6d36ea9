//! A breaker in memory: runs of 64-bit words, placed as [`layout`] says.
//!
//! The state word decides everything: its CAS is the transition. The words beside it carry the epoch
//! they belong to, so what a slow writer leaves behind is recognised as old, and what a dead one did
//! not write is made up for by the next reader.
//!
//! What may wrap: the epoch, after 2³² transitions (without an operator at least 24 days, of nothing
//! but cooldowns of 1 ms); a permit would have to be held for exactly that many to be taken for a new
//! one. The rest is said where each word is described.

use super::{
    call_window::CallWindow,
    layout::{self, Room},
    shards::Shards,
    sync::{AtomicU64, Ordering},
    tagged::{Epoch, Tagged},
    tallies::Tallies,
    time_window::{TimeWindow, covers},
    words::{self, Head},
};
use crate::kernel::{
    breaker::{Admission, Answer, Arrival, Command, Move, State, epoch_of},
    call::{Pass, Rejection},
    outcome::{ChangeReason, OpenReason, Outcome, Position, RejectReason},
    policy::breaker::BreakerPolicy,
    time::{Instant, Span},
    window::{Counts, tick},
};

/// Whole milliseconds: 45 bits hold every instant there is.
const DEADLINE_BITS: u32 = 45;
const CONSECUTIVE_BITS: u32 = 32;
const NEWEST_BITS: u32 = 45;
const BASE_BITS: u32 = 48;

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

/// A transition, and what it was made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turned {
    /// The transition.
    pub transition: Transition,
    /// What it was made for.
    pub why: ChangeReason,
    /// The failures in a row and the window, where a test made it.
    pub tested: Option<(u32, Counts)>,
    /// The deadline of the new state.
    pub until: Instant,
}

/// What a breaker looks like at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The state.
    pub state: State,
    /// Its deadline.
    pub deadline: Instant,
}

/// All outcomes counted while closed, since the breaker was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Successes, slow or not.
    pub successes: u64,
    /// Failures, slow or not.
    pub failures: u64,
    /// Slow outcomes, failed or not.
    pub slow: u64,
}

/// A breaker in memory.
#[derive(Debug)]
#[repr(C)]
pub struct BreakerCells {
    head: Head,
    quick: Quick,
    window: Box<[AtomicU64]>,
    shards: Shards,
}

/// What a quick success has to do; the window in short, so that it decides on one byte.
#[derive(Clone, Copy, Debug)]
enum Quick {
    Nothing,
    Count,
    CountIn { width: Span },
}

/// The window of a breaker.
enum Kept<'c> {
    None,
    Time(TimeWindow<'c>, Span),
    Calls(CallWindow<'c>),
}

impl BreakerCells {
    /// A closed breaker with nothing counted, with room for the policy's window.
    pub fn new(policy: &BreakerPolicy) -> Self {
        let room = Room::of(policy);
        let cells = Self {
            head: Head::zeroed(),
            quick: match room {
                Room::None => Quick::Nothing,
                Room::Marks { width, .. } => Quick::CountIn { width },
                Room::Rings { .. } => Quick::Count,
            },
            window: words::window(room.words()),
            shards: Shards::none(),
        };
        cells.word(layout::STATE).store(State::NEW.pack(), Ordering::Release);
        cells.start(policy, State::NEW.epoch);
        cells.write_deadline(State::NEW.epoch, |_| Instant::ZERO);
        cells
    }

    /// The words of the head, for a runtime that reads them in place.
    pub const fn words(&self) -> &[AtomicU64; layout::HEAD] {
        self.head.words()
    }

    #[inline]
    fn word(&self, index: usize) -> &AtomicU64 {
        self.head.at(index)
    }

    #[inline]
    fn tagged(&self, index: usize, bits: u32) -> Tagged<'_> {
        Tagged { word: self.word(index), bits }
    }

    #[inline]
    fn consecutive(&self) -> Tagged<'_> {
        self.tagged(layout::CONSECUTIVE, CONSECUTIVE_BITS)
    }

    #[inline]
    fn state_word(&self) -> u64 {
        // ORDERING: acquire pairs with the release of each transition, so that a reader of the new
        // state also sees what its writer had written before.
        self.word(layout::STATE).load(Ordering::Acquire)
    }

    fn epoch(&self, number: u32) -> Epoch<'_> {
        Epoch { state: self.word(layout::STATE), number }
    }

    #[inline]
    fn tallies(&self) -> Tallies<'_> {
        Tallies { head: &self.head, shards: &self.shards }
    }

    fn window(&self, policy: &BreakerPolicy) -> Kept<'_> {
        match Room::of(policy) {
            Room::None => Kept::None,
            Room::Marks { width, stride, .. } => {
                let newest = self.tagged(layout::NEWEST, NEWEST_BITS);
                Kept::Time(TimeWindow { newest, marks: &self.window, stride }, width)
            }
            Room::Rings { calls, failures, slow } => Kept::Calls(CallWindow {
                calls: u64::from(calls),
                base: self.tagged(layout::BASE, BASE_BITS),
                places: &self.window,
                failures,
                slow,
            }),
        }
    }

    /// The pass of a call, if the breaker is closed: one load.
    #[inline]
    pub fn pass(&self) -> Option<Pass> {
        let word = self.state_word();
        State::word_passes(word).then(|| Pass { epoch: epoch_of(word) })
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
        moved: impl FnOnce(Turned),
    ) -> Result<Pass, Rejection> {
        if let Some(rejection) = self.held_off(|| now, Span::ZERO) {
            return Err(rejection);
        }
        loop {
            let word = self.state_word();
            let state = State::unpack(word);
            if state.passes() {
                return Ok(Pass { epoch: state.epoch });
            }
            let Some(deadline) = self.deadline(state, policy, now) else { continue };
            match state.acquire(deadline, policy, now) {
                Admission::Pass => return Ok(Pass { epoch: state.epoch }),
                Admission::Reject(rejection) => return Err(rejection),
                Admission::Probe(next, lost_at) => {
                    // The deadline moves on before the grant, so that nobody finds the probes both all
                    // out and already lost.
                    self.write_deadline(state.epoch, |held| held.map_or(lost_at, |held| held.max(lost_at)));
                    if self.swap(word, next) {
                        return Ok(Pass { epoch: state.epoch });
                    }
                }
                Admission::Turn(turn) => {
                    if let Some(turned) = self.turn(word, turn, policy, now, &draw) {
                        moved(turned);
                        return Ok(Pass { epoch: turn.to.epoch });
                    }
                }
                Admission::Lost(turn) => {
                    if let Some(turned) = self.turn(word, turn, policy, now, &draw) {
                        moved(turned);
                        let retry_after = Some(turned.until.since(now));
                        return Err(Rejection { reason: RejectReason::Open, retry_after });
                    }
                }
            }
        }
    }

    /// The rejection of a breaker that is open for a while yet: two loads and a look at a clock, which
    /// may lag behind by `lag`.
    #[inline]
    pub fn held_off(&self, now: impl FnOnce() -> Instant, lag: Span) -> Option<Rejection> {
        let word = self.state_word();
        if !State::word_is_open(word) {
            return None;
        }
        let until = self.tagged(layout::DEADLINE, DEADLINE_BITS).read(epoch_of(word))?;
        State::held_off(Instant::from_millis(until), now(), lag)
    }

    /// Records a success that was not slow, where that is one add at most: nothing is to be cleared,
    /// and a time window has entered the tick of `now` already, which may lag behind the time by less
    /// than a tick. `false` where it is more; then [`Self::record`] must.
    #[inline]
    pub fn record_quickly(&self, pass: Pass, now: impl FnOnce() -> Instant) -> bool {
        let word = self.state_word();
        // A failure that is only just being counted may be ordered after this success.
        let clear = self.consecutive().of_any() == 0;
        if !clear || !State::word_passes(word) || epoch_of(word) != pass.epoch {
            return false;
        }
        match self.quick {
            Quick::Nothing => return true,
            Quick::Count => {}
            Quick::CountIn { width } => {
                if !covers(self.tagged(layout::NEWEST, NEWEST_BITS), pass.epoch, width, now()) {
                    return false;
                }
            }
        }
        self.tallies().success();
        true
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
        moved: impl FnOnce(Turned),
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
                        if let Some(turned) = self.turn(word, turn, policy, now, &draw) {
                            moved(turned);
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
        number: u32,
        failed: bool,
        slow: bool,
        now: Instant,
    ) -> Option<(u32, Counts)> {
        let epoch = self.epoch(number);
        let tested = failed || slow;
        let consecutive = self.count_consecutive(epoch, failed)?;
        let counts = match self.window(policy) {
            Kept::None => Counts::default(),
            Kept::Time(window, width) => {
                let tick = window.enter(epoch, tick(now, width), self.tallies())?;
                self.tally(failed, slow);
                if tested { window.counts(number, tick, self.tallies()) } else { Counts::default() }
            }
            Kept::Calls(window) => {
                let before = if tested { self.tallies().total() } else { 0 };
                let (nth_failure, nth_slow) = self.tally(failed, slow);
                if tested {
                    window.note(before, nth_failure, nth_slow);
                    window.counts(epoch, self.tallies()).unwrap_or_default()
                } else {
                    Counts::default()
                }
            }
        };
        Some((consecutive, counts))
    }

    /// Adds an outcome to the totals; which failure and which slow one it is, from 1.
    fn tally(&self, failed: bool, slow: bool) -> (Option<u64>, Option<u64>) {
        let tallies = self.tallies();
        if !failed {
            tallies.success();
        }
        (failed.then(|| tallies.failure()), slow.then(|| tallies.slow()))
    }

    fn count_consecutive(&self, epoch: Epoch<'_>, failed: bool) -> Option<u32> {
        let next = |held: Option<u64>| match (held, failed) {
            (Some(0), false) => None,
            (_, false) => Some(0),
            (held, true) => Some(held.map_or(1, |held| (held + 1).min(u64::from(u32::MAX)))),
        };
        let update = self.consecutive().update(epoch, next)?;
        u32::try_from(update.now).ok()
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
        moved: impl FnOnce(Turned),
    ) {
        let Some(reason) = policy.verdict(consecutive, counts) else { return };
        let state = State::unpack(word);
        let Some(forgiven_at) = self.deadline(state, policy, now) else { return };
        let turned = self.turn(word, state.opened(reason, forgiven_at, now), policy, now, draw);
        if let Some(turned) = turned {
            moved(Turned { tested: Some((consecutive, counts)), ..turned });
        }
    }

    /// Carries out an operator's command. `moved` hears of the transition, if it makes one.
    pub fn command(
        &self,
        policy: &BreakerPolicy,
        command: Command,
        now: Instant,
        moved: impl FnOnce(Turned),
    ) {
        loop {
            let word = self.state_word();
            let state = State::unpack(word);
            let Some(deadline) = self.deadline(state, policy, now) else { continue };
            let Some(turn) = state.commanded(command, deadline, policy, now) else { return };
            // No command draws: each says its deadline itself.
            if let Some(turned) = self.turn(word, turn, policy, now, || 0) {
                return moved(turned);
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

    /// Counts late outcomes from zero again; for who is alone with it, as the child of a fork is.
    pub fn forget_late(&self) {
        // ORDERING: relaxed; nobody else is there to see it.
        self.word(layout::LATE).store(0, Ordering::Relaxed);
    }

    /// The outcomes counted while closed; only with a window are any counted.
    pub fn totals(&self) -> Totals {
        let tallies = self.tallies();
        Totals { successes: tallies.succeeded(), failures: tallies.failed(), slow: tallies.slowed() }
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
    ) -> Option<Turned> {
        let to = turn.to;
        if !self.swap(from, to) {
            return None;
        }
        self.start(policy, to.epoch);
        let at = match turn.deadline {
            Arrival::At(at) => at,
            Arrival::Cooldown => policy.open_until(to.opens, now, draw),
        };
        // A probe of this epoch may have been granted meanwhile, and have moved the deadline on.
        let half_open = to.position == Position::HalfOpen;
        self.write_deadline(to.epoch, |held| held.filter(|_| half_open).map_or(at, |held| held.max(at)));
        let transition = transition(State::unpack(from), to);
        Some(Turned { transition, why: turn.why, tested: None, until: at })
    }

    /// Starts an epoch: brings the words into it, also where nothing will be counted, so that none lags
    /// behind by as many epochs as its tag can tell apart.
    fn start(&self, policy: &BreakerPolicy, number: u32) {
        let epoch = self.epoch(number);
        self.consecutive().read_or(epoch, || 0);
        match self.window(policy) {
            Kept::None => {}
            Kept::Time(window, _) => window.start(epoch),
            Kept::Calls(window) => {
                window.start(epoch, self.tallies());
            }
        }
    }

    /// The deadline of `state`. Where its writer has not come to it, writes the one it would have had
    /// now. `None` if the state is over.
    fn deadline(&self, state: State, policy: &BreakerPolicy, now: Instant) -> Option<Instant> {
        let first = || state.deadline_from(policy, now).millis();
        self.tagged(layout::DEADLINE, DEADLINE_BITS)
            .read_or(self.epoch(state.epoch), first)
            .map(Instant::from_millis)
    }

    /// Writes the deadline of an epoch, unless it is over, given the one it has already.
    fn write_deadline(&self, number: u32, next: impl Fn(Option<Instant>) -> Instant) {
        let next = |held: Option<u64>| Some(next(held.map(Instant::from_millis)).millis());
        self.tagged(layout::DEADLINE, DEADLINE_BITS).update(self.epoch(number), next);
    }
}

fn transition(from: State, to: State) -> Transition {
    let reason = to.reason.filter(|_| to.position == Position::Open);
    Transition { from: from.position, to: to.position, reason, epoch: to.epoch }
}

#[cfg(all(test, not(overcurrent_loom)))]
mod tests;
