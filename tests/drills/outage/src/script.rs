//! What happens to the upstream, and when.
//!
//! | phase | the upstream |
//! | --- | --- |
//! | healthy, recovery | answers after a few milliseconds |
//! | slow | answers correctly, far too late |
//! | half 503 | answers half of the requests with 503 and a Retry-After |
//! | hanging | takes requests and never answers |
//! | resets | takes requests and resets the connection |

use std::time::Duration;

/// What the upstream does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers after `latency`.
    Answer {
        /// How long it takes.
        latency: Duration,
    },
    /// Answers half of the requests, and the other half with 503.
    Busy {
        /// How long an answer takes.
        latency: Duration,
        /// The Retry-After of a 503, in seconds.
        retry_after: u64,
    },
    /// Does not answer until the phase ends.
    Hang,
    /// Resets the connection.
    Reset,
}

/// A stretch of time with one behaviour.
#[derive(Clone, Debug)]
pub struct Phase {
    /// Its short name.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// What the upstream does.
    pub behaviour: Behaviour,
    /// When it begins, since the start of the script.
    pub start: Duration,
    /// When it ends, since the start of the script.
    pub end: Duration,
    /// Whether it is part of the outage.
    pub outage: bool,
}

/// The phases, without a gap. The first and the last are healthy, those between are the outage.
#[derive(Clone, Debug)]
pub struct Script {
    phases: Vec<Phase>,
}

impl Script {
    /// The script of the demonstration.
    pub fn demo() -> Self {
        let latency = Duration::from_millis(5);
        let seconds = Duration::from_secs;
        Self::new(&[
            ("healthy", "answers at once", Behaviour::Answer { latency }, seconds(3)),
            (
                "slow",
                "answers after 500 ms",
                Behaviour::Answer { latency: Duration::from_millis(500) },
                seconds(3),
            ),
            (
                "half 503",
                "refuses every other request",
                Behaviour::Busy { latency, retry_after: 1 },
                seconds(4),
            ),
            ("hanging", "never answers", Behaviour::Hang, seconds(3)),
            ("resets", "cuts connections", Behaviour::Reset, seconds(3)),
            ("recovery", "answers at once", Behaviour::Answer { latency }, seconds(5)),
        ])
    }

    /// A script of (name, about, behaviour, duration); everything but its first and its last phase is
    /// the outage.
    pub fn new(rows: &[(&'static str, &'static str, Behaviour, Duration)]) -> Self {
        let last = rows.len().saturating_sub(1);
        let mut start = Duration::ZERO;
        let mut phases = Vec::with_capacity(rows.len());
        for (place, &(name, about, behaviour, lasts)) in rows.iter().enumerate() {
            let end = start + lasts;
            phases.push(Phase { name, about, behaviour, start, end, outage: place != 0 && place != last });
            start = end;
        }
        Self { phases }
    }

    /// The phases in order.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// The phase at this time since the start; the last one goes on for ever.
    pub fn at(&self, elapsed: Duration) -> &Phase {
        let place = self.phases.partition_point(|phase| phase.end <= elapsed);
        &self.phases[place.min(self.phases.len() - 1)]
    }

    /// How long it takes.
    pub fn total(&self) -> Duration {
        self.phases.last().map_or(Duration::ZERO, |phase| phase.end)
    }

    /// When the outage begins.
    pub fn outage_start(&self) -> Duration {
        self.phases.first().map_or(Duration::ZERO, |phase| phase.end)
    }

    /// When the outage is over.
    pub fn recovery_start(&self) -> Duration {
        self.phases.last().map_or(Duration::ZERO, |phase| phase.start)
    }
}

/// A duration in milliseconds, the unit of all lines and of the report.
pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_follow_each_other_without_a_gap() {
        let script = Script::demo();
        let mut end = Duration::ZERO;
        for phase in script.phases() {
            assert_eq!(phase.start, end);
            assert!(phase.end > phase.start);
            assert_eq!(script.at(phase.start).name, phase.name);
            let last = phase.end.saturating_sub(Duration::from_nanos(1));
            assert_eq!(script.at(last).name, phase.name);
            end = phase.end;
        }
        assert_eq!(script.total(), end);
        assert_eq!(script.at(end * 2).name, "recovery");
    }

    #[test]
    fn the_outage_is_what_lies_between() {
        let script = Script::demo();
        assert_eq!(script.at(script.outage_start()).name, "slow");
        assert_eq!(script.at(script.recovery_start()).name, "recovery");
        assert!(script.phases().iter().filter(|phase| phase.outage).count() == 4);
    }
}
