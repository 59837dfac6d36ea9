//! Where the time comes from: a monotonic clock, or one that a test moves by hand.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::kernel::time::{Instant, Span};

/// A source of time that never runs backwards, and a way to wait on it.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time since some fixed moment of this clock's own.
    fn now(&self) -> Instant;

    /// Blocks the thread for `span`.
    fn sleep(&self, span: Span);
}

/// The machine's monotonic clock; the default.
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock {
    origin: std::time::Instant,
}

impl MonotonicClock {
    /// A clock that reads zero now.
    pub fn new() -> Self {
        Self { origin: std::time::Instant::now() }
    }
}

impl Default for MonotonicClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for MonotonicClock {
    fn now(&self) -> Instant {
        Instant::ZERO.after(Span::from(self.origin.elapsed()))
    }

    fn sleep(&self, span: Span) {
        std::thread::sleep(span.into());
    }
}

/// A clock for tests: it stands still until it is moved, and sleeping moves it. Clones share one time.
///
/// ```
/// use overcurrent::{Clock, ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// clock.advance(Duration::from_millis(250));
/// assert_eq!(clock.now().as_nanos(), 250_000_000);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    nanos: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock that reads zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock on, saturating.
    pub fn advance(&self, by: Duration) {
        let by = Span::from(by).as_nanos();
        let step = |nanos: u64| Some(nanos.saturating_add(by));
        // The closure never refuses.
        let _ = self.nanos.fetch_update(Ordering::AcqRel, Ordering::Acquire, step);
    }

    /// Sets the clock to `since_start` after its zero, also back.
    pub fn set(&self, since_start: Duration) {
        self.nanos.store(Span::from(since_start).as_nanos(), Ordering::Release);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.nanos.load(Ordering::Acquire))
    }

    fn sleep(&self, span: Span) {
        self.advance(span.into());
    }
}

/// A clock read from the creation of the object that holds it.
#[derive(Clone, Debug)]
pub(crate) struct Timer {
    clock: Arc<dyn Clock>,
    origin: Instant,
}

impl Timer {
    /// Starts at zero now.
    pub(crate) fn start(clock: Arc<dyn Clock>) -> Self {
        let origin = clock.now();
        Self::since(clock, origin)
    }

    /// Was zero at this reading of the clock.
    pub(crate) fn since(clock: Arc<dyn Clock>, origin: Instant) -> Self {
        Self { clock, origin }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO.after(self.clock.now().since(self.origin))
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// How much later than `earlier` this one was started, on the same clock.
    pub(crate) fn behind(&self, earlier: &Self) -> Span {
        self.origin.since(earlier.origin)
    }
}
