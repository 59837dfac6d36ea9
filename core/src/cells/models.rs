//! Models of the cells for loom: each runs every interleaving of a few operations (up to three
//! preemptions) and holds an invariant against each. Run by `make models`.

use loom::{
    model::Builder,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use super::{breaker::BreakerCells, budget::BudgetCells};
use crate::kernel::{
    breaker::Command,
    call::Pass,
    outcome::{OpenReason, Outcome, Position},
    policy::{BreakerDraft, BreakerPolicy, BudgetPolicy},
    time::{Instant, Span},
};

fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
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
}

impl Shared {
    fn new(policy: BreakerPolicy) -> Self {
        Self { cells: Arc::new(BreakerCells::new(&policy)), policy, moves: Arc::new(AtomicU32::new(0)) }
    }

    fn acquire(&self, now: u64) -> Option<Pass> {
        let moved = |_| self.count_move();
        self.cells.acquire(&self.policy, at(now), || 0, moved).ok()
    }

    fn record(&self, pass: Pass, outcome: Outcome, now: u64) -> bool {
        let moved = |_| self.count_move();
        self.cells.record(&self.policy, pass, outcome, Span::ZERO, at(now), || 0, moved)
    }

    fn command(&self, command: Command, now: u64) {
        let moved = |_| self.count_move();
        self.cells.command(&self.policy, command, at(now), moved);
    }

    fn spawn<T: 'static>(&self, run: impl FnOnce(Self) -> T + 'static) -> thread::JoinHandle<T> {
        let own = self.clone();
        thread::spawn(move || run(own))
    }

    fn count_move(&self) {
        self.moves.fetch_add(1, Ordering::SeqCst);
    }

    fn moves(&self) -> u32 {
        self.moves.load(Ordering::SeqCst)
    }
}

/// Whoever comes when the cooldown is over: one probe is granted, one transition made.
#[test]
fn of_two_callers_at_the_end_of_a_cooldown_one_is_the_probe() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft));
        shared.command(Command::Trip(None), 0);
        let other = shared.spawn(|shared| shared.acquire(10).is_some());
        let granted = u32::from(shared.acquire(10).is_some()) + u32::from(other.join().unwrap());
        assert_eq!((granted, shared.moves()), (1, 2));
        assert_eq!(shared.cells.state().probes.out, 1);
    });
}

/// Both saw a reason to open, one opens: the escalation is that of one opening.
#[test]
fn two_failures_trip_once() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft));
        let passes = [shared.acquire(0).unwrap(), shared.acquire(0).unwrap()];
        let other = shared.spawn(move |shared| shared.record(passes[1], Outcome::Failure, 1));
        shared.record(passes[0], Outcome::Failure, 1);
        other.join().unwrap();
        let state = shared.cells.state();
        assert_eq!((shared.moves(), state.opens, state.position), (1, 1, Position::Open));
        assert_eq!(shared.cells.read(&shared.policy, at(1)).deadline, at(11));
    });
}

/// A success from before the opening neither closes nor counts as a probe.
#[test]
fn a_late_success_changes_nothing() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft));
        let (late, fails) = (shared.acquire(0).unwrap(), shared.acquire(0).unwrap());
        let other = shared.spawn(move |shared| shared.record(late, Outcome::Success, 1));
        shared.record(fails, Outcome::Failure, 1);
        let probe = shared.acquire(11);
        other.join().unwrap();
        assert!(probe.is_some());
        let state = shared.cells.state();
        assert_eq!((state.position, state.probes.out), (Position::HalfOpen, 1));
    });
}

/// A probe is given back while two others ask: never more than two are out.
#[test]
fn probes_out_never_exceed_their_limit() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft.probes(2).close_after(2)));
        shared.command(Command::Trip(None), 0);
        let held = shared.acquire(10).unwrap();
        let back = shared.spawn(move |shared| shared.record(held, Outcome::Cancelled, 11));
        let other = shared.spawn(|shared| shared.acquire(11).is_some());
        let mine = shared.acquire(11).is_some();
        let out = shared.cells.state().probes.out;
        assert!(out <= 2, "{out} probes are out");
        let granted = u8::from(mine) + u8::from(other.join().unwrap());
        back.join().unwrap();
        assert_eq!(shared.cells.state().probes.out, granted);
    });
}

