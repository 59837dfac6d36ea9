//! One thing to measure: a name, what it is compared by, and a closure that does it n times.
//!
//! INVARIANT: the loop is inside the closure, so measuring adds nothing per operation but the loop
//! itself, which is a subject too. What an operation returns goes through `black_box`.

use std::{fmt, hint::black_box};

use serde::Serialize;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// What the machine takes for a step that others are made of.
    Floor,
    /// A closed breaker admits a call and is told that it succeeded.
    Success,
    /// An open breaker rejects a call.
    Rejection,
    /// A closed breaker admits a call and is told that it failed, which does not open it.
    Failure,
    /// A function under a retry succeeds at its first attempt.
    Retry,
    /// A retry budget is paid into or drawn from.
    Budget,
    /// A blocking function succeeds under a whole guard.
    Guard,
    /// The object of a key is found in a registry.
    Lookup,
}

impl Operation {
    /// Its name in a table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Success => "closed success",
            Self::Rejection => "open rejection",
            Self::Failure => "recorded failure",
            Self::Retry => "healthy retry",
            Self::Budget => "budget",
            Self::Guard => "guard call",
            Self::Lookup => "keyed lookup",
        }
    }
}

/// The kind of window, by which breakers are comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// No window, or none that matters.
    None,
    /// Failures in a row.
    Consecutive,
    /// A number of calls.
    Calls,
    /// A length of time.
    Time,
    /// A length of time, with slow calls counted.
    SlowTime,
}

impl Window {
    /// Its name in a sentence.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "no window",
            Self::Consecutive => "consecutive",
            Self::Calls => "call window",
            Self::Time => "time window",
            Self::SlowTime => "time window, slow calls",
        }
    }
}

/// Whose code is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The machine's and the standard library's.
    Floor,
    /// This project's.
    Own,
    /// Another crate's.
    Peer,
}

/// One thing to measure.
pub struct Subject {
    /// What is done.
    pub operation: Operation,
    /// Whose code it is.
    pub whose: Whose,
    /// The name of the floor or the crate.
    pub name: String,
    /// The kind of window.
    pub window: Window,
    /// The policy, and what else should be known.
    pub label: &'static str,
    /// Whether two threads on one object are measured too.
    pub pair: bool,
    batch: Box<dyn Fn(u64) + Send + Sync>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.title())
    }
}

impl Subject {
    /// Does `once` n times in a loop of its own.
    pub fn new<R>(
        operation: Operation,
        whose: Whose,
        name: impl Into<String>,
        window: Window,
        label: &'static str,
        once: impl Fn() -> R + Send + Sync + 'static,
    ) -> Self {
        let batch = move |count| {
            for _ in 0..count {
                black_box(once());
            }
        };
        Self::batched(operation, whose, name, window, label, batch)
    }

    /// Has `batch` do it n times.
    pub fn batched(
        operation: Operation,
        whose: Whose,
        name: impl Into<String>,
        window: Window,
        label: &'static str,
        batch: impl Fn(u64) + Send + Sync + 'static,
    ) -> Self {
        let name = name.into();
        Self { operation, whose, name, window, label, pair: true, batch: Box::new(batch) }
    }

    /// Without two threads: they would share nothing.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.pair = false;
        self
    }

    /// Does it `count` times.
    pub fn run(&self, count: u64) {
        (self.batch)(count);
    }

    /// All its names in one line.
    pub fn title(&self) -> String {
        format!("{}: {}, {}", self.operation.as_str(), self.name, self.label)
    }
}
