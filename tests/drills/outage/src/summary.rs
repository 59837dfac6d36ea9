//! The numbers of a finished run, by client and by phase.

use crate::{
    client::{Client, Language, Mode},
    line::{Call, Ending},
    run::Run,
    script::{Phase, millis},
};

/// What became of some calls.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fates {
    /// All of them.
    pub calls: u32,
    /// Those that got their answer.
    pub answers: u32,
    /// Those that ended with an error or a timeout.
    pub errors: u32,
    /// Those that the breaker did not admit.
    pub rejections: u32,
    /// How often the upstream was called for them.
    pub attempts: u32,
    waited: f64,
}

impl Fates {
    /// The fates of these calls.
    pub fn of<'a>(calls: impl IntoIterator<Item = &'a Call>) -> Self {
        calls.into_iter().fold(Self::default(), Self::with)
    }

    /// The mean time, in milliseconds, after which a caller that gets no answer knows it.
    pub fn wait_in_vain(&self) -> Option<f64> {
        let vain = self.errors + self.rejections;
        (vain > 0).then(|| self.waited / f64::from(vain))
    }

    /// Attempts for each call.
    pub fn attempts_per_call(&self) -> f64 {
        f64::from(self.attempts) / f64::from(self.calls.max(1))
    }

    fn with(mut self, call: &Call) -> Self {
        self.calls += 1;
        self.attempts += call.attempts;
        match call.result {
            Ending::Ok => self.answers += 1,
            Ending::Error | Ending::Timeout => self.errors += 1,
            Ending::Rejected => self.rejections += 1,
        }
        if call.result != Ending::Ok {
            self.waited += call.end - call.start;
        }
        self
    }
}

/// One client, or all three of a mode.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its language, `None` for all three.
    pub language: Option<Language>,
    /// Its mode.
    pub mode: Mode,
    /// What became of its calls.
    pub fates: Fates,
    /// Requests that the upstream had from it during the outage.
    pub load: u32,
    /// The most requests of it that the upstream had open at once.
    pub most_open: u32,
    /// From the end of the outage to its first answer, in milliseconds; of several, the last one's.
    pub first_answer: Option<f64>,
}

/// One phase, as the three clients of one mode met it. A call belongs to the phase in which it began.
#[derive(Clone, Copy, Debug)]
pub struct Met {
    /// What became of the calls.
    pub fates: Fates,
    /// Requests that arrived at the upstream.
    pub requests: u32,
}

/// A row for each client, each mode followed by one for its three together.
pub fn rows(run: &Run) -> Vec<Row> {
    Mode::ALL
        .into_iter()
        .flat_map(|mode| {
            let each = Client::of(mode).map(|client| row(run, client));
            each.chain([together(run, mode)])
        })
        .collect()
}

/// The row of the three clients of a mode.
pub fn together(run: &Run, mode: Mode) -> Row {
    let rows = || Client::of(mode).map(|client| row(run, client));
    let first = rows().map(|row| row.first_answer).collect::<Option<Vec<_>>>();
    Row {
        language: None,
        mode,
        fates: Fates::of(Client::of(mode).flat_map(|client| &run.record(client).calls)),
        load: rows().map(|row| row.load).sum(),
        most_open: run.by_bucket(mode, |seen| &seen.open).into_iter().max().unwrap_or(0),
        first_answer: first.and_then(|times| times.into_iter().max_by(f64::total_cmp)),
    }
}

/// How a phase went for the three clients of a mode.
pub fn met(run: &Run, phase: &Phase, mode: Mode) -> Met {
    let (start, end) = (millis(phase.start), millis(phase.end));
    let began = |call: &&Call| call.start >= start && call.start < end;
    Met {
        fates: Fates::of(Client::of(mode).flat_map(|client| run.record(client).calls.iter().filter(began))),
        requests: Client::of(mode).map(|client| run.seen(client).between(phase.start, phase.end)).sum(),
    }
}

fn row(run: &Run, client: Client) -> Row {
    let (record, seen) = (run.record(client), run.seen(client));
    Row {
        language: Some(client.language),
        mode: client.mode,
        fates: Fates::of(&record.calls),
        load: seen.between(run.script.outage_start(), run.script.recovery_start()),
        most_open: seen.most_open(),
        first_answer: record.first_answer_after(millis(run.script.recovery_start())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates_add_up() {
        let call = |end, result, attempts| Call { start: 100.0, end, result, attempts, retried: Vec::new() };
        let calls = [
            call(105.0, Ending::Ok, 1),
            call(140.0, Ending::Error, 2),
            call(300.0, Ending::Timeout, 3),
            call(100.0, Ending::Rejected, 0),
        ];
        let fates = Fates::of(&calls);
        assert_eq!((fates.calls, fates.answers, fates.errors, fates.rejections), (4, 1, 2, 1));
        assert_eq!(fates.wait_in_vain(), Some(80.0));
        assert!((fates.attempts_per_call() - 1.5).abs() < 1e-9);
        assert_eq!(Fates::default().wait_in_vain(), None);
    }
}
