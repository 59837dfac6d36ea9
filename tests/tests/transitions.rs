//! The state table, edge by edge: every step that a breaker can take is taken by a named test, and no
//! breaker takes any other.
//!
//! Each test, and random runs beside them, goes through the public interface on a manual clock, with
//! the naive model at its side; a transition is told exactly once, with the next epoch. The table is
//! printed: `cargo test -p overcurrent-tests --test transitions -- --nocapture`. `PROPTEST_CASES` sets
//! the number of random runs.

#[path = "cases/breaker.rs"]
mod cases;
#[path = "cases/config.rs"]
mod config;
#[path = "transitions/coverage.rs"]
mod coverage;
mod model;
#[path = "model/pair.rs"]
mod pair;
#[path = "model/reading.rs"]
mod reading;
#[path = "cases/run.rs"]
mod run;
#[path = "transitions/scenarios.rs"]
mod scenarios;
#[path = "model/step.rs"]
mod step;
#[path = "transitions/table.rs"]
mod table;
#[path = "cases/text.rs"]
mod text;

use std::{cell::RefCell, collections::HashSet};

use cases::policies;
use coverage::Coverage;
use overcurrent::{OpenReason, Position};
use pair::Pair;
use proptest::{prelude::*, test_runner::TestRunner};
use run::{probing_runs, runs};
use scenarios::Scenario;
use step::{Answer, By};
use table::{Edge, To, edges};

const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/transitions.txt");

fn carry_out(test: &Scenario, coverage: &mut Coverage) {
    let mut pair = Pair::new(&test.policy, 1);
    let mut last = None;
    for op in &test.run {
        let step = pair.step(op).unwrap_or_else(|error| panic!("{}: {op:?}: {error}", test.name));
        last = step.map(Edge::of);
        if let Some(edge) = last {
            coverage.passed(&test.name, edge);
        }
    }
    assert_eq!(last, Some(test.takes), "{}", test.name);
    coverage.tested(&test.name, test.takes);
}

fn run_at_random(coverage: &RefCell<Coverage>) {
    let mut runner = TestRunner::new(ProptestConfig {
        source_file: Some(file!()),
        test_name: Some("every_edge_is_taken_by_a_test_and_nothing_else_happens"),
        ..config::config(REGRESSIONS)
    });
    let run = prop_oneof![3 => runs(), 1 => probing_runs()];
    let outcome = runner.run(&(policies(), any::<u64>(), run), |(policy, seed, run)| {
        let mut pair = Pair::new(&policy, seed);
        for op in &run {
            if let Some(step) = pair.step(op)? {
                coverage.borrow_mut().ran(Edge::of(step));
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn every_edge_is_taken_by_a_test_and_nothing_else_happens() {
    let coverage = RefCell::new(Coverage::default());
    for test in scenarios::all() {
        carry_out(&test, &mut coverage.borrow_mut());
    }
    run_at_random(&coverage);
    let table = edges();
    coverage.borrow().print(&table);
    let gaps = coverage.borrow().gaps(&table);
    assert!(gaps.is_empty(), "{}", gaps.join("\n"));
    let going = table.iter().filter(|(_, edge)| edge.to != To::Stays).count();
    println!("\n{} transitions and {} other answers, each with a test", going, table.len() - going);
}

#[test]
fn the_table_says_nothing_twice() {
    let table = edges();
    for (nth, (rule, edge)) in table.iter().enumerate() {
        assert!(table[..nth].iter().all(|(_, earlier)| earlier != edge), "twice, also in `{rule}`: {edge}");
    }
}

#[test]
fn what_is_counted_are_the_transitions_of_the_table() {
    let table: HashSet<_> = edges().into_iter().filter_map(|(_, edge)| edge.counted()).collect();
    let counted: HashSet<_> = overcurrent::Edge::ALL.iter().copied().collect();
    assert_eq!(counted.symmetric_difference(&table).collect::<Vec<_>>(), Vec::<&overcurrent::Edge>::new());
    assert_eq!(counted.len(), overcurrent::Edge::COUNT, "each once");
}

const TRIP: Edge =
    Edge { from: Position::Closed, by: By::Trip, answer: Answer::Taken, to: To::Opens(OpenReason::Manual) };

#[test]
fn an_edge_without_a_test_is_a_gap_however_often_chance_took_it() {
    let mut coverage = Coverage::default();
    let table = [("a trip opens", TRIP)];
    assert_eq!(coverage.gaps(&table).len(), 1);
    coverage.ran(TRIP);
    assert!(coverage.gaps(&table)[0].starts_with("no test takes closed"));
    coverage.passed("some test", TRIP);
    assert!(coverage.gaps(&table).is_empty());
}

#[test]
fn an_edge_that_the_table_does_not_have_is_a_gap() {
    let mut coverage = Coverage::default();
    coverage.tested("some test", TRIP);
    coverage.ran(Edge { to: To::Stays, ..TRIP });
    assert!(coverage.gaps(&[("a trip opens", TRIP)])[0].starts_with("the table does not have closed"));
}
