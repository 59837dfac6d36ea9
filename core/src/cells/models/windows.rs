//! Windows and totals: what is counted, and when it is forgotten.

use std::time::Duration;

use super::{Outcome, Position, Shared, check, policy};
use crate::{
    cells::breaker::Totals,
    kernel::{breaker::Command, policy::BreakerDraft},
};

/// Failures alone open it, three of three.
fn three_failures(draft: BreakerDraft, window: Duration, buckets: u32) -> BreakerDraft {
    draft.consecutive_failures(1_000).bucketed_window(window, buckets).failure_rate(1.0).minimum_calls(3)
}

/// Two outcomes of a new tick race to lay its mark; both are counted within what is in flight.
#[test]
fn a_window_moves_on_once_and_loses_no_more_than_is_in_flight() {
    check(|| {
        let shared = Shared::new(policy(|draft| three_failures(draft, Duration::from_millis(20), 2)));
        let passes = [(); 3].map(|()| shared.acquire(0).unwrap());
        shared.record(passes[0], Outcome::Failure, 5);
        shared.race(
            move |shared| shared.record(passes[1], Outcome::Failure, 12),
            move |shared| shared.record(passes[2], Outcome::Failure, 12),
        );
        // Whether the third failure was seen by either is a matter of what was in flight; the next
        // one sees all of them.
        if let Some(pass) = shared.acquire(13) {
            shared.record(pass, Outcome::Failure, 13);
        }
        assert_eq!((shared.cells.state().position, shared.moves()), (Position::Open, 1));
    });
}

/// One that was about to lay the mark of a tick when the next tick came does not lay it over the next
/// one's, which would let the next tick's outcomes go unseen.
#[test]
fn an_old_mark_never_replaces_a_newer_one() {
    check(|| {
        let shared =
            Shared::new(policy(|draft| three_failures(draft, Duration::from_millis(10), 1).minimum_calls(2)));
        let passes = [(); 3].map(|()| shared.acquire(0).unwrap());
        shared.record(passes[0], Outcome::Success, 1);
        shared.race(
            move |shared| shared.record(passes[1], Outcome::Failure, 11),
            move |shared| shared.record(passes[2], Outcome::Failure, 21),
        );
        if let Some(pass) = shared.acquire(22) {
            shared.record(pass, Outcome::Failure, 22);
        }
        assert_eq!(shared.cells.state().position, Position::Open, "both failures of the last tick count");
    });
}

/// What was in the window before a reset is gone; only what is in flight may come in after it.
#[test]
fn a_reset_empties_a_window_of_calls() {
    check(|| {
        let window = |draft: BreakerDraft| {
            draft.consecutive_failures(1_000).call_window(8).failure_rate(0.5).minimum_calls(3)
        };
        let shared = Shared::new(policy(window));
        let passes = [shared.acquire(0).unwrap(), shared.acquire(0).unwrap()];
        shared.record(passes[0], Outcome::Failure, 1);
        shared.race(
            move |shared| shared.record(passes[1], Outcome::Failure, 1),
            |shared| shared.command(Command::Reset, 1),
        );
        for outcome in [Outcome::Success, Outcome::Success, Outcome::Success, Outcome::Failure] {
            let pass = shared.acquire(2).unwrap();
            shared.record(pass, outcome, 2);
        }
        assert_eq!(shared.cells.state().position, Position::Closed, "1 of 4 failed, or 2 of 5");
    });
}

/// Successes that race for one word, and are then counted in shards, are all counted.
#[test]
fn no_success_is_lost_when_they_are_sharded() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft.call_window(8).failure_rate(1.0)));
        let pass = shared.acquire(0).unwrap();
        let twice = move |shared: Shared| (0..2).for_each(|_| shared.succeed(pass, 1));
        shared.race(twice, twice);
        assert_eq!(shared.cells.totals(), Totals { successes: 4, ..Totals::default() });
    });
}

/// Two failures of a window of calls: each has its number, and the second one sees both.
#[test]
fn two_failures_in_a_window_of_calls_open_it() {
    check(|| {
        let window = |draft: BreakerDraft| {
            draft.consecutive_failures(1_000).call_window(4).failure_rate(1.0).minimum_calls(2)
        };
        let shared = Shared::new(policy(window));
        let passes = [shared.acquire(0).unwrap(), shared.acquire(0).unwrap()];
        shared.race(
            move |shared| shared.record(passes[1], Outcome::Failure, 1),
            move |shared| shared.record(passes[0], Outcome::Failure, 1),
        );
        // Neither may have seen the other; the next one sees both.
        if let Some(pass) = shared.acquire(2) {
            shared.record(pass, Outcome::Failure, 2);
        }
        assert_eq!((shared.cells.state().position, shared.moves()), (Position::Open, 1));
    });
}

/// An outcome in a window of calls counts or comes late, never both.
#[test]
fn an_outcome_counts_or_is_late() {
    check(|| {
        let window = |draft: BreakerDraft| {
            draft.consecutive_failures(9).call_window(4).failure_rate(1.0).minimum_calls(4)
        };
        let shared = Shared::new(policy(window));
        let pass = shared.acquire(0).unwrap();
        let (counted, ()) = shared.race(
            move |shared| shared.record(pass, Outcome::Failure, 0),
            |shared| shared.command(Command::Reset, 0),
        );
        let (failures, late) = (shared.cells.totals().failures, shared.cells.late_count());
        assert_eq!((failures, late), (u64::from(counted), u64::from(!counted)));
    });
}

/// A failure is counted and a reset ends its epoch, while another failure may come in the next one: at
/// the end two failures in one epoch would have opened it, one of each does not.
fn a_reset_between_two_failures(change: impl Fn(BreakerDraft) -> BreakerDraft + Send + Sync + 'static) {
    check(move || {
        let shared = Shared::new(policy(&change));
        let pass = shared.acquire(0).unwrap();
        shared.race(
            move |shared| {
                shared.record(pass, Outcome::Failure, 5);
                shared.command(Command::Reset, 5);
            },
            |shared| {
                let pass = shared.acquire(6).unwrap();
                shared.record(pass, Outcome::Failure, 6);
            },
        );
        assert_eq!(shared.cells.state().position, Position::Closed, "one failure since the reset is not two");
    });
}

/// Who begins in a new epoch sees all that was counted in the one before, and takes none of it for its own.
#[test]
fn a_mark_of_a_new_epoch_has_all_that_was_counted_before() {
    a_reset_between_two_failures(|draft| {
        three_failures(draft, Duration::from_millis(20), 2).minimum_calls(2)
    });
}

/// The same of the failures in a row, whoever is the first to write the word in the new epoch.
#[test]
fn a_row_of_failures_does_not_go_on_in_a_new_epoch() {
    a_reset_between_two_failures(|draft| draft.consecutive_failures(2));
}