/// The probe answers while another caller finds it lost: one of the two decides the epoch.
#[test]
fn an_answer_and_the_loss_of_a_probe_exclude_each_other() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft));
        shared.command(Command::Trip(None), 0);
        let probe = shared.acquire(10).unwrap();
        let other = shared.spawn(|shared| shared.acquire(60).is_some());
        let counted = shared.record(probe, Outcome::Success, 60);
        let admitted = other.join().unwrap();
        let state = shared.cells.state();
        assert_eq!(shared.moves(), 3);
        if counted {
            assert_eq!(state.position, Position::Closed);
        } else {
            assert_eq!((state.position, state.reason), (Position::Open, Some(OpenReason::ProbeTimeout)));
            assert!(!admitted);
        }
    });
}

/// After a reset nothing of the epoch before is left, whatever was just being recorded.
#[test]
fn a_reset_forgets_what_is_being_recorded() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft.consecutive_failures(2)));
        let passes = [shared.acquire(0).unwrap(), shared.acquire(0).unwrap()];
        shared.record(passes[0], Outcome::Failure, 1);
        let other = shared.spawn(move |shared| shared.record(passes[1], Outcome::Failure, 1));
        shared.command(Command::Reset, 1);
        other.join().unwrap();
        assert_eq!(shared.cells.state().position, Position::Closed);
        let pass = shared.acquire(2).unwrap();
        shared.record(pass, Outcome::Failure, 2);
        assert_eq!(shared.cells.state().position, Position::Closed, "one failure in a row is not two");
    });
}

/// Two outcomes of a new tick race to lay its mark; both are counted within what is in flight.
#[test]
fn a_window_moves_on_once_and_loses_no_more_than_is_in_flight() {
    check(|| {
        let window = |draft: BreakerDraft| {
            let draft =
                draft.consecutive_failures(1_000).bucketed_window(std::time::Duration::from_millis(20), 2);
            draft.failure_rate(1.0).minimum_calls(3)
        };
        let shared = Shared::new(policy(window));
        let passes = [(); 3].map(|()| shared.acquire(0).unwrap());
        shared.record(passes[0], Outcome::Failure, 5);
        let other = shared.spawn(move |shared| shared.record(passes[1], Outcome::Failure, 12));
        shared.record(passes[2], Outcome::Failure, 12);
        other.join().unwrap();
        // Whether the third failure was seen by either is a matter of what was in flight; the next
        // one sees all of them.
        if let Some(pass) = shared.acquire(13) {
            shared.record(pass, Outcome::Failure, 13);
        }
        assert_eq!((shared.cells.state().position, shared.moves()), (Position::Open, 1));
    });
}

/// One token, two takers.
#[test]
fn a_token_is_taken_once() {
    check(|| {
        let policy = BudgetPolicy::draft().ratio(0.0).min_per_second(0.0).burst(1).build().unwrap();
        let cells = Arc::new(BudgetCells::new(&policy));
        let other = thread::spawn({
            let cells = Arc::clone(&cells);
            move || cells.withdraw(&policy, at(0))
        });
        let mine = cells.withdraw(&policy, at(0));
        assert!(mine != other.join().unwrap());
    });
}

/// A second brings one token; two takers with different clocks do not make it two.
#[test]
fn time_mints_no_token_twice() {
    check(|| {
        let policy = BudgetPolicy::draft().ratio(0.0).min_per_second(1.0).burst(2).build().unwrap();
        let cells = Arc::new(BudgetCells::new(&policy));
        assert!(cells.withdraw(&policy, at(0)) && cells.withdraw(&policy, at(0)));
        let other = thread::spawn({
            let cells = Arc::clone(&cells);
            move || cells.withdraw(&policy, at(1_000))
        });
        let mine = cells.withdraw(&policy, at(999));
        let granted = u64::from(mine) + u64::from(other.join().unwrap());
        assert!(granted <= 1);
        assert!(granted * 1_000_000 + cells.held() <= 1_000_000, "at most one token in a second");
    });
}
