//! Where the time comes from: a monotonic clock, or one that a test moves by hand.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

use crate::kernel::time::{Instant, Span};

/// A source of time that never runs backwards, and a way to wait on it.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time since some fixed moment of this clock's own.
    fn now(&self) -> Instant;

    /// Blocks the thread for `span`.
    fn sleep(&self, span: Span);

    /// The time as it was at most [`Self::grain`] ago: for who can do with that, where it is cheaper.
    fn coarse(&self) -> Instant {
        self.now()
    }

    /// By how much [`Self::coarse`] may lag behind [`Self::now`].
    fn grain(&self) -> Span {
        Span::ZERO
    }
}

static MACHINE: MonotonicClock = MonotonicClock(());

/// The machine's monotonic clock; the default. All of them read the same time.
#[derive(Clone, Copy, Debug, Default)]
pub struct MonotonicClock(());

impl MonotonicClock {
    /// The machine's clock.
    pub const fn new() -> Self {
        Self(())
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Clock for MonotonicClock {
    #[inline]
    fn now(&self) -> Instant {
        reading(ClockId::Monotonic)
    }

    fn sleep(&self, span: Span) {
        std::thread::sleep(span.into());
    }

    /// The time of the kernel's last tick: no counter of the processor is read.
    #[inline]
    fn coarse(&self) -> Instant {
        reading(ClockId::MonotonicCoarse)
    }

    fn grain(&self) -> Span {
        span(clock_getres(ClockId::MonotonicCoarse))
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn reading(clock: ClockId) -> Instant {
    Instant::ZERO.after(span(clock_gettime(clock)))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn span(time: Timespec) -> Span {
    // Neither is negative in a reading of a monotonic clock.
    let secs = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    Span::from_nanos(secs.saturating_mul(1_000_000_000).saturating_add(nanos))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Clock for MonotonicClock {
    fn now(&self) -> Instant {
        static ORIGIN: std::sync::LazyLock<std::time::Instant> =
            std::sync::LazyLock::new(std::time::Instant::now);
        Instant::ZERO.after(Span::from(ORIGIN.elapsed()))
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
    /// The caller's own; the machine's where there is none, which is then read without asking which.
    own: Option<Arc<dyn Clock>>,
    origin: Instant,
}

impl Timer {
    /// Starts at zero now.
    pub(crate) fn start(own: Option<Arc<dyn Clock>>) -> Self {
        let mut timer = Self { own, origin: Instant::ZERO };
        timer.origin = timer.now();
        timer
    }

    /// Was zero at this reading of the clock.
    pub(crate) fn since(clock: Arc<dyn Clock>, origin: Instant) -> Self {
        Self { own: Some(clock), origin }
    }

    /// One on the same clock that starts now.
    pub(crate) fn restarted(&self) -> Self {
        Self::start(self.own.clone())
    }

    #[inline]
    pub(crate) fn now(&self) -> Instant {
        self.since_origin(match &self.own {
            None => MACHINE.now(),
            Some(own) => own.now(),
        })
    }

    /// As [`Self::now`], up to the clock's grain ago.
    #[inline]
    pub(crate) fn coarse(&self) -> Instant {
        self.since_origin(match &self.own {
            None => MACHINE.coarse(),
            Some(own) => own.coarse(),
        })
    }

    fn since_origin(&self, reading: Instant) -> Instant {
        Instant::ZERO.after(reading.since(self.origin))
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.own.as_deref().unwrap_or(&MACHINE)
    }

    /// How much later than `earlier` this one was started, on the same clock.
    pub(crate) fn behind(&self, earlier: &Self) -> Span {
        self.origin.since(earlier.origin)
    }
}
