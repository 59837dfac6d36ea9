//! Each claim holds for a sound run and fails for the run that breaks it.

use std::sync::Arc;

use super::*;
use crate::{
    arrivals::Arrivals,
    client::{Client, Mode},
    limits::sample as sample_limits,
    line::{Call, Ending, Probe, Sample},
};

const CALLS: u32 = 50;

fn call(start: f64, end: f64, result: Ending, attempts: u32) -> Call {
    Call { start, end, result, attempts, retried: Vec::new() }
}

fn probe(start: f64, end: f64, ok: bool, round: u32) -> Probe {
    Probe { start, end, ok, attempt: 1, round, in_flight: 1 }
}

fn sample(at: f64, state: State) -> Sample {
    Sample { at, state, retries: 0, rejections: 0 }
}

/// A run in which all is well: opens, fails one probe, recovers with two.
fn sound() -> Record {
    let script = Script::demo();
    let (outage, recovery) = (millis(script.outage_start()), millis(script.recovery_start()));
    let mut calls = vec![call(recovery + 900.0, recovery + 905.0, Ending::Ok, 1)];
    calls.resize(50, call(outage, outage + 2.0, Ending::Error, 1));
    Record {
        calls,
        probes: vec![
            probe(outage + 900.0, outage + 1700.0, false, 0),
            probe(recovery + 400.0, recovery + 405.0, true, 1),
            probe(recovery + 410.0, recovery + 415.0, true, 1),
        ],
        samples: vec![
            sample(0.0, State::Closed),
            sample(outage + 300.0, State::Open),
            sample(outage + 900.0, State::HalfOpen),
            sample(outage + 1700.0, State::Open),
            sample(recovery + 400.0, State::HalfOpen),
            sample(recovery + 416.0, State::Closed),
        ],
    }
}

fn violated(record: &Record, seen: &Seen) -> Vec<&'static str> {
    let claims = check(Language::Node, record, seen, &sample_limits(), &Script::demo(), CALLS);
    claims.into_iter().filter(|claim| !claim.held).map(|claim| claim.name).collect()
}

/// What an upstream sees when each of `keys` comes with this round, all open at once.
fn seen(keys: &[&str], round: Option<u32>) -> Seen {
    let arrivals = Arc::new(Arrivals::default());
    let client = Client { language: Language::Node, mode: Mode::Guarded };
    let visits: Vec<_> = keys.iter().map(|key| arrivals.visit(client, key, round)).collect();
    let seen = arrivals.seen(client);
    drop(visits);
    seen
}

#[test]
fn a_sound_run_violates_nothing() {
    assert!(violated(&sound(), &seen(&["a"], Some(0))).is_empty());
}

#[test]
fn a_breaker_that_stays_closed_fails() {
    let mut record = sound();
    record.samples.retain(|sample| sample.state == State::Closed);
    assert_eq!(violated(&record, &Seen::default()), ["opened"]);
}

#[test]
fn opening_before_or_after_the_outage_does_not_count() {
    let mut record = sound();
    let recovery = millis(Script::demo().recovery_start());
    record.samples = vec![
        sample(0.0, State::Closed),
        sample(100.0, State::Open),
        sample(200.0, State::Closed),
        sample(recovery + 1.0, State::Open),
        sample(recovery + 9.0, State::Closed),
    ];
    assert_eq!(violated(&record, &Seen::default()), ["opened"]);
}

#[test]
fn a_breaker_that_never_probes_fails() {
    let mut record = sound();
    record.probes.remove(0);
    assert_eq!(violated(&record, &Seen::default()), ["probed within its limits"]);
}

#[test]
fn two_probes_at_once_fail_by_the_clients_count() {
    let mut record = sound();
    record.probes[2].in_flight = 2;
    assert_eq!(violated(&record, &Seen::default()), ["probed within its limits"]);
}

#[test]
fn two_probes_at_once_fail_by_the_upstreams_count() {
    assert_eq!(violated(&sound(), &seen(&["a", "b"], Some(3))), ["probed within its limits"]);
    assert!(violated(&sound(), &seen(&["a", "b"], None)).is_empty());
}

#[test]
fn a_probe_within_the_cooldown_fails() {
    let mut record = sound();
    let failed = record.probes[0].clone();
    record.probes.insert(1, Probe { start: failed.start + 400.0, round: 1, ..failed });
    assert_eq!(violated(&record, &Seen::default()), ["probed within its limits"]);
    // The deadline may have cut it, which tells the breaker nothing.
    record.probes[0].attempt = 2;
    assert!(violated(&record, &Seen::default()).is_empty());
}

#[test]
fn a_breaker_that_ends_open_fails() {
    let mut record = sound();
    record.samples.pop();
    assert_eq!(violated(&record, &Seen::default()), ["recovered"]);
}

#[test]
fn a_client_without_answers_after_the_outage_fails() {
    let mut record = sound();
    record.calls[0].result = Ending::Rejected;
    assert_eq!(violated(&record, &Seen::default()), ["recovered"]);
}

#[test]
fn a_retry_too_many_fails() {
    // The budget of 50 calls is 2 + 0.1 · 50 = 7 retries.
    let mut record = sound();
    for call in &mut record.calls[..7] {
        call.attempts = 2;
    }
    assert!(violated(&record, &Seen::default()).is_empty());
    record.calls[7].attempts = 2;
    assert_eq!(violated(&record, &Seen::default()), ["kept its retry budget"]);
    assert_eq!(violated(&sound(), &seen(&["a"; 9], None)), ["kept its retry budget"]);
}

#[test]
fn a_spree_fails_though_the_whole_run_is_within_the_budget() {
    // 1000 calls in 1000 s allow 102 retries, but not more than a few at a time.
    let calls = (0..1000)
        .map(|number| call(f64::from(number) * 1000.0, f64::from(number) * 1000.0 + 5.0, Ending::Ok, 1));
    let mut record = Record { calls: calls.collect(), ..Record::default() };
    let retry = |call: &mut Call| {
        call.attempts = 2;
        call.retried = vec![call.start + 1.0];
    };
    record.calls.iter_mut().step_by(20).for_each(retry);
    assert!(kept_budget(&record, &Seen::default(), &sample_limits()).0);
    record.calls[501..504].iter_mut().for_each(retry);
    let (held, detail) = kept_budget(&record, &Seen::default(), &sample_limits());
    assert!(!held && detail.starts_with("5 retries from 480001 ms to 503001 ms"), "{detail}");
}

#[test]
fn a_call_that_never_comes_back_fails() {
    let mut record = sound();
    record.calls.pop();
    assert_eq!(violated(&record, &Seen::default()), ["finished every call"]);
}

#[test]
fn the_time_adds_to_the_budget() {
    let limits = Limits { min_per_second: 1.0, ..sample_limits() };
    let mut record = sound();
    for call in &mut record.calls[..8] {
        call.attempts = 2;
    }
    assert!(kept_budget(&record, &Seen::default(), &limits).0);
}

#[test]
fn calls_due_are_rate_times_time() {
    assert_eq!(calls_due(40, Duration::from_millis(2500)), 100);
}
