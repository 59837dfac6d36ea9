//! One admission, used up by one outcome.

use std::sync::{Arc, Mutex, PoisonError};

use overcurrent::{Breaker as Core, Outcome, Permit as Admission};
use pyo3::prelude::*;

use crate::{behalf::within_current, events::deliver, value::span};

/// The right to make one call. Say what became of the call with one of its methods; letting go of it
/// says that the call was cancelled, and using it again does nothing.
#[pyclass(frozen, module = "overcurrent")]
pub(crate) struct Permit {
    admission: Mutex<Option<Admission<Arc<Core>>>>,
}

impl Permit {
    pub(crate) const fn new(admission: Admission<Arc<Core>>) -> Self {
        Self { admission: Mutex::new(Some(admission)) }
    }

    /// A permit that counts nowhere.
    pub(crate) const fn of_none() -> Self {
        Self { admission: Mutex::new(None) }
    }

    fn record(&self, py: Python<'_>, outcome: Outcome, took: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let took = took.map(|took| span(took, "took")).transpose()?;
        let admission = self.admission.lock().unwrap_or_else(PoisonError::into_inner).take();
        within_current(py, || match (admission, took) {
            (None, _) => {}
            (Some(admission), None) => admission.record(outcome),
            (Some(admission), Some(took)) => admission.record_took(outcome, took.into()),
        })?;
        deliver(py)
    }
}

#[pymethods]
impl Permit {
    /// The call succeeded.
    #[pyo3(signature = (took=None))]
    fn success(&self, py: Python<'_>, took: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        self.record(py, Outcome::Success, took)
    }

    /// The call failed.
    #[pyo3(signature = (took=None))]
    fn failure(&self, py: Python<'_>, took: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        self.record(py, Outcome::Failure, took)
    }

    /// The call ended in a way that says nothing of the dependency.
    #[pyo3(signature = (took=None))]
    fn ignored(&self, py: Python<'_>, took: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        self.record(py, Outcome::Ignored, took)
    }

    /// The caller gave up.
    #[pyo3(signature = (took=None))]
    fn cancelled(&self, py: Python<'_>, took: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        self.record(py, Outcome::Cancelled, took)
    }

    /// The permit itself; leaving the block without an outcome says that the call was cancelled.
    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _class: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        self.record(py, Outcome::Cancelled, None)?;
        Ok(false)
    }
}
