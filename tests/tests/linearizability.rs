//! Histories of several threads on one breaker, each held against the breaker as one operation after
//! the other would find it.
//!
//! Real threads carry out random operations side by side: admission, outcomes, an operator's commands,
//! readings. Every operation notes when it began and returned, by one counter, and what it was answered
//! and told. A history is in order if its operations have an order that respects those times and in which a
//! plain model ([`spec`]) gives the same answers and tells of the same transitions. So what the rules
//! declare exact is held exactly: never more than `probes` out nor `trials` granted, one transition and
//! one event per epoch, no admission before its time, an outcome counted once, nothing changed by an
//! outcome of an old epoch. What concurrency leaves open is in [`leeway`]; how many histories needed it
//! is printed.
//!
//! `HISTORIES` sets the number of histories, `HISTORIES_SEED` where they begin.

#[path = "linearizability/barrier.rs"]
mod barrier;
#[path = "linearizability/checker.rs"]
mod checker;
#[path = "linearizability/crew.rs"]
mod crew;
#[path = "linearizability/history.rs"]
mod history;
#[path = "linearizability/impossible.rs"]
mod impossible;
#[path = "linearizability/leeway.rs"]
mod leeway;
#[path = "linearizability/program.rs"]
mod program;
#[path = "linearizability/spec.rs"]
mod spec;
#[path = "linearizability/worker.rs"]
mod worker;

use std::env;

/// Transitions that some history must have made for this test to mean anything.
const MOVES: [&str; 16] = [
    "closed open consecutive_failures",
    "closed open manual",
    "closed closed",
    "closed forced_open",
    "closed forced_closed",
    "open half_open",
    "open closed",
    "open open manual",
    "half_open closed",
    "half_open open probe_failed",
    "half_open open probe_timeout",
    "half_open open manual",
    "forced_open open manual",
    "forced_open closed",
    "forced_closed closed",
    "forced_closed open manual",
];

fn setting(name: &str, default: u64) -> u64 {
    env::var(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[test]
fn every_history_has_an_order_that_keeps_the_rules() {
    let (histories, seed) = (setting("HISTORIES", 4_000), setting("HISTORIES_SEED", 1));
    let mut missing: Vec<&str> = MOVES.into();
    for (threads, share) in [(2, 60), (3, 25), (4, 15)] {
        let tally = crew::run(seed, threads, histories * share / 100);
        println!(
            "{threads} threads: {} histories of {} operations; operations overlapped in {}, in {} of them without a \
             pause; {} were in order only within the leeway",
            tally.histories, tally.operations, tally.overlapping, tally.unpaused, tally.with_leeway,
        );
        if let Some(broken) = tally.broken {
            panic!("after {} histories: {broken}", tally.histories);
        }
        assert!(
            tally.overlapping * 10 >= tally.histories,
            "in only {} of {} histories operations overlapped",
            tally.overlapping,
            tally.histories,
        );
        missing.retain(|expected| !tally.moves.contains(*expected));
    }
    assert!(missing.is_empty(), "no history went {missing:?}");
}
