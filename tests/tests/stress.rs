//! Real threads on one breaker and one budget under the real clock, through fair weather and outages,
//! with counts that must come out at the end:
//!
//! - every admitted call is counted, late or in flight, by the account of those who made it, and the
//!   breaker's own counts are the same;
//! - never more probes are out, nor granted, than the policy says, at any instant;
//! - each transition is told once and follows from the one before;
//! - nobody is admitted before a cooldown is over;
//! - a budget gives what came in, to the last micro-token;
//! - a share of failures below the limit never opens a breaker, and one above it does.
//!
//! `STRESS_SECONDS` sets how long it takes in all; by default a second, so that it can run with every
//! other test.

#[path = "stress/account.rs"]
mod account;
#[path = "stress/budget.rs"]
mod budget;
#[path = "stress/caller.rs"]
mod caller;
#[path = "stress/dice.rs"]
mod dice;
#[path = "stress/events.rs"]
mod events;
#[path = "stress/gauge.rs"]
mod gauge;
#[path = "stress/permits.rs"]
mod permits;
#[path = "stress/scenario.rs"]
mod scenario;
#[path = "stress/shares.rs"]
mod shares;

use std::{
    env,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use account::Account;
use caller::Caller;
use events::{Epochs, Events};
use gauge::Gauge;
use overcurrent::{Breaker, OpenReason};
use scenario::{Scenario, Tests};

/// The tests take turns, so that each has the machine to itself.
static TURN: Mutex<()> = Mutex::new(());

/// A share of the time there is, in percent.
fn time(share: u32) -> Duration {
    let seconds = env::var("STRESS_SECONDS")
        .map_or(1.0, |text| text.parse().unwrap_or_else(|_| panic!("STRESS_SECONDS is no number: {text}")));
    Duration::from_secs_f64(seconds) * share / 100
}

/// A breaker, and where its transitions are told.
fn breaker(scenario: Scenario) -> (Breaker, Arc<Events>) {
    let events = Arc::new(Events::default());
    let listener = Arc::clone(&events);
    let breaker = Breaker::new("stress", scenario.policy());
    (breaker.on_transition(move |moved| listener.tell(*moved)), events)
}

fn stress(scenario: Scenario, length: Duration) -> (Account, Epochs) {
    let (breaker, events) = breaker(scenario);
    let gauge = Gauge::new();
    let end = breaker.now().after(length.into());
    let mut account = Account::default();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..scenario.threads)
            .map(|me| {
                let caller = Caller::new(scenario, &breaker, &gauge, me as u64);
                scope.spawn(move || caller.run(end, scenario.commands && me == 0))
            })
            .collect();
        for caller in callers {
            account.add(caller.join().expect("no caller panics"));
        }
    });
    let epochs = events.check(&breaker);
    account.check(scenario, &breaker, &epochs);
    (account, epochs)
}

/// One round through all scenarios; adds up what was seen: the openings by their reason, and the epochs.
fn round(all: &mut Account, openings: &mut [usize], epochs_in_all: &mut usize) {
    let scenarios: Vec<Scenario> = Scenario::all().collect();
    let each = time(55) / u32::try_from(scenarios.len()).expect("there are a few");
    for scenario in scenarios {
        let (account, epochs) = stress(scenario, each);
        println!(
            "{:?}, slow calls {}, {} threads: {} calls, {} rejected, {} late, {} epochs",
            scenario.tests,
            scenario.slow_call,
            scenario.threads,
            account.admitted,
            account.rejected,
            account.late(),
            epochs.count(),
        );
        for (times, reason) in openings.iter_mut().zip(OpenReason::ALL) {
            *times += epochs.opened_for(*reason);
        }
        *epochs_in_all += epochs.count();
        all.add(account);
    }
}

#[test]
fn every_call_is_accounted_for() {
    let _turn = TURN.lock();
    let (mut all, mut openings, mut epochs) = (Account::default(), [0; OpenReason::ALL.len()], 0);
    // One round is enough, but for a machine that hardly gets to it.
    for _ in 0..20 {
        round(&mut all, &mut openings, &mut epochs);
        if all.rejected > 0 && all.late() > 0 && all.in_flight > 0 && !openings.contains(&0) {
            break;
        }
    }
    let openings: Vec<(&str, usize)> =
        OpenReason::ALL.iter().map(|reason| reason.as_str()).zip(openings).collect();
    println!("{epochs} epochs; openings: {openings:?}");
    assert!(
        all.rejected > 0 && all.late() > 0 && all.in_flight > 0,
        "some were rejected, late and in flight"
    );
    assert!(openings.iter().all(|(_, times)| *times > 0), "some reason never opened: {openings:?}");
}

#[test]
fn permits_are_used_up_once() {
    let _turn = TURN.lock();
    for (tests, threads) in [(Tests::Time, 2), (Tests::Time, 8), (Tests::Calls, 2), (Tests::Calls, 8)] {
        let slow_call = false;
        let scenario = Scenario {
            tests,
            slow_call,
            threads,
            probes: 1,
            close_after: 1,
            reopen_after: 1,
            commands: false,
        };
        let (breaker, events) = breaker(scenario);
        let end = breaker.now().after((time(15) / 4).into());
        let admitted = thread::scope(|scope| {
            let callers: Vec<_> = (0..threads)
                .map(|me| {
                    scope.spawn({
                        let breaker = &breaker;
                        move || permits::run(breaker, end, me as u64)
                    })
                })
                .collect();
            callers.into_iter().map(|caller| caller.join().expect("no caller panics")).sum()
        });
        let epochs = events.check(&breaker);
        println!(
            "{tests:?}, {threads} threads: {admitted} permits, {} late, {} epochs",
            breaker.late(),
            epochs.count()
        );
        permits::check(&breaker, &epochs, admitted);
    }
}

#[test]
fn a_budget_gives_what_came_in() {
    let _turn = TURN.lock();
    for threads in [2, 4, 8, 16] {
        for brisk in [false, true] {
            let tokens = budget::run(threads, time(15) / 8, brisk);
            println!("{threads} threads took {tokens} tokens, with a brisk clock: {brisk}");
            assert!(tokens > 0, "some token was taken");
        }
    }
}

#[test]
fn a_share_of_failures_opens_what_it_should_and_nothing_else() {
    let _turn = TURN.lock();
    shares::all(time(15));
}
