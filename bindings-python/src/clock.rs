//! The clocks: one monotonic clock for the process, and clocks that a test moves by hand.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use overcurrent::{Clock, ManualClock as Manual, MonotonicClock, Span};
use pyo3::{PyTraverseError, PyVisit, prelude::*, types::PyFloat};

use crate::{
    stay, switch,
    value::{secs, span},
};

/// A clock for tests: it stands still until it is moved, and sleeping moves it.
#[pyclass(frozen, weakref, module = "overcurrent")]
pub(crate) struct ManualClock {
    core: Manual,
    /// The same clock, as the core's objects hold it; one, so that it can be recognised.
    shared: Arc<dyn Clock>,
    alarms: Mutex<Alarms>,
}

#[derive(Default)]
struct Alarms {
    set: u64,
    waiting: Vec<Waiting>,
}

struct Waiting {
    number: u64,
    due: u64,
    event_loop: Py<PyAny>,
    callback: Py<PyAny>,
}

#[pymethods]
impl ManualClock {
    #[new]
    fn new() -> Self {
        let core = Manual::new();
        Self { shared: Arc::new(core.clone()), core, alarms: Mutex::default() }
    }

    /// Nanoseconds since its creation, as it was moved.
    #[getter]
    pub(crate) fn now_ns(&self) -> u64 {
        self.core.now().as_nanos()
    }

    /// Moves it on.
    fn advance(&self, py: Python<'_>, duration: &Bound<'_, PyAny>) -> PyResult<()> {
        self.forward(py, span(duration, "duration")?)
    }

    /// Sets it to so long after its creation, also back.
    fn set(&self, py: Python<'_>, duration: &Bound<'_, PyAny>) -> PyResult<()> {
        self.core.set(span(duration, "duration")?.into());
        self.ring(py)
    }

    fn __repr__(&self) -> String {
        format!("<ManualClock at {}>", Span::from_nanos(self.now_ns()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(alarms) = self.alarms.try_lock() else { return Ok(()) };
        for waiting in &alarms.waiting {
            visit.call(&waiting.event_loop)?;
            visit.call(&waiting.callback)?;
        }
        Ok(())
    }
}

impl ManualClock {
    fn forward(&self, py: Python<'_>, by: Span) -> PyResult<()> {
        self.core.advance(by.into());
        self.ring(py)
    }

    fn alarms(&self) -> std::sync::MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the callbacks that are due run by their event loops.
    fn ring(&self, py: Python<'_>) -> PyResult<()> {
        let now = self.now_ns();
        let due: Vec<Waiting> = self.alarms().waiting.extract_if(.., |waiting| waiting.due <= now).collect();
        for waiting in due {
            stay::method(waiting.event_loop.bind(py), "call_soon_threadsafe", (waiting.callback,))?;
        }
        Ok(())
    }
}

/// A callback that waits for a manual clock.
#[pyclass(frozen, module = "overcurrent._core")]
pub(crate) struct Alarm {
    clock: Py<ManualClock>,
    number: u64,
}

#[pymethods]
impl Alarm {
    fn cancel(&self) {
        let mut alarms = self.clock.get().alarms();
        let cancelled = alarms.waiting.iter().position(|waiting| waiting.number == self.number);
        let cancelled = cancelled.map(|index| alarms.waiting.swap_remove(index));
        drop(alarms);
        drop(cancelled);
    }
}

/// Where an object takes its time from.
pub(crate) struct Time {
    manual: Option<Py<ManualClock>>,
}

impl Time {
    pub(crate) const fn new(manual: Option<Py<ManualClock>>) -> Self {
        Self { manual }
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        Self { manual: self.manual.as_ref().map(|clock| clock.clone_ref(py)) }
    }

    /// The clock. Without one of its own, every object has the same, so that they agree on the time.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        static MONOTONIC: OnceLock<Arc<dyn Clock>> = OnceLock::new();
        match &self.manual {
            Some(manual) => Arc::clone(&manual.get().shared),
            None => Arc::clone(MONOTONIC.get_or_init(|| Arc::new(MonotonicClock::new()))),
        }
    }

    /// Whether a test moves it by hand.
    pub(crate) const fn is_manual(&self) -> bool {
        self.manual.is_some()
    }

    /// Whether both are the same clock.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.clock(), &other.clock())
    }

    /// Whether waits are skipped instead of slept; a manual clock is moved anyway.
    pub(crate) fn skips(&self) -> bool {
        self.manual.is_none() && switch::is_instant()
    }

    /// Blocks for `span`; a manual clock is moved instead.
    pub(crate) fn sleep(&self, py: Python<'_>, span: Span) -> PyResult<()> {
        if let Some(manual) = &self.manual {
            return manual.get().forward(py, span);
        }
        // Python's own, as it lets signals through.
        stay::method(py.import("time")?.as_any(), "sleep", (secs(span),))?;
        Ok(())
    }

    /// The seconds that an event loop is to sleep before `slept`.
    pub(crate) fn pause(&self, span: Span) -> f64 {
        if self.is_manual() { 0.0 } else { secs(span) }
    }

    /// The end of a pause of `span`: a manual clock is moved.
    pub(crate) fn slept(&self, py: Python<'_>, span: Span) -> PyResult<()> {
        self.manual.as_ref().map_or(Ok(()), |manual| manual.get().forward(py, span))
    }

    /// Has `callback` run by `event_loop` after `span`; what comes back can be cancelled.
    pub(crate) fn alarm<'py>(
        &self,
        event_loop: &Bound<'py, PyAny>,
        callback: &Bound<'py, PyAny>,
        span: Span,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = event_loop.py();
        let Some(clock) = &self.manual else {
            let delay = PyFloat::new(py, secs(span));
            return stay::method(event_loop, "call_later", (delay, callback));
        };
        if span == Span::ZERO {
            return stay::method(event_loop, "call_soon", (callback,));
        }
        let mut alarms = clock.get().alarms();
        alarms.set += 1;
        let number = alarms.set;
        alarms.waiting.push(Waiting {
            number,
            due: clock.get().now_ns().saturating_add(span.as_nanos()),
            event_loop: event_loop.clone().unbind(),
            callback: callback.clone().unbind(),
        });
        drop(alarms);
        Ok(Bound::new(py, Alarm { clock: clock.clone_ref(py), number })?.into_any())
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.manual)
    }
}
