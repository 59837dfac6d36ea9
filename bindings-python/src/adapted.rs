//! A guard as the adapter of a protocol calls through it: with the protocol's rules, and told whether the
//! call may be made more than once.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::{
    caller::{Caller, Through},
    course::Course,
    guard::Guard,
    hooks::Settings,
};

/// The state of a guard adapted to one call; `overcurrent._adapted.Adapted` is built on it.
#[pyclass(frozen, subclass, extends = Caller, module = "overcurrent._core")]
pub(crate) struct Adapted;

#[pymethods]
impl Adapted {
    #[new]
    fn new(
        guard: &Bound<'_, Guard>,
        rules: &Bound<'_, PyAny>,
        repeatable: bool,
    ) -> PyResult<PyClassInitializer<Self>> {
        let py = guard.py();
        let Settings { hooks, time, .. } = guard.as_super().get().settings.get();
        let settings = Py::new(py, Settings::new(hooks.with_rules(rules), time.clone_ref(py)))?;
        let course = Course::new(Arc::clone(&guard.get().core), repeatable);
        Ok(Caller::new(Through::Adapted(course), settings).of(Self))
    }
}
