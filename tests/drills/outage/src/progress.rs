//! What is shown while it runs: one line that is rewritten on a terminal, one line a second elsewhere.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
    time::Duration,
};

use crate::{
    arrivals::Arrivals,
    client::{Client, Language, Mode},
    line::{Ending, State},
    record::Record,
    script::Script,
};

/// The line.
#[derive(Debug)]
pub struct Progress {
    rewrites: bool,
    last_second: Option<u64>,
}

impl Progress {
    /// Looks whether standard output is a terminal.
    pub fn new() -> Self {
        Self { rewrites: io::stdout().is_terminal(), last_second: None }
    }

    /// Shows how things stand.
    pub fn show(&mut self, script: &Script, arrivals: &Arrivals, records: &[Record; Client::COUNT]) {
        let elapsed = arrivals.elapsed();
        if !self.rewrites {
            let second = Some(elapsed.as_secs());
            if self.last_second == second {
                return;
            }
            self.last_second = second;
        }
        let line = line(elapsed, script, arrivals, records);
        let mut out = io::stdout().lock();
        // Without wrapping, a narrow terminal cuts the line instead of breaking the rewriting.
        // A terminal that has gone is no reason to stop the run.
        let _ = if self.rewrites {
            write!(out, "\r\x1b[2K\x1b[?7l{line}\x1b[?7h")
        } else {
            writeln!(out, "{line}")
        };
        let _ = out.flush();
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

fn line(
    elapsed: Duration,
    script: &Script,
    arrivals: &Arrivals,
    records: &[Record; Client::COUNT],
) -> String {
    let phase = if elapsed < script.total() { script.at(elapsed).name } else { "last calls" };
    let mut line = format!("{:4.1} s {phase:<10} ", elapsed.as_secs_f64());
    let (mut calls, mut retries, mut rejected) = (0, 0, 0);
    for language in Language::ALL {
        let record = &records[Client { language, mode: Mode::Guarded }.index()];
        let state = match record.state() {
            Some(State::Closed) => "closed",
            Some(State::Open) => "OPEN",
            Some(State::HalfOpen) => "half-open",
            None => "–",
        };
        // Writing to a string does not fail.
        let _ = write!(line, "│ {} {state:<9} ", language.word());
        calls += record.total();
        rejected += record.ended(Ending::Rejected);
        retries += record.samples.last().map_or(0, |sample| sample.retries);
    }
    let naive_retries: u32 = Client::of(Mode::Naive).map(|client| records[client.index()].retries()).sum();
    let _ = write!(
        line,
        "│ calls {calls:4} retries {retries:2} (naive {naive_retries}) rejected {rejected} │ req/s {:3} (naive {:3})",
        load(arrivals, elapsed, Mode::Guarded),
        load(arrivals, elapsed, Mode::Naive),
    );
    line
}

/// The upstream's requests from the clients of a mode during the last second.
fn load(arrivals: &Arrivals, elapsed: Duration, mode: Mode) -> u32 {
    let (from, to) = (elapsed.saturating_sub(Duration::from_secs(1)), elapsed);
    Client::of(mode).map(|client| arrivals.seen(client).between(from, to)).sum()
}
