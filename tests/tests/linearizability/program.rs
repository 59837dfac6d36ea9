//! What the threads of one history are to do: drawn from a seed, so that each thread can work its own
//! part out for itself.
//!
//! A program has phases. Time moves between them; within one, the `now`s of all operations differ by
//! less than a cooldown and less than a probe timeout, as the readings of one clock would.

use std::time::Duration;

use overcurrent::{
    BreakerPolicy, OpenReason, Outcome, Position, Span,
    kernel::{breaker::Command, random},
};

const MILLI: u64 = 1_000_000;
const COOLDOWN: Duration = Duration::from_millis(10);

/// An operation before it is carried out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Acquire,
    /// Ends the n-th of the calls that the thread has been admitted to, modulo their number; asks for
    /// admission where there is none.
    Record(usize, Outcome, u64),
    Command(Command),
    State,
    LateCount,
    Snapshot,
}

/// How an operation goes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Through the breaker, with a `now`.
    Plain,
    /// As a permit does: without a `now` where that is possible.
    Quick,
    /// Through the breaker's cells, with a jitter of nothing that takes its time to be drawn: between
    /// the state and its deadline.
    Stretched,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned {
    pub(crate) step: Step,
    pub(crate) route: Route,
    /// Nanoseconds since the creation of the breaker.
    pub(crate) now: u64,
    /// Whether others are let in while it is under way, as far as that can be done from outside.
    pub(crate) pauses: bool,
}

#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) policy: BreakerPolicy,
    /// Whether operations may pause: where threads have no core each, they would not overlap otherwise.
    pub(crate) paused: bool,
    /// By phase and thread.
    pub(crate) phases: Vec<Vec<Vec<Planned>>>,
}

/// A stream of draws.
#[derive(Debug)]
struct Dice {
    seed: u64,
    draws: u64,
}

impl Dice {
    /// A number below `count`.
    fn below(&mut self, count: u64) -> u64 {
        self.draws += 1;
        random::between(random::draw(self.seed, self.draws), 0, count - 1)
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        let count = u64::try_from(choices.len()).expect("a slice is not that long");
        choices[usize::try_from(self.below(count)).expect("below its length")]
    }
}

impl Program {
    /// The `number`-th program of `threads` threads.
    pub(crate) fn new(seed: u64, number: u64, threads: usize) -> Self {
        let mut dice = Dice { seed: random::mix(random::mix(seed) ^ number), draws: 0 };
        let (stretched, paused) = (dice.below(3) == 0, dice.below(4) == 0);
        let policy = policy(&mut dice, stretched);
        let mut base = 0;
        let phases = (0..dice.one_of(&[2, 3, 4, 5])).map(|_| {
            base += dice.one_of(&[0, 4, 10, 11, 25, 45]) * MILLI + dice.one_of(&[0, 0, MILLI / 3]);
            // In half of the phases time stands still.
            let skews: &[u64] = if dice.below(2) == 0 { &[0] } else { &[0, 1, 3, 7] };
            let part = |_| part(&mut dice, |dice| base + dice.one_of(skews) * MILLI, stretched, paused);
            (0..threads).map(part).collect()
        });
        let phases = phases.collect();
        Self { policy, paused, phases }
    }
}

/// What one thread does in a phase.
fn part(dice: &mut Dice, now: impl Fn(&mut Dice) -> u64, stretched: bool, paused: bool) -> Vec<Planned> {
    (0..=dice.below(3))
        .map(|_| Planned {
            step: step(dice),
            route: if stretched { Route::Stretched } else { dice.one_of(&[Route::Plain, Route::Quick]) },
            now: now(dice),
            pauses: paused && dice.below(2) == 0,
        })
        .collect()
}

fn step(dice: &mut Dice) -> Step {
    match dice.below(40) {
        0..16 => Step::Acquire,
        16..30 => {
            let rare = [Outcome::Ignored, Outcome::Cancelled];
            let often = [Outcome::Success, Outcome::Failure];
            let outcome = if dice.below(6) == 0 { dice.one_of(&rare) } else { dice.one_of(&often) };
            Step::Record(dice.one_of(&[0, 1, 2]), outcome, dice.one_of(&[0, 5 * MILLI]))
        }
        30..32 => {
            let spans = [None, Some(Span::from_millis(3)), Some(Span::from_millis(30))];
            Step::Command(Command::Trip(dice.one_of(&spans)))
        }
        32 => Step::Command(Command::Reset),
        33 => Step::Command(dice.one_of(&[Command::ForceOpen, Command::ForceClosed])),
        34..36 => Step::Command(Command::Automatic),
        36 => Step::Command(restore(dice)),
        37 => Step::State,
        38 => Step::LateCount,
        _ => Step::Snapshot,
    }
}

fn restore(dice: &mut Dice) -> Command {
    let opens = dice.one_of(&[0, 1, 3]);
    if dice.below(2) == 0 {
        let remaining = dice.one_of(&[Span::ZERO, Span::from_millis(6)]);
        let reason = Some(OpenReason::FailureRate);
        Command::Restore { position: Position::Open, opens, reason, remaining }
    } else {
        Command::Restore { position: Position::Closed, opens, reason: None, remaining: Span::ZERO }
    }
}

/// One that trips by failures in a row only; a window is there to be counted in, and never full.
fn policy(dice: &mut Dice, stretched: bool) -> BreakerPolicy {
    let mut count = || dice.one_of(&[1, 1, 2, 3]);
    let (close_after, reopen_after) = (count(), count());
    let probes = count().min(close_after + reopen_after - 1);
    let draft = BreakerPolicy::consecutive_failures(dice.one_of(&[1, 1, 1, 2, 3]))
        .cooldown(COOLDOWN)
        .cooldown_max(3 * COOLDOWN)
        .cooldown_jitter(if stretched { 0.000_001 } else { 0.0 })
        .probes(probes)
        .close_after(close_after)
        .reopen_after(reopen_after)
        .probe_timeout(2 * COOLDOWN);
    let draft = if dice.below(4) == 0 { draft.abandon_after(COOLDOWN / 2) } else { draft };
    let draft = match dice.below(3) {
        0 => draft,
        1 => draft.call_window(1_000).minimum_calls(1_000),
        _ => draft.bucketed_window(4 * COOLDOWN, 4).minimum_calls(1_000),
    };
    draft.build().expect("the policy is valid")
}
