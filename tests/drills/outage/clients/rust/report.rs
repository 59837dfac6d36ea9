//! Time since the start, and the lines.

use std::{
    io::{self, Write},
    process,
    time::Instant,
};

use overcurrent_outage::{
    line::{Call, Ending, Line},
    script::millis,
};

/// The reporter of one client.
#[derive(Debug)]
pub(crate) struct Report {
    start: Instant,
}

impl Report {
    /// Counts time from this instant.
    pub(crate) fn begin(start: Instant) -> Self {
        Self { start }
    }

    /// The instant of the start.
    pub(crate) fn start(&self) -> Instant {
        self.start
    }

    /// Milliseconds since the start.
    pub(crate) fn now(&self) -> f64 {
        millis(self.start.elapsed())
    }

    /// Writes that a call has ended now.
    pub(crate) fn call(&self, start: f64, result: Ending, attempts: u32, retried: Vec<f64>) {
        write(&Line::Call(Call { start, end: self.now(), result, attempts, retried }));
    }
}

/// Writes a line; ends the process when nobody reads any more.
pub(crate) fn write(line: &Line) {
    let written = serde_json::to_string(line)
        .map_err(io::Error::from)
        .and_then(|text| writeln!(io::stdout().lock(), "{text}"));
    if written.is_err() {
        process::exit(1);
    }
}
