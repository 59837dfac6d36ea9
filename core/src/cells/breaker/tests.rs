//! The cells of a breaker on their own: small enough to be run under an interpreter of memory accesses,
//! with many schedules.

use std::{
    sync::atomic::{AtomicU32, AtomicU64},
    thread,
    time::Duration,
};

use super::*;
use crate::kernel::{breaker::epoch_of, policy::BreakerDraft};

fn cells(draft: BreakerDraft) -> (BreakerPolicy, BreakerCells) {
    let draft = draft.cooldown(Duration::from_millis(10)).cooldown_jitter(0.0);
    let policy = draft.probe_timeout(Duration::from_millis(50)).build().expect("the policy is valid");
    let cells = BreakerCells::new(&policy);
    (policy, cells)
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// A breaker, its policy and the transitions it told of.
struct Bench {
    policy: BreakerPolicy,
    cells: BreakerCells,
    moves: AtomicU32,
}

impl Bench {
    fn new(draft: BreakerDraft) -> Self {
        let (policy, cells) = cells(draft);
        Self { policy, cells, moves: AtomicU32::new(0) }
    }

    fn told(&self, turned: Turned) {
        let moved = turned.transition;
        self.moves.fetch_add(1, Ordering::Relaxed);
        assert_eq!(moved.reason.is_some(), moved.to == Position::Open);
    }

    fn acquire(&self, now: u64) -> Result<Pass, Rejection> {
        self.cells.acquire(&self.policy, at(now), || 0, |moved| self.told(moved))
    }

    fn record(&self, pass: Pass, outcome: Outcome, now: u64) -> bool {
        self.cells.record(&self.policy, pass, outcome, Span::ZERO, at(now), || 0, |moved| self.told(moved))
    }

    fn command(&self, command: Command, now: u64) {
        self.cells.command(&self.policy, command, at(now), |moved| self.told(moved));
    }

    fn position(&self) -> Position {
        self.cells.state().position
    }
}

#[test]
fn what_is_written_by_each_success_lies_apart_from_what_is_read_by_each_call() {
    let (_, cells) = cells(BreakerPolicy::consecutive_failures(1));
    assert_eq!(epoch_of(cells.words()[layout::STATE].load(Ordering::Relaxed)), State::NEW.epoch);
    let (last_read, first_written) = (&cells.words()[layout::BASE], &cells.words()[layout::SUCCESSES]);
    let ends = std::ptr::from_ref(last_read).addr() + size_of::<AtomicU64>();
    assert!(std::ptr::from_ref(first_written).addr() - (ends - 1) > 64, "wherever a line begins");
}

#[test]
fn a_window_takes_the_room_that_its_policy_needs() {
    let of = |draft| cells(draft).1.window.len();
    let rate = || BreakerPolicy::failure_rate(0.5);
    assert_eq!(of(BreakerPolicy::consecutive_failures(1)), 0);
    assert_eq!(of(rate()), 20, "10 marks of 2 words");
    assert_eq!(of(rate().slow_call(Duration::from_secs(1))), 30, "10 marks of 3 words");
    assert_eq!(of(rate().call_window(16)), 16, "a ring of 8, and 8 to spare");
    assert_eq!(of(rate().call_window(16).slow_call(Duration::from_secs(1))), 40, "and one of 16");
}

#[test]
fn a_success_is_quick_only_where_nothing_is_to_be_done() {
    let bench = Bench::new(BreakerPolicy::failure_rate(0.5).consecutive_failures(5));
    let pass = bench.cells.pass().expect("it is closed");
    let quickly = |now: u64| bench.cells.record_quickly(pass, || at(now));
    assert!(!quickly(0), "no mark is laid yet");
    assert!(bench.record(pass, Outcome::Success, 0));
    assert!(quickly(0) && quickly(999), "in the tick of a mark");
    assert!(!quickly(1_000), "the next tick has none");
    bench.record(pass, Outcome::Failure, 999);
    assert!(!quickly(999), "a failure in a row is to be cleared");
    bench.record(pass, Outcome::Success, 999);
    assert!(quickly(999));
    assert_eq!(bench.cells.totals(), Totals { successes: 5, failures: 1, slow: 0 });
    bench.command(Command::Reset, 999);
    assert!(!quickly(999), "its epoch is over");
    bench.command(Command::ForceOpen, 999);
    assert!(bench.cells.pass().is_none());
}

#[test]
fn without_a_window_a_quick_success_counts_nothing() {
    let bench = Bench::new(BreakerPolicy::consecutive_failures(5));
    let pass = bench.cells.pass().expect("it is closed");
    assert!(bench.cells.record_quickly(pass, || panic!("the time plays no part")));
    assert_eq!(bench.cells.totals(), Totals::default());
}

#[test]
fn a_rejection_is_quick_while_the_clock_is_sure_of_it() {
    let bench = Bench::new(BreakerPolicy::consecutive_failures(1));
    let lag = Span::from_millis(4);
    let held_off = |now: u64| bench.cells.held_off(|| at(now), lag);
    assert_eq!(held_off(0), None, "it is closed");
    bench.command(Command::Trip(None), 0);
    let rejection =
        |millis| Rejection { reason: RejectReason::Open, retry_after: Some(Span::from_millis(millis)) };
    assert_eq!([0, 5].map(held_off), [10, 5].map(|millis| Some(rejection(millis))));
    assert_eq!(held_off(6), None, "the cooldown may be over");
    bench.acquire(10).expect("it is over");
    assert_eq!(held_off(10), None, "it is half-open");
    bench.command(Command::ForceOpen, 10);
    assert_eq!(held_off(0), None, "it has no end");
}

#[test]
fn a_deadline_that_was_never_written_is_made_up_for() {
    let bench = Bench::new(BreakerPolicy::consecutive_failures(1));
    // As a process leaves it that dies right after the transition.
    let open = bench.cells.state().opened(OpenReason::ConsecutiveFailures, at(0), at(0)).to;
    bench.cells.word(layout::STATE).store(open.pack(), Ordering::Release);
    let rejected = bench.acquire(100).expect_err("it is open");
    assert_eq!(rejected.retry_after, Some(Span::from_millis(10)), "as if it had opened now");
    assert!(bench.acquire(109).is_err());
    assert!(bench.acquire(110).is_ok());
}

#[test]
fn words_of_an_epoch_that_nobody_began_are_made_up_for() {
    let drafts = [
        BreakerPolicy::failure_rate(1.0).minimum_calls(2),
        BreakerPolicy::failure_rate(1.0).minimum_calls(2).call_window(4),
        BreakerPolicy::consecutive_failures(2),
    ];
    for draft in drafts {
        let bench = Bench::new(draft);
        let old = bench.cells.pass().expect("it is closed");
        bench.record(old, Outcome::Failure, 1);
        // As a process leaves it that dies right after closing it again.
        let state = State { epoch: 7, ..State::NEW };
        bench.cells.word(layout::STATE).store(state.pack(), Ordering::Release);
        let pass = bench.acquire(2).expect("it is closed");
        assert!(bench.record(pass, Outcome::Failure, 2));
        assert_eq!(bench.position(), Position::Closed, "the failure before does not count");
        assert!(bench.record(pass, Outcome::Failure, 3));
        // Where the base of a window of calls was not laid, the first failure lays it behind itself.
        let counts_the_first = !matches!(bench.cells.quick, Quick::Count);
        let expected = if counts_the_first { Position::Open } else { Position::Closed };
        assert_eq!(bench.position(), expected);
        assert!(!bench.record(old, Outcome::Failure, 3));
        assert_eq!(bench.cells.late_count(), 1);
    }
}

#[test]
fn two_threads_at_the_end_of_a_cooldown_get_one_probe() {
    let bench = Bench::new(BreakerPolicy::consecutive_failures(1));
    for round in 0..5 {
        bench.command(Command::Trip(None), round * 100);
        let granted: usize = thread::scope(|scope| {
            let ask = || usize::from(bench.acquire(round * 100 + 10).is_ok());
            [scope.spawn(ask), scope.spawn(ask)]
                .map(|one| one.join().expect("it does not panic"))
                .iter()
                .sum()
        });
        assert_eq!((granted, bench.cells.state().probes.out), (1, 1));
    }
    assert_eq!(bench.moves.into_inner(), 10);
}

#[test]
fn threads_that_fail_at_once_open_it_once() {
    for draft in [
        BreakerPolicy::consecutive_failures(2),
        BreakerPolicy::failure_rate(1.0).minimum_calls(2),
        BreakerPolicy::failure_rate(1.0).minimum_calls(2).call_window(4),
    ] {
        let bench = Bench::new(draft);
        let counted = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let Ok(pass) = bench.acquire(1) else { return };
                    let in_time = bench.record(pass, Outcome::Failure, 1);
                    counted.fetch_add(u64::from(in_time), Ordering::Relaxed);
                });
            }
        });
        // In a window each may have missed the others; one more sees them all.
        if let Some(pass) = bench.cells.pass() {
            bench.record(pass, Outcome::Failure, 1);
        }
        assert_eq!((bench.position(), bench.moves.load(Ordering::Relaxed)), (Position::Open, 1));
        assert!(counted.into_inner() >= 2);
    }
}

