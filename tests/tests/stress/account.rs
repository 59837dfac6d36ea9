//! What the threads of a stress did, by their own account, and the sums that must come out.

use std::collections::HashMap;

use overcurrent::{Breaker, Outcome, Position};

use crate::{
    events::{Decided, Epochs},
    scenario::{Scenario, Tests},
};

/// The account of one thread, or of all.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) admitted: u64,
    pub(crate) rejected: u64,
    pub(crate) in_flight: u64,
    counted: u64,
    late: u64,
    late_failures: u64,
    late_slow: u64,
    /// What was counted, by the epoch that admitted it.
    epochs: HashMap<u32, Counted>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    successes: u64,
    failures: u64,
    slow: u64,
}

impl Account {
    /// An outcome was recorded, and counted or late.
    pub(crate) fn settled(&mut self, epoch: u32, outcome: Outcome, slow: bool, counted: bool) {
        let failed = outcome == Outcome::Failure;
        let counts = failed || outcome == Outcome::Success;
        if !counted {
            self.late += 1;
            self.late_failures += u64::from(failed);
            self.late_slow += u64::from(slow && counts);
            return;
        }
        self.counted += 1;
        if counts {
            let of = self.epochs.entry(epoch).or_default();
            of.failures += u64::from(failed);
            of.successes += u64::from(!failed);
            of.slow += u64::from(slow);
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.admitted += other.admitted;
        self.rejected += other.rejected;
        self.in_flight += other.in_flight;
        self.counted += other.counted;
        self.late += other.late;
        self.late_failures += other.late_failures;
        self.late_slow += other.late_slow;
        for (epoch, counted) in other.epochs {
            self.epochs.entry(epoch).or_default().add(counted);
        }
    }

    pub(crate) const fn late(&self) -> u64 {
        self.late
    }

    /// Holds the account against the breaker's own.
    pub(crate) fn check(&self, scenario: Scenario, breaker: &Breaker, epochs: &Epochs) {
        assert_eq!(self.admitted, self.counted + self.late + self.in_flight, "every call is accounted for");
        assert_eq!(breaker.late(), self.late, "late is what came late");
        self.check_totals(scenario, breaker, epochs);
        for epoch in epochs.half_open() {
            let counted = self.epochs.get(&epoch).copied().unwrap_or_default();
            counted.check(scenario, epoch, epochs.decided(epoch));
        }
        for epoch in self.epochs.keys() {
            let position = epochs.position(*epoch);
            assert!(
                !matches!(position, Position::Open | Position::ForcedOpen),
                "epoch {epoch}, {position}, admits nothing"
            );
        }
    }

    /// The totals are those counted while calls passed.
    fn check_totals(&self, scenario: Scenario, breaker: &Breaker, epochs: &Epochs) {
        let mut passed = Counted::default();
        for (epoch, counted) in &self.epochs {
            if matches!(epochs.position(*epoch), Position::Closed | Position::ForcedClosed) {
                passed.add(*counted);
            }
        }
        let totals = breaker.cells().totals();
        let totals = Counted { successes: totals.successes, failures: totals.failures, slow: totals.slow };
        match scenario.tests {
            Tests::Consecutive => {
                assert_eq!(totals, Counted::default(), "nothing is counted without a window");
            }
            Tests::Time | Tests::Calls => assert_eq!(totals, passed, "the totals are what was counted"),
        }
    }
}

impl Counted {
    fn add(&mut self, other: Self) {
        self.successes += other.successes;
        self.failures += other.failures;
        self.slow += other.slow;
    }

    /// What the probes of one epoch may have answered.
    fn check(self, scenario: Scenario, epoch: u32, decided: Decided) {
        let (close_after, reopen_after) = (u64::from(scenario.close_after), u64::from(scenario.reopen_after));
        let Self { successes, failures, .. } = self;
        let trials = u64::from(scenario.trials());
        assert!(successes + failures <= trials, "epoch {epoch} has too many answers: {self:?}");
        if scenario.slow_call {
            // A slow success may have counted either way.
            return;
        }
        let within = successes <= close_after && failures <= reopen_after;
        assert!(within, "epoch {epoch} has too many answers: {self:?}");
        let decides = match decided {
            // By a reset, if not by its probes.
            Decided::Closed => successes == close_after || scenario.commands,
            Decided::Failed => failures == reopen_after,
            Decided::Otherwise => successes < close_after && failures < reopen_after,
        };
        assert!(decides, "epoch {epoch} was decided as {decided:?} by {self:?}");
    }
}
