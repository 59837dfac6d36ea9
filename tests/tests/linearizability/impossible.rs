//! The checker against histories made by hand: each that breaks a rule is refused, and its twin that
//! keeps it is not.

use std::time::Duration;

use overcurrent::{
    BreakerPolicy, OpenReason, Outcome,
    Position::{self, Closed, HalfOpen, Open},
    RejectReason, Transition,
    kernel::breaker::{Command, Probes, State},
};

use crate::{
    checker::{self, Verdict},
    history::{Answer, Call, Grant, History, Op},
};

const MILLI: u64 = 1_000_000;

/// Who began and returned when, in the stamps of the history.
type Stamps = (u64, u64);

/// A policy that one failure opens for 10 ms, with probes lost after 20 ms.
fn history<const N: usize>(threads: [Vec<Op>; N]) -> History {
    with_probes(1, 1, threads)
}

fn with_probes<const N: usize>(probes: u32, close_after: u32, threads: [Vec<Op>; N]) -> History {
    let policy = BreakerPolicy::consecutive_failures(1)
        .cooldown(Duration::from_millis(10))
        .cooldown_jitter(0.0)
        .probe_timeout(Duration::from_millis(20))
        .probes(probes)
        .close_after(close_after)
        .build()
        .expect("the policy is valid");
    History { title: "made by hand".into(), policy, threads: threads.into() }
}

fn op((invoked, returned): Stamps, millis: u64, call: Call, answer: Answer) -> Op {
    Op { invoked, returned, call, now: millis * MILLI, answer, told: Vec::new() }
}

fn granted(stamps: Stamps, millis: u64, epoch: u32) -> Op {
    op(stamps, millis, Call::Acquire, Answer::Granted(epoch))
}

fn rejected(stamps: Stamps, millis: u64, reason: RejectReason, wait: Option<u64>) -> Op {
    op(stamps, millis, Call::Acquire, Answer::Rejected(reason, wait.map(|wait| wait * MILLI)))
}

fn recorded(stamps: Stamps, millis: u64, of: &Op, outcome: Outcome, answer: Answer) -> Op {
    let epoch = of.granted().expect("only what was granted can be recorded");
    op(stamps, millis, Call::Record { grant: Grant { epoch, request: of.invoked }, outcome, took: 0 }, answer)
}

fn tripped(stamps: Stamps, millis: u64, from: Position, epoch: u32) -> Op {
    let trip = op(stamps, millis, Call::Command(Command::Trip(None)), Answer::Done);
    told(trip, from, Open, Some(OpenReason::Manual), epoch)
}

fn told(op: Op, from: Position, to: Position, reason: Option<OpenReason>, epoch: u32) -> Op {
    Op { told: vec![Transition { from, to, reason, epoch }], ..op }
}

/// The first probe, granted as epoch 3.
fn probe(stamps: Stamps, millis: u64) -> Op {
    told(granted(stamps, millis, 3), Open, HalfOpen, None, 3)
}

fn is_exact(history: &History) {
    let verdict = checker::check(history);
    assert!(matches!(verdict, Verdict::Exact), "{verdict:?}");
}

fn needs_leeway(history: &History) {
    let verdict = checker::check(history);
    assert!(matches!(verdict, Verdict::WithLeeway), "{verdict:?}");
}

fn is_impossible(history: &History) {
    let verdict = checker::check(history);
    assert!(matches!(verdict, Verdict::Impossible(_)), "{verdict:?}");
}

#[test]
fn of_two_callers_one_is_the_probe() {
    let callers = |second| history([vec![tripped((0, 1), 0, Closed, 2), probe((2, 4), 10)], vec![second]]);
    is_exact(&callers(rejected((3, 5), 10, RejectReason::HalfOpen, None)));
    is_impossible(&callers(granted((3, 5), 10, 3)));
}

#[test]
fn no_more_probes_are_granted_than_are_tried() {
    // With close_after 2 two are tried: one has succeeded, one is out.
    let third = |third| {
        let first = probe((2, 3), 10);
        let success = recorded((4, 5), 11, &first, Outcome::Success, Answer::Counted);
        let second = granted((6, 7), 11, 3);
        let thread = vec![tripped((0, 1), 0, Closed, 2), first, success, second];
        with_probes(2, 2, [thread, vec![third]])
    };
    is_exact(&third(rejected((8, 9), 11, RejectReason::HalfOpen, None)));
    is_impossible(&third(granted((8, 9), 11, 3)));
}

#[test]
fn an_outcome_of_an_old_epoch_does_not_close() {
    let late = |answer: fn(Op) -> Op| {
        let old = granted((0, 1), 0, 1);
        let success = recorded((6, 9), 11, &old, Outcome::Success, Answer::Late);
        let other = vec![tripped((2, 3), 0, Closed, 2), probe((4, 7), 10)];
        history([vec![old, answer(success)], other])
    };
    is_exact(&late(|op| op));
    is_impossible(&late(|op| Op { answer: Answer::Counted, ..op }));
    is_impossible(&late(|op| told(Op { answer: Answer::Counted, ..op }, HalfOpen, Closed, None, 4)));
}

#[test]
fn nobody_is_admitted_before_the_cooldown_is_over() {
    let at = |millis| history([vec![tripped((0, 3), 0, Closed, 2)], vec![probe((1, 2), millis)]]);
    is_exact(&at(10));
    is_impossible(&at(9));
}

