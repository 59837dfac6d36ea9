//! A guard as the adapter of a protocol calls through it: with the protocol's rules, and told whether the
//! call may be made more than once.

use pyo3::{PyTraverseError, PyVisit, prelude::*};

use crate::{
    call::{Call, Machine},
    guard::{Guard, GuardRun},
    hooks::Settings,
};

/// The state of a guard adapted to one call; `overcurrent._adapted.Adapted` is built on it.
#[pyclass(frozen, subclass, module = "overcurrent._core")]
pub(crate) struct Adapted {
    guard: Py<Guard>,
    settings: Py<Settings>,
    repeatable: bool,
}

#[pymethods]
impl Adapted {
    #[new]
    fn new(guard: &Bound<'_, Guard>, rules: &Bound<'_, PyAny>, repeatable: bool) -> PyResult<Self> {
        let py = guard.py();
        let Settings { hooks, time } = guard.get().settings.get();
        let settings = Settings { hooks: hooks.with_rules(rules), time: time.clone_ref(py) };
        Ok(Self { guard: guard.clone().unbind(), settings: Py::new(py, settings)?, repeatable })
    }

    /// Begins a call that waits in the calling thread; its first attempt may be made.
    fn begin(&self, py: Python<'_>) -> PyResult<Call> {
        Call::blocking(py, self.settings.clone_ref(py), self.machine(py))
    }

    /// Begins a call that leaves the waiting to its caller.
    fn begin_async(&self, py: Python<'_>) -> Call {
        Call::new(self.settings.clone_ref(py), self.machine(py))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.guard)?;
        visit.call(&self.settings)
    }
}

impl Adapted {
    fn machine(&self, py: Python<'_>) -> Machine {
        match GuardRun::begin(self.guard.bind(py)) {
            Machine::Guard(run) if !self.repeatable => Machine::Guard(run.once()),
            machine => machine,
        }
    }
}