#[test]
fn quick_successes_of_many_threads_are_all_counted() {
    let bench = Bench::new(BreakerPolicy::failure_rate(1.0).call_window(4));
    let pass = bench.cells.pass().expect("it is closed");
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..50).for_each(|_| assert!(bench.cells.record_quickly(pass, || at(0)))));
        }
    });
    assert_eq!(bench.cells.totals().successes, 150);
}

#[test]
fn outcomes_and_commands_at_once_leave_a_state_that_works() {
    let bench = Bench::new(BreakerPolicy::failure_rate(0.5).minimum_calls(1).probes(2).close_after(2));
    thread::scope(|scope| {
        for outcome in [Outcome::Success, Outcome::Failure, Outcome::Cancelled] {
            let bench = &bench;
            scope.spawn(move || {
                for now in 0..20 {
                    if let Ok(pass) = bench.acquire(now * 5) {
                        bench.record(pass, outcome, now * 5);
                    }
                }
            });
        }
        scope.spawn(|| {
            [Command::Trip(None), Command::ForceClosed, Command::Automatic, Command::Reset]
                .map(|command| bench.command(command, 50))
        });
    });
    assert_eq!(bench.cells.state().epoch, 1 + bench.moves.load(Ordering::Relaxed));
    bench.command(Command::Reset, 200);
    let pass = bench.acquire(200).expect("it is closed");
    bench.record(pass, Outcome::Failure, 200);
    assert_eq!(bench.position(), Position::Open);
}