#[test]
fn an_outcome_counts_once() {
    let twice = |answer| {
        let grant = granted((0, 1), 0, 1);
        let first = recorded((2, 4), 0, &grant, Outcome::Ignored, Answer::Counted);
        let second = recorded((3, 5), 0, &grant, Outcome::Ignored, answer);
        history([vec![grant, first], vec![second]])
    };
    is_impossible(&twice(Answer::Counted));
    let [one, other] = [granted((0, 2), 0, 1), granted((1, 3), 0, 1)];
    let first = recorded((4, 6), 0, &one, Outcome::Ignored, Answer::Counted);
    let second = recorded((5, 7), 0, &other, Outcome::Ignored, Answer::Counted);
    is_exact(&history([vec![one, first], vec![other, second]]));
}

#[test]
fn an_epoch_has_one_transition_and_one_event() {
    let failures = |stamps, second: fn(Op) -> Op| {
        let grants = [granted((0, 2), 0, 1), granted((1, 3), 0, 1)];
        let open = |op| told(op, Closed, Open, Some(OpenReason::ConsecutiveFailures), 2);
        let [first, other] = &grants;
        let first = open(recorded((4, 6), 0, first, Outcome::Failure, Answer::Counted));
        let other = second(recorded(stamps, 0, other, Outcome::Failure, Answer::Counted));
        let [one, two] = grants;
        history([vec![one, first], vec![two, other]])
    };
    let late: fn(Op) -> Op = |op| Op { answer: Answer::Late, ..op };
    let opens: fn(Op) -> Op = |op| told(op, Closed, Open, Some(OpenReason::ConsecutiveFailures), 2);
    is_exact(&failures((5, 7), late));
    is_exact(&failures((7, 8), late));
    is_impossible(&failures((5, 7), opens));
    // Counted and not first to open: only while the opening is under way.
    needs_leeway(&failures((5, 7), |op| op));
    is_impossible(&failures((7, 8), |op| op));

    let silent = op((0, 1), 0, Call::Command(Command::Trip(None)), Answer::Done);
    is_impossible(&history([vec![silent]]));
}

#[test]
fn what_has_returned_has_happened() {
    let state = State { position: Closed, epoch: 1, ..State::NEW };
    let read = |stamps| {
        let read = op(stamps, 0, Call::State, Answer::State(state));
        history([vec![tripped((0, 2), 0, Closed, 2)], vec![read]])
    };
    is_exact(&read((1, 3)));
    is_impossible(&read((3, 4)));
}

#[test]
fn what_is_left_is_what_was_done() {
    let left = |opens, out, late| {
        let probes = Probes { out, succeeded: 0, failed: 0 };
        let reason = Some(OpenReason::Manual);
        let state = State { position: HalfOpen, opens, reason, slow_cause: false, probes, epoch: 3 };
        let audit = op((8, 9), 10, Call::Audit, Answer::Audit(state, 30 * MILLI, late));
        let old = granted((0, 1), 0, 1);
        let record = recorded((5, 6), 10, &old, Outcome::Failure, Answer::Late);
        let thread = vec![old, tripped((2, 3), 0, Closed, 2), record];
        history([thread, vec![probe((4, 7), 10)], vec![audit]])
    };
    is_exact(&left(0, 1, 1));
    is_impossible(&left(1, 1, 1));
    is_impossible(&left(0, 0, 1));
    is_impossible(&left(0, 1, 0));
}

#[test]
fn the_leeway_ends_with_the_overlap() {
    // An opening for 30 ms; a caller is told to wait for a cooldown of 10 ms.
    let trip = |stamps| {
        let span = overcurrent::Span::from_millis(30);
        let trip = op(stamps, 0, Call::Command(Command::Trip(Some(span))), Answer::Done);
        told(trip, Closed, Open, Some(OpenReason::Manual), 2)
    };
    let told_to_wait = |stamps, wait| {
        history([vec![trip((0, 2))], vec![rejected(stamps, 0, RejectReason::Open, Some(wait))]])
    };
    is_exact(&told_to_wait((3, 4), 30));
    needs_leeway(&told_to_wait((1, 3), 10));
    is_impossible(&told_to_wait((1, 3), 11));
    is_impossible(&told_to_wait((3, 4), 10));

    // A probe is lost at 30 ms, and nobody else has come near.
    let at_the_loss = |other| history([vec![tripped((0, 1), 0, Closed, 2), probe((2, 4), 10)], vec![other]]);
    let lost = told(
        rejected((5, 6), 30, RejectReason::Open, Some(10)),
        HalfOpen,
        Open,
        Some(OpenReason::ProbeTimeout),
        4,
    );
    is_exact(&at_the_loss(lost.clone()));
    is_impossible(&at_the_loss(Op { now: 29 * MILLI, ..lost }));
    is_exact(&at_the_loss(rejected((5, 6), 29, RejectReason::HalfOpen, None)));
    is_impossible(&at_the_loss(rejected((5, 6), 30, RejectReason::HalfOpen, None)));
}

#[test]
fn a_success_between_count_and_test_does_not_save() {
    // Two failures in a row open; a success comes between the second one's count and its test.
    let race = |success: Stamps| {
        let grants = [granted((0, 1), 0, 1), granted((2, 3), 0, 1), granted((4, 5), 0, 1)];
        let [a, b, c] = &grants;
        let first = recorded((6, 7), 0, a, Outcome::Failure, Answer::Counted);
        let second = recorded((10, 13), 0, b, Outcome::Failure, Answer::Counted);
        let second = told(second, Closed, Open, Some(OpenReason::ConsecutiveFailures), 2);
        let success = recorded(success, 0, c, Outcome::Success, Answer::Counted);
        let [a, b, c] = grants;
        let mut history = history([vec![a, b, first, second], vec![c, success]]);
        history.policy.consecutive_failures = Some(2);
        history
    };
    needs_leeway(&race((11, 12)));
    is_impossible(&race((8, 9)));
}
