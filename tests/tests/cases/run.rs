//! Random runs: what happens to a breaker, one thing after another.
//!
//! A run is drawn at once and shrinks by leaving things out, so that what is left of one that fails is
//! what it takes to fail: without any of it, it would not.

use overcurrent::{Outcome, Snapshot};
use proptest::{
    prelude::{Rng, Strategy},
    strategy::{NewTree, ValueTree},
    test_runner::TestRunner,
};

use crate::cases::{HOUR, MILLI, Op, SECOND};

/// Runs of several phases, in which the dependency is well or ill, and time flies, crawls or stands.
pub(crate) fn runs() -> Runs {
    Runs { phases: 7, probing: false }
}

/// Runs that keep coming back to half-open, where time stands or crawls.
pub(crate) fn probing_runs() -> Runs {
    Runs { phases: 7, probing: true }
}

/// A strategy of runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs {
    /// At most so many phases.
    phases: u64,
    /// Each of them begins half-open.
    probing: bool,
}

/// How it goes for a while.
#[derive(Clone, Copy, Debug)]
struct Mood {
    /// How many of ten calls fail.
    ill: u64,
    /// How many of them take their time.
    slow: u64,
    /// How fast time flies; at 0 it almost stands.
    pace: u64,
    /// How busy the operators are, from 1.
    commands: u64,
}

impl Strategy for Runs {
    type Tree = Run;
    type Value = Vec<Op>;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let rng = runner.rng();
        let mut ops = Vec::new();
        for _ in 0..=rng.next_u64() % self.phases {
            let mut below = |limit| rng.next_u64() % limit;
            let (ill, slow) = (below(11), below(11));
            let mood = if self.probing {
                ops.extend([Op::Trip(Some(MILLI)), Op::Pass(2 * MILLI), Op::Acquire]);
                Mood { ill, slow, pace: below(2), commands: 1 }
            } else {
                Mood { ill, slow, pace: below(5), commands: if below(4) == 3 { 4 } else { 1 } }
            };
            let length = 1 + below(80);
            ops.extend((0..length).map(|_| read(mood, (rng.next_u64(), rng.next_u64(), rng.next_u64()))));
        }
        let size = ops.len().div_ceil(2);
        Ok(Run { ops, size, at: 0, out: None, progress: false })
    }
}

/// A run that can leave out more and more.
#[derive(Debug)]
pub(crate) struct Run {
    ops: Vec<Op>,
    /// How many are left out at once, and the first of them.
    size: usize,
    at: usize,
    /// What was left out last, from `at` on.
    out: Option<Vec<Op>>,
    /// Whether anything could be left out in this round.
    progress: bool,
}

impl Run {
    /// Leaves out the next ones. `false` where every one that is left is needed.
    fn leave_out(&mut self) -> bool {
        while self.at >= self.ops.len() {
            if self.size == 1 && !self.progress || self.ops.is_empty() {
                return false;
            }
            (self.size, self.at, self.progress) = (self.size.div_ceil(2), 0, false);
        }
        let end = self.ops.len().min(self.at + self.size);
        self.out = Some(self.ops.drain(self.at..end).collect());
        true
    }
}

impl ValueTree for Run {
    type Value = Vec<Op>;

    fn current(&self) -> Vec<Op> {
        self.ops.clone()
    }

    fn simplify(&mut self) -> bool {
        // What was left out last was not needed.
        self.progress |= self.out.take().is_some();
        self.leave_out()
    }

    fn complicate(&mut self) -> bool {
        let Some(needed) = self.out.take() else { return false };
        let count = needed.len();
        self.ops.splice(self.at..self.at, needed);
        self.at += count;
        // It fails again now, and is asked for something simpler.
        true
    }
}

/// The one of these that `number` falls on, by their weights.
fn pick<T: Clone>(number: u64, weighted: &[(u64, T)]) -> T {
    let total: u64 = weighted.iter().map(|(weight, _)| weight).sum();
    let mut left = number % total;
    for (weight, one) in weighted {
        if left < *weight {
            return one.clone();
        }
        left -= weight;
    }
    unreachable!("less than the sum of the weights is left")
}

#[derive(Clone, Copy)]
enum Kind {
    Acquire,
    Settle,
    Drop,
    Pass,
    Back,
    Jump,
    Trip,
    Reset,
    ForceOpen,
    ForceClosed,
    Automatic,
    Save,
    Recall,
    Restore,
}

