//! One thread of a stress: it asks for admission, holds a few calls at once, and says what became of
//! them; and keeps its own account of all that.

use std::{hint, thread, time::Duration};

use overcurrent::{
    Breaker, Instant, Outcome, Position, Span,
    kernel::{breaker::Command, call::Pass},
};

use crate::{
    account::Account,
    dice::Dice,
    events,
    gauge::Gauge,
    scenario::{SLOW, Scenario, Weather},
};

/// Calls that a thread holds at once, at most.
const HELD: usize = 4;

pub(crate) struct Caller<'s> {
    scenario: Scenario,
    breaker: &'s Breaker,
    gauge: &'s Gauge,
    dice: Dice,
    held: Vec<Call>,
    account: Account,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    pass: Pass,
    /// Whether it is counted by the gauge.
    probe: bool,
}

impl<'s> Caller<'s> {
    pub(crate) fn new(scenario: Scenario, breaker: &'s Breaker, gauge: &'s Gauge, seed: u64) -> Self {
        Self {
            scenario,
            breaker,
            gauge,
            dice: Dice::new(seed),
            held: Vec::new(),
            account: Account::default(),
        }
    }

    /// Calls until `end`; some calls are then still in flight.
    pub(crate) fn run(mut self, end: Instant, commands: bool) -> Account {
        loop {
            let now = self.breaker.now();
            if now >= end {
                self.account.in_flight += self.held.len() as u64;
                return self.account;
            }
            if commands && self.dice.below(400) == 0 {
                self.command(now);
            } else if self.held.is_empty() || self.held.len() < HELD && self.dice.hits(50) {
                self.ask(now);
            } else {
                self.settle(now);
            }
            if self.dice.below(200) == 0 {
                thread::yield_now();
            }
        }
    }

    fn command(&mut self, now: Instant) {
        let command = match self.dice.below(12) {
            0..3 => Command::Trip(None),
            3 => Command::Trip(Some(Duration::from_millis(4).into())),
            4..7 => Command::Reset,
            7 => Command::ForceOpen,
            8 => Command::ForceClosed,
            _ => Command::Automatic,
        };
        events::under_way(now, events::least(command, self.breaker.policy().cooldown));
        self.breaker.command_at(command, now);
        if matches!(command, Command::ForceOpen | Command::ForceClosed) {
            thread::yield_now();
            let now = self.breaker.now();
            events::under_way(now, Span::ZERO);
            self.breaker.command_at(Command::Automatic, now);
        }
    }

    /// Asks for admission: as a permit does, or with its time.
    fn ask(&mut self, now: Instant) {
        events::under_way(now, self.breaker.policy().cooldown);
        let quick = if self.dice.hits(50) { self.breaker.cells().pass() } else { None };
        let Ok(pass) = quick.map_or_else(|| self.breaker.acquire_at(now), Ok) else {
            self.account.rejected += 1;
            return (0..64).for_each(|_| hint::spin_loop());
        };
        self.account.admitted += 1;
        let probe = self.look(pass);
        if probe && self.dice.hits(20) {
            // It hangs for ever, as far as this stress goes.
            self.account.in_flight += 1;
        } else {
            self.held.push(Call { pass, probe });
        }
    }

    /// Whether the call just admitted is a probe. If its epoch is over already it is none to be counted.
    fn look(&self, pass: Pass) -> bool {
        let (probes, trials) = (u64::from(self.scenario.probes), u64::from(self.scenario.trials()));
        let state = self.breaker.cells().state();
        assert!(u64::from(state.probes.out) <= probes, "at most {probes} are out: {state:?}");
        assert!(u64::from(state.probes.granted()) <= trials, "at most {trials} are granted: {state:?}");
        let probe = state.epoch == pass.epoch && state.position == Position::HalfOpen;
        if probe {
            let (out, net) = self.gauge.enter(pass.epoch);
            assert!(out <= probes, "{out} probes of epoch {} are out, not at most {probes}", pass.epoch);
            assert!(net <= trials, "{net} probes of epoch {} were granted, not at most {trials}", pass.epoch);
        }
        probe
    }

    fn settle(&mut self, now: Instant) {
        let Call { pass, probe } = self.held.swap_remove(self.dice.below(self.held.len()));
        let weather = Weather::at(now);
        let (outcome, took) = self.outcome(weather);
        let abandoned = self.scenario.slow_call && took >= SLOW;
        let judged = match outcome {
            Outcome::Cancelled if abandoned => Outcome::Failure,
            outcome => outcome,
        };
        let back = matches!(judged, Outcome::Ignored | Outcome::Cancelled);
        if probe {
            self.gauge.leave(pass.epoch, back);
        }
        events::under_way(now, self.breaker.policy().cooldown);
        let quick = outcome == Outcome::Success && !self.scenario.slow_call && self.dice.hits(70);
        let counted = quick && self.breaker.cells().record_quickly(pass, || now)
            || self.breaker.record_at(pass, outcome, took.into(), now);
        self.account.settled(pass.epoch, judged, abandoned, counted);
    }

    fn outcome(&mut self, weather: Weather) -> (Outcome, Duration) {
        let outcome = match self.dice.below(100) {
            0..3 => Outcome::Ignored,
            3..6 => Outcome::Cancelled,
            _ if self.dice.hits(weather.failures()) => Outcome::Failure,
            _ => Outcome::Success,
        };
        let slow = self.scenario.slow_call && self.dice.hits(weather.slowness());
        (outcome, if slow { SLOW } else { Duration::ZERO })
    }
}
