//! What guards, breakers, retries and adapted guards have in common: calls go through them.
//!
//! INVARIANT: what is lazy belongs to one object of Python's, as its part of a `Caller` and as its own; the
//! `Caller` visits what it holds.

use std::sync::{Arc, OnceLock};

use overcurrent::Guard;
use pyo3::{
    PyClass, PyTraverseError, PyVisit,
    prelude::*,
    types::{PyDict, PyTuple},
};

use crate::{
    blocking,
    call::Call,
    course::Course,
    first,
    hooks::Settings,
    lazy::{Lazy, LazyBreaker, LazyRetry},
    machine::Subject,
};

/// What calls go through; `overcurrent._calls.Caller` is built on it.
#[pyclass(frozen, subclass, module = "overcurrent._core")]
pub(crate) struct Caller {
    through: Through,
    pub(crate) settings: Py<Settings>,
}

/// What the calls of a `Caller` go through.
pub(crate) enum Through {
    Guard(Arc<Guard>),
    Breaker(AtHand<LazyBreaker>),
    Retry(AtHand<LazyRetry>),
    Adapted(Course),
}

/// What is lazy, and what it is alive, once it is: for calls to find at hand.
pub(crate) struct AtHand<L: Lazy> {
    lazy: Arc<L>,
    live: OnceLock<Arc<L::Core>>,
}

impl<L: Lazy> AtHand<L> {
    const fn new(lazy: Arc<L>) -> Self {
        Self { lazy, live: OnceLock::new() }
    }

    #[inline]
    fn core(&self) -> &Arc<L::Core> {
        self.live.get().unwrap_or_else(|| self.enliven())
    }

    #[cold]
    #[inline(never)]
    fn enliven(&self) -> &Arc<L::Core> {
        self.live.get_or_init(|| Arc::clone(self.lazy.core()))
    }
}

impl Through {
    pub(crate) const fn breaker(lazy: Arc<LazyBreaker>) -> Self {
        Self::Breaker(AtHand::new(lazy))
    }

    pub(crate) const fn retry(lazy: Arc<LazyRetry>) -> Self {
        Self::Retry(AtHand::new(lazy))
    }
}

/// Does something with the `Subject` of a `Caller`, written once and compiled for each kind of it.
macro_rules! through {
    ($caller:expr, |$subject:ident| $done:expr) => {
        match &$caller.through {
            Through::Guard($subject) => $done,
            Through::Breaker(breaker) => {
                let $subject = breaker.core();
                $done
            }
            Through::Retry(retry) => {
                let $subject = retry.core();
                $done
            }
            Through::Adapted($subject) => $done,
        }
    };
}

impl Caller {
    pub(crate) const fn new(through: Through, settings: Py<Settings>) -> Self {
        Self { through, settings }
    }

    /// The object of which this is a part.
    pub(crate) fn of<T: PyClass<BaseType = Self>>(self, own: T) -> PyClassInitializer<T> {
        PyClassInitializer::from(self).add_subclass(own)
    }
}

#[pymethods]
impl Caller {
    /// Whether attempts are bounded in time.
    #[getter(_bounded)]
    fn bounded(&self) -> bool {
        match &self.through {
            Through::Guard(guard) => guard.is_bounded(),
            Through::Adapted(course) => course.is_bounded(),
            // Which is known before they come to life.
            Through::Breaker(_) | Through::Retry(_) => false,
        }
    }

    /// Makes a call that waits in the calling thread; `kwargs` is nobody else's.
    #[pyo3(name = "_run", signature = (function, args, kwargs, /))]
    fn run<'py>(
        &self,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        through!(self, |subject| blocking::run(subject, &self.settings, function, args, kwargs))
    }

    /// The call that `_run` makes with `kwargs`, for somebody else.
    #[pyo3(name = "_running", signature = (kwargs, /))]
    fn running<'py>(&self, kwargs: &Bound<'py, PyDict>) -> PyResult<Option<Bound<'py, Call>>> {
        through!(self, |subject| blocking::find(subject, &self.settings, kwargs))
    }

    /// Begins a call that waits in the calling thread.
    #[pyo3(name = "_begin")]
    fn begin<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Call>> {
        through!(self, |subject| first::begin(py, subject, &self.settings))
    }

    /// Begins a call that leaves the waiting to its caller: its first attempt, or `None`, and nothing is begun.
    #[pyo3(name = "_first")]
    fn first<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        through!(self, |subject| first::first(py, subject, &self.settings))
    }

    /// Begins the same, to be resumed.
    #[pyo3(name = "_begin_async")]
    fn begin_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Call>> {
        through!(self, |subject| first::begin_async(py, subject, &self.settings))
    }

    /// Whether the attempt of what `_first` gave, which has returned, is over with that.
    #[pyo3(name = "_ended", signature = (begun, /))]
    fn ended(&self, begun: &Bound<'_, PyAny>) -> PyResult<bool> {
        through!(self, |subject| first::ended(begun.py(), subject, begun))
    }

    /// The call of what `_first` gave, for its loop.
    #[pyo3(name = "_full", signature = (begun, kwargs, /))]
    fn full<'py>(
        &self,
        begun: &Bound<'py, PyAny>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, Call>> {
        through!(self, |subject| first::full(subject, &self.settings, begun, kwargs))
    }

    /// The call of what `_first` gave, for somebody else.
    #[pyo3(name = "_lend", signature = (begun, kwargs, /))]
    fn lend<'py>(
        &self,
        begun: &Bound<'py, PyAny>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, Call>> {
        through!(self, |subject| first::lend(subject, &self.settings, begun, kwargs))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.through {
            Through::Guard(_) | Through::Adapted(_) => {}
            Through::Breaker(breaker) => breaker.lazy.traverse(&visit)?,
            Through::Retry(retry) => retry.lazy.traverse(&visit)?,
        }
        visit.call(&self.settings)
    }
}
