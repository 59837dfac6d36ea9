//! What a program hears of the decisions that were made: which events, in which order, and what becomes of
//! listeners that are slow, or panic, or leave.

#[path = "events/callers.rs"]
mod callers;
#[path = "events/in_place.rs"]
mod in_place;
#[path = "events/listeners.rs"]
mod listeners;
#[path = "events/once.rs"]
mod once;
#[path = "events/scenarios.rs"]
mod scenarios;
#[path = "events/threads.rs"]
mod threads;

#[test]
fn every_scenario_tells_of_exactly_these_events_and_counts_them() {
    scenarios::replay(|_| {});
}