fn read(mood: Mood, (kind, one, other): (u64, u64, u64)) -> Op {
    let Mood { ill, slow, pace, commands } = mood;
    let kinds = [
        (150, Kind::Acquire),
        (140, Kind::Settle),
        (10, Kind::Drop),
        (2 + 20 * pace, Kind::Pass),
        (4, Kind::Back),
        (commands, Kind::Jump),
        (commands, Kind::Trip),
        (commands, Kind::Reset),
        (commands, Kind::ForceOpen),
        (commands, Kind::ForceClosed),
        (5 * commands, Kind::Automatic),
        (commands, Kind::Save),
        (commands, Kind::Recall),
        (commands, Kind::Restore),
    ];
    let nth = usize::try_from(one % 8).expect("less than 8");
    match pick(kind, &kinds) {
        Kind::Acquire => Op::Acquire,
        Kind::Settle => {
            let outcomes = [
                (11 - ill, Outcome::Success),
                (1 + ill, Outcome::Failure),
                (1, Outcome::Ignored),
                (1, Outcome::Cancelled),
            ];
            let took = [
                (2, None),
                (2, Some(0)),
                (1 + slow, Some(1 + other % (300 * MILLI))),
                (1 + slow, Some(other % 300 * MILLI)),
            ];
            Op::Settle(nth, pick(one / 8, &outcomes), pick(other / 1_024, &took))
        }
        Kind::Drop => Op::Drop(nth),
        Kind::Pass => Op::Pass(span(one, other)),
        Kind::Back => Op::Back(span(one, other)),
        Kind::Jump => {
            let readings = [(1, other % (1 << 52)), (1, other), (1, u64::MAX - MILLI / 2), (1, u64::MAX)];
            Op::Jump(pick(one, &readings))
        }
        Kind::Trip => Op::Trip((one % 3 > 0).then(|| span(one / 3, other))),
        Kind::Reset => Op::Reset,
        Kind::ForceOpen => Op::ForceOpen,
        Kind::ForceClosed => Op::ForceClosed,
        Kind::Automatic => Op::Automatic,
        Kind::Save => Op::Save,
        Kind::Recall => Op::Recall(nth),
        Kind::Restore => Op::Restore(snapshot(one, other)),
    }
}

/// From no time at all to more than a day, half of the time in whole milliseconds.
fn span(one: u64, other: u64) -> u64 {
    let longest =
        [(4, 1), (4, 3 * MILLI), (4, 200 * MILLI), (4, 3 * SECOND), (2, 15 * SECOND), (1, 30 * HOUR)];
    let span = other % pick(one, &longest);
    if one >> 32 & 1 == 0 { span } else { span.next_multiple_of(MILLI) }
}

/// A snapshot as another process, or somebody by hand, may have written it; some cannot be.
pub(crate) fn snapshot(one: u64, other: u64) -> Snapshot {
    let parts = [one, one >> 10, one >> 20, one >> 30, one >> 40, one >> 50];
    let states = [(20, "closed"), (20, "open"), (20, "half_open"), (1, "forced_open")];
    let overrides = [(40, None), (10, Some("forced_open")), (10, Some("forced_closed")), (1, Some("closed"))];
    let reasons = [
        (2, None),
        (1, Some("consecutive_failures")),
        (1, Some("failure_rate")),
        (1, Some("slow_rate")),
        (1, Some("probe_failed")),
        (1, Some("probe_timeout")),
        (1, Some("manual")),
    ];
    let remaining =
        [(4, 0), (8, other % (3 * SECOND)), (2, other % (24 * HOUR + 1)), (1, 24 * HOUR), (1, 24 * HOUR + 1)];
    let opens = [(18, other % 7), (6, other % 64), (1, 64)];
    let reason = if parts[4] % 64 == 1 { Some("boredom") } else { pick(parts[4], &reasons) };
    Snapshot {
        version: if parts[5] % 64 == 1 { 2 } else { 1 },
        state: pick(parts[0], &states).to_owned(),
        r#override: pick(parts[1], &overrides).map(str::to_owned),
        remaining_ns: pick(parts[2], &remaining),
        opens: u8::try_from(pick(parts[3], &opens)).expect("64 at most"),
        reason: reason.map(str::to_owned),
    }
}
