//! Things of the package's own modules, looked up once.
//!
//! INVARIANT: no lock is held while they are looked up. That runs Python, which lets other threads run, and
//! one of these may fork: a child would wait for ever.

use pyo3::{prelude::*, sync::PyOnceLock};

/// A name in a module.
pub(crate) struct Imported {
    module: &'static str,
    name: &'static str,
    kept: PyOnceLock<Py<PyAny>>,
}

impl Imported {
    pub(crate) const fn new(module: &'static str, name: &'static str) -> Self {
        Self { module, name, kept: PyOnceLock::new() }
    }

    /// What it stands for.
    #[inline]
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.kept.get(py) {
            Some(kept) => Ok(kept.bind(py).clone()),
            None => self.find(py),
        }
    }

    /// Whether it was ever asked for.
    pub(crate) fn is_known(&self, py: Python<'_>) -> bool {
        self.kept.get(py).is_some()
    }

    #[cold]
    fn find<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let found = py.import(self.module)?.getattr(self.name)?;
        // Another thread may have been first, with the same.
        let late = self.kept.set(py, found.clone().unbind());
        drop(late);
        Ok(found)
    }
}
