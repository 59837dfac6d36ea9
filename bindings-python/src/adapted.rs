//! A guard as the adapter of a protocol calls through it: with the protocol's rules, and told whether the
//! call may be made more than once.

use std::sync::Arc;

use overcurrent::{BreakerOpen, First, Guard as Core};
use pyo3::{
    PyTraverseError, PyVisit,
    prelude::*,
    types::{PyDict, PyTuple},
};

use crate::{
    blocking,
    call::Call,
    first,
    guard::Guard,
    hooks::Settings,
    machine::{Machine, Short, Subject},
};

/// The state of a guard adapted to one call; `overcurrent._adapted.Adapted` is built on it.
#[pyclass(frozen, subclass, module = "overcurrent._core")]
pub(crate) struct Adapted {
    course: Course,
    settings: Py<Settings>,
}

/// A guard, and how its calls go.
struct Course {
    guard: Arc<Core>,
    repeatable: bool,
}

#[pymethods]
impl Adapted {
    #[new]
    fn new(guard: &Bound<'_, Guard>, rules: &Bound<'_, PyAny>, repeatable: bool) -> PyResult<Self> {
        let (py, guard) = (guard.py(), guard.get());
        let Settings { hooks, time, .. } = guard.settings.get();
        let settings = Settings::new(hooks.with_rules(rules), time.clone_ref(py));
        let course = Course { guard: Arc::clone(&guard.core), repeatable };
        Ok(Self { course, settings: Py::new(py, settings)? })
    }

    /// Whether attempts are bounded in time.
    #[getter(_bounded)]
    fn bounded(&self) -> bool {
        self.course.is_bounded()
    }

    /// Makes a call that waits in the calling thread; `kwargs` is nobody else's.
    #[pyo3(name = "_run", signature = (function, args, kwargs, /))]
    fn run<'py>(
        &self,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        blocking::run(&self.course, &self.settings, function, args, kwargs)
    }

    /// The call that `_run` makes with `kwargs`, for somebody else.
    #[pyo3(name = "_running", signature = (kwargs, /))]
    fn running<'py>(&self, kwargs: &Bound<'py, PyDict>) -> PyResult<Option<Bound<'py, Call>>> {
        blocking::find(&self.course, &self.settings, kwargs)
    }

    /// Begins a call that waits in the calling thread.
    #[pyo3(name = "_begin")]
    fn begin<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Call>> {
        first::begin(py, &self.course, &self.settings)
    }

    /// Begins a call that leaves the waiting to its caller: its first attempt, or `None`, and nothing is begun.
    #[pyo3(name = "_first")]
    fn first<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        first::first(py, &self.course, &self.settings)
    }

    /// Begins the same, to be resumed.
    #[pyo3(name = "_begin_async")]
    fn begin_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Call>> {
        first::begin_async(py, &self.course, &self.settings)
    }

    /// Whether the attempt of what `_first` gave, which has returned, is over with that.
    #[pyo3(name = "_ended", signature = (begun, /))]
    fn ended(&self, begun: &Bound<'_, PyAny>) -> PyResult<bool> {
        first::ended(begun.py(), &self.course, begun)
    }

    /// The call of what `_first` gave, for its loop.
    #[pyo3(name = "_full", signature = (begun, kwargs, /))]
    fn full<'py>(
        &self,
        begun: &Bound<'py, PyAny>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, Call>> {
        first::full(&self.course, &self.settings, begun, kwargs)
    }

    /// The call of what `_first` gave, for somebody else.
    #[pyo3(name = "_lend", signature = (begun, kwargs, /))]
    fn lend<'py>(
        &self,
        begun: &Bound<'py, PyAny>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, Call>> {
        first::lend(&self.course, &self.settings, begun, kwargs)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.settings)
    }
}

impl Subject for Course {
    /// None: the protocol's rules are asked about each result, so each call needs its machine.
    fn first(&self) -> Option<First> {
        None
    }

    fn succeeded(&self, first: First) -> bool {
        self.guard.succeeded(first)
    }

    fn is_quiet(&self, first: First) -> bool {
        self.guard.is_quiet(first)
    }

    fn short(&self, _: First) -> Option<Short> {
        None
    }

    fn refused(&self) -> Option<BreakerOpen> {
        self.guard.refused()
    }

    fn is_bounded(&self) -> bool {
        self.guard.is_bounded()
    }

    fn adopt(&self, first: First) -> Machine {
        Subject::adopt(&self.guard, first)
    }

    fn start(&self) -> Machine {
        let machine = self.guard.start();
        if self.repeatable { machine } else { machine.once() }
    }
}
