//! What one client reported.

use crate::line::{Call, Ending, Line, Probe, Sample, State};

/// The lines of one client, sorted by kind, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The finished calls.
    pub calls: Vec<Call>,
    /// The finished probes.
    pub probes: Vec<Probe>,
    /// The states seen.
    pub samples: Vec<Sample>,
}

/// A stretch of time in one state, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// The state.
    pub state: State,
    /// When it was first seen.
    pub start: f64,
    /// When another one was first seen.
    pub end: f64,
}

impl Record {
    /// Takes one line.
    pub fn take(&mut self, line: Line) {
        match line {
            Line::Ready { .. } | Line::Idle => {}
            Line::Call(call) => self.calls.push(call),
            Line::Probe(probe) => self.probes.push(probe),
            Line::State(sample) => self.samples.push(sample),
        }
    }

    /// How many calls ended so.
    pub fn ended(&self, result: Ending) -> u32 {
        count(self.calls.iter().filter(|call| call.result == result))
    }

    /// All calls.
    pub fn total(&self) -> u32 {
        count(self.calls.iter())
    }

    /// All attempts.
    pub fn attempts(&self) -> u32 {
        self.calls.iter().map(|call| call.attempts).sum()
    }

    /// Attempts after the first one of a call.
    pub fn retries(&self) -> u32 {
        self.calls.iter().map(|call| call.attempts.saturating_sub(1)).sum()
    }

    /// The state seen last.
    pub fn state(&self) -> Option<State> {
        self.samples.last().map(|sample| sample.state)
    }

    /// From the start of the first call to the end of the last one.
    pub fn elapsed(&self) -> f64 {
        let start = self.calls.iter().map(|call| call.start).fold(f64::INFINITY, f64::min);
        let end = self.calls.iter().map(|call| call.end).fold(f64::NEG_INFINITY, f64::max);
        if end > start { end - start } else { 0.0 }
    }

    /// From `since` to the first answer after it.
    pub fn first_answer_after(&self, since: f64) -> Option<f64> {
        let answers = self.calls.iter().filter(|call| call.result == Ending::Ok && call.end >= since);
        answers.map(|call| call.end - since).min_by(f64::total_cmp)
    }

    /// The states as stretches, the last of which ends at `until`.
    pub fn stretches(&self, until: f64) -> Vec<Stretch> {
        let mut stretches: Vec<Stretch> = Vec::new();
        for sample in &self.samples {
            match stretches.last_mut() {
                Some(last) if last.state == sample.state => {}
                Some(last) => {
                    last.end = sample.at;
                    stretches.push(Stretch { state: sample.state, start: sample.at, end: until });
                }
                None => stretches.push(Stretch { state: sample.state, start: 0.0, end: until }),
            }
        }
        stretches.retain(|stretch| stretch.start < until);
        if let Some(last) = stretches.last_mut() {
            last.end = until;
        }
        stretches
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: f64, state: State) -> Sample {
        Sample { at, state, retries: 0, rejections: 0 }
    }

    #[test]
    fn samples_become_stretches() {
        let samples =
            [(5.0, State::Closed), (50.0, State::Closed), (70.0, State::Open), (300.0, State::Closed)]
                .map(|(at, state)| sample(at, state));
        let record = Record { samples: samples.to_vec(), ..Record::default() };
        let stretch = |state, start, end| Stretch { state, start, end };
        assert_eq!(
            record.stretches(200.0),
            [stretch(State::Closed, 0.0, 70.0), stretch(State::Open, 70.0, 200.0)]
        );
        assert_eq!(record.stretches(400.0)[2], stretch(State::Closed, 300.0, 400.0));
    }

    #[test]
    fn the_first_answer_may_belong_to_an_earlier_call() {
        let call = |start, end, result| Call { start, end, result, attempts: 2, retried: Vec::new() };
        let calls = vec![
            call(0.0, 5.0, Ending::Ok),
            call(50.0, 130.0, Ending::Ok),
            call(110.0, 112.0, Ending::Error),
            call(140.0, 145.0, Ending::Ok),
        ];
        let record = Record { calls, ..Record::default() };
        assert_eq!(record.first_answer_after(100.0), Some(30.0));
        assert_eq!(record.first_answer_after(200.0), None);
        assert_eq!((record.total(), record.attempts(), record.retries()), (4, 8, 4));
        assert!((record.elapsed() - 145.0).abs() < 1e-9);
    }
}
