//! Probes: who is granted one, and what becomes of it.

use super::{Outcome, Position, Shared, at, check, check_up_to, policy};
use crate::kernel::{breaker::Command, outcome::OpenReason};

/// Whoever comes when the cooldown is over: one probe is granted, one transition made.
#[test]
fn of_two_callers_at_the_end_of_a_cooldown_one_is_the_probe() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft));
        shared.command(Command::Trip(None), 0);
        let ask = |shared: Shared| u32::from(shared.acquire(10).is_some());
        let granted = shared.race(ask, ask);
        assert_eq!((granted.0 + granted.1, shared.moves()), (1, 2));
        assert_eq!(shared.cells.state().probes.out, 1);
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
        let (admitted, counted) = shared.race(
            |shared| shared.acquire(60).is_some(),
            move |shared| shared.record(probe, Outcome::Success, 60),
        );
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

/// The same of three.
#[test]
fn of_three_callers_at_the_end_of_a_cooldown_one_is_the_probe() {
    check_up_to(2, || {
        let shared = Shared::new(policy(|draft| draft));
        shared.command(Command::Trip(None), 0);
        let others = [(); 2].map(|()| shared.spawn(|shared| shared.acquire(10).is_some()));
        let mine = shared.acquire(10).is_some();
        let granted =
            u32::from(mine) + others.map(|other| u32::from(other.join().unwrap())).iter().sum::<u32>();
        assert_eq!((granted, shared.moves()), (1, 2));
    });
}

/// While a second probe is granted, nobody finds both out and the first one's time over.
#[test]
fn a_probe_that_is_just_granted_is_not_lost() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft.probes(2).close_after(2)));
        shared.command(Command::Trip(None), 0);
        shared.acquire(10).unwrap();
        let (early, late) =
            shared.race(|shared| shared.acquire(30).is_some(), |shared| shared.acquire(60).is_some());
        assert!(early || late);
        assert_eq!((shared.cells.state().position, shared.moves()), (Position::HalfOpen, 2));
    });
}

/// A probe is dropped while the breaker is taken out of its hands: its slot is given back once, or
/// the drop is late; nothing of it is left in the next epoch.
#[test]
fn a_dropped_probe_and_a_transition_leave_no_probe_out() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft));
        shared.command(Command::Trip(None), 0);
        let probe = shared.acquire(10).unwrap();
        let (counted, ()) = shared.race(
            move |shared| shared.record(probe, Outcome::Cancelled, 11),
            |shared| shared.command(Command::ForceOpen, 11),
        );
        let state = shared.cells.state();
        assert_eq!((state.position, state.probes.out, shared.moves()), (Position::ForcedOpen, 0, 3));
        assert_eq!(shared.cells.late_count(), u64::from(!counted));
    });
}

/// Two probes answer at once, well and badly: each is counted, and one of them decides.
#[test]
fn two_answers_are_both_counted() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft.probes(2).close_after(2).reopen_after(2)));
        shared.command(Command::Trip(None), 0);
        let passes = [shared.acquire(10).unwrap(), shared.acquire(10).unwrap()];
        shared.race(
            move |shared| shared.record(passes[1], Outcome::Failure, 11),
            move |shared| shared.record(passes[0], Outcome::Success, 11),
        );
        let probes = shared.cells.state().probes;
        assert_eq!((probes.out, probes.succeeded, probes.failed), (0, 1, 1));
    });
}

/// The probes count as lost when the last one granted does.
#[test]
fn the_deadline_of_the_probes_is_that_of_the_latest() {
    check(|| {
        let shared = Shared::new(policy(|draft| draft.probes(2).close_after(2)));
        shared.command(Command::Trip(None), 0);
        let granted =
            shared.race(|shared| shared.acquire(10).is_some(), |shared| shared.acquire(17).is_some());
        assert_eq!(granted, (true, true));
        assert_eq!(shared.cells.read(&shared.policy, at(18)).deadline, at(67));
    });
}
