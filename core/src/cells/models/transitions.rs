//! Transitions: one per epoch, and nothing of an epoch outlives it.

use super::{Outcome, Position, Shared, at, check, policy};
use crate::kernel::breaker::Command;

/// Both saw a reason to open, one opens: the escalation is that of one opening.
#[test]
fn two_failures_trip_once() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft));
        let passes = [shared.acquire(0).unwrap(), shared.acquire(0).unwrap()];
        shared.race(
            move |shared| shared.record(passes[1], Outcome::Failure, 1),
            move |shared| shared.record(passes[0], Outcome::Failure, 1),
        );
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
        let (_, probe) = shared.race(
            move |shared| shared.record(late, Outcome::Success, 1),
            move |shared| {
                shared.record(fails, Outcome::Failure, 1);
                shared.acquire(11)
            },
        );
        assert!(probe.is_some());
        let state = shared.cells.state();
        assert_eq!((state.position, state.probes.out), (Position::HalfOpen, 1));
    });
}

/// After a reset nothing of the epoch before is left, whatever was just being recorded.
#[test]
fn a_reset_forgets_what_is_being_recorded() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft.consecutive_failures(2)));
        let passes = [shared.acquire(0).unwrap(), shared.acquire(0).unwrap()];
        shared.record(passes[0], Outcome::Failure, 1);
        shared.race(
            move |shared| shared.record(passes[1], Outcome::Failure, 1),
            |shared| shared.command(Command::Reset, 1),
        );
        assert_eq!(shared.cells.state().position, Position::Closed);
        let pass = shared.acquire(2).unwrap();
        shared.record(pass, Outcome::Failure, 2);
        assert_eq!(shared.cells.state().position, Position::Closed, "one failure in a row is not two");
    });
}

/// An operator and a failure open it: either both do, in two epochs, or the failure comes late.
#[test]
fn a_trip_by_hand_and_by_failure_are_two_epochs_or_one() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft));
        let pass = shared.acquire(0).unwrap();
        let (counted, ()) = shared.race(
            move |shared| shared.record(pass, Outcome::Failure, 1),
            |shared| shared.command(Command::Trip(None), 1),
        );
        let state = shared.cells.state();
        assert_eq!((state.position, state.epoch), (Position::Open, 1 + shared.moves()));
        assert!(counted || shared.moves() == 1);
        assert!(shared.acquire(10).is_none(), "it opened at 1 ms for 10 ms");
    });
}

/// A reader that still holds the state before a trip leaves the deadline after it alone.
#[test]
fn a_deadline_stays_with_its_state() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft));
        shared.race(
            |shared| shared.cells.read(&shared.policy, at(0)),
            |shared| shared.command(Command::Trip(None), 0),
        );
        assert_eq!(shared.cells.read(&shared.policy, at(5)).deadline, at(10));
    });
}

/// Who finds the deadline of a new state not yet written makes do without; what its writer drew stays.
#[test]
fn the_deadline_of_who_opened_it_prevails() {
    check(|| {
        let mut shared = Shared::new(policy(|draft| draft.cooldown_jitter(1.0)));
        shared.draw = u64::MAX;
        let pass = shared.acquire(0).unwrap();
        shared.race(
            |shared| shared.acquire(1).is_some(),
            move |shared| shared.record(pass, Outcome::Failure, 1),
        );
        assert_eq!(shared.cells.read(&shared.policy, at(1)).deadline, at(21));
    });
}

/// A success that clears the failures in a row and a reset: the row is empty whoever comes first, and
/// the next failure begins a new one.
#[test]
fn a_success_and_a_reset_both_end_the_row() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft.consecutive_failures(2)));
        let passes = [shared.acquire(0).unwrap(), shared.acquire(0).unwrap()];
        shared.record(passes[0], Outcome::Failure, 1);
        shared.race(move |shared| shared.succeed(passes[1], 1), |shared| shared.command(Command::Reset, 1));
        let pass = shared.acquire(2).unwrap();
        shared.record(pass, Outcome::Failure, 2);
        assert_eq!(shared.cells.state().position, Position::Closed);
    });
}

/// Whoever asks at the very moment of an opening by hand, the first one, is of the epoch before or waits.
#[test]
fn an_opening_by_hand_admits_nobody_before_its_time() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft));
        let (pass, ()) =
            shared.race(|shared| shared.acquire(0), |shared| shared.command(Command::Trip(None), 0));
        assert!(pass.is_none_or(|pass| pass.epoch == 1), "{pass:?} came in at 0 ms, open until 10 ms");
    });
}
