//! Models of the cells for loom: each runs every interleaving of a few operations (up to three
//! preemptions, where nothing else is said) and holds an invariant against each; loads may answer
//! whatever the memory orderings allow. Run by `make models`.
//!
//! | file | invariants |
//! | --- | --- |
//! | `probes` | one probe opens a half-open epoch; never more are out than may be; none is lost or answered twice |
//! | `transitions` | one transition per epoch; what is of an epoch that is over changes nothing; a deadline stays with its state |
//! | `windows` | no outcome is counted twice or lost, but for those in flight; a late mark never replaces a newer one |
//! | `budget` | a token is taken once, and no time mints twice |

mod budget;
mod probes;
mod transitions;
mod windows;

use loom::{
    model::Builder,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use super::breaker::BreakerCells;
use crate::kernel::{
    breaker::Command,
    call::Pass,
    outcome::{Outcome, Position},
    policy::{BreakerDraft, BreakerPolicy},
    time::{Instant, Span},
};

fn check(model: impl Fn() + Send + Sync + 'static) {
    check_up_to(3, model);
}

/// With fewer preemptions, for models of three threads.
fn check_up_to(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// A policy that one failure opens for 10 ms, and whose probes are lost after 50 ms.
fn policy(change: impl FnOnce(BreakerDraft) -> BreakerDraft) -> BreakerPolicy {
    let millis = std::time::Duration::from_millis;
    let draft = BreakerPolicy::consecutive_failures(1).cooldown(millis(10)).cooldown_jitter(0.0);
    change(draft.probe_timeout(millis(50))).build().expect("the policy is valid")
}

/// A breaker and the number of its transitions.
#[derive(Clone)]
struct Shared {
    cells: Arc<BreakerCells>,
    policy: BreakerPolicy,
    moves: Arc<AtomicU32>,
    /// What each draw gives.
    draw: u64,
}

impl Shared {
    fn new(policy: BreakerPolicy) -> Self {
        Self {
            cells: Arc::new(BreakerCells::new(&policy)),
            policy,
            moves: Arc::new(AtomicU32::new(0)),
            draw: 0,
        }
    }

    fn acquire(&self, now: u64) -> Option<Pass> {
        let moved = |_| self.count_move();
        self.cells.acquire(&self.policy, at(now), || self.draw, moved).ok()
    }

    fn record(&self, pass: Pass, outcome: Outcome, now: u64) -> bool {
        let moved = |_| self.count_move();
        self.cells.record(&self.policy, pass, outcome, Span::ZERO, at(now), || self.draw, moved)
    }

    /// Records a success, quickly where that can be.
    fn succeed(&self, pass: Pass, now: u64) {
        if !self.cells.record_quickly(pass, || at(now)) {
            self.record(pass, Outcome::Success, now);
        }
    }

    fn command(&self, command: Command, now: u64) {
        let moved = |_| self.count_move();
        self.cells.command(&self.policy, command, at(now), moved);
    }

    fn spawn<T: 'static>(&self, run: impl FnOnce(Self) -> T + 'static) -> thread::JoinHandle<T> {
        let own = self.clone();
        thread::spawn(move || run(own))
    }

    /// Both at once, each on a thread of its own: loom looks for more orders between two threads that it
    /// started than between one and the model's own.
    fn race<A: 'static, B: 'static>(
        &self,
        one: impl FnOnce(Self) -> A + 'static,
        other: impl FnOnce(Self) -> B + 'static,
    ) -> (A, B) {
        let (one, other) = (self.spawn(one), self.spawn(other));
        (one.join().unwrap(), other.join().unwrap())
    }

    fn count_move(&self) {
        self.moves.fetch_add(1, Ordering::SeqCst);
    }

    fn moves(&self) -> u32 {
        self.moves.load(Ordering::SeqCst)
    }
}
