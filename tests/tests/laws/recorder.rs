//! A clock that a test moves by hand, and that remembers how long it was slept on.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use overcurrent::{Clock, Instant, ManualClock, Span};

/// The clock, and what it remembers.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    clock: ManualClock,
    sleeps: Arc<Mutex<Vec<Sleep>>>,
}

/// One sleep, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sleep {
    pub(crate) from: u64,
    pub(crate) span: u64,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self { clock: ManualClock::new(), sleeps: Arc::default() }
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.clone())
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, nanos: u64) {
        self.clock.advance(Duration::from_nanos(nanos));
    }

    pub(crate) fn sleeps(&self) -> Vec<Sleep> {
        self.sleeps.lock().expect("a list").clone()
    }
}

impl Clock for Recorder {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn sleep(&self, span: Span) {
        let sleep = Sleep { from: self.now().as_nanos(), span: span.as_nanos() };
        self.sleeps.lock().expect("a list").push(sleep);
        self.clock.sleep(span);
    }
}
