//! Things of Python's, made or looked up once, by the first who needs them.
//!
//! INVARIANT: no lock of Rust's is held while they are looked up, as it would be in pyo3's own `get_or_init`,
//! `import` and `intern!`. That runs Python, or lets go of the GIL, and another thread may fork: the child
//! would wait for ever. What is loaded for it is loaded under the lock of Python's that a fork takes.

use overcurrent::Name;
use pyo3::{
    prelude::*,
    sync::PyOnceLock,
    types::{PyString, PyTuple},
};

use crate::stay;

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
        let lock = py.import("overcurrent._fork")?.getattr("loading")?;
        stay::method(&lock, "acquire", PyTuple::empty(py))?;
        let found = self.load(py);
        stay::method(&lock, "release", PyTuple::empty(py))?;
        let found = found?;
        // Another thread may have been first, with the same.
        let late = self.kept.set(py, found.clone().unbind());
        drop(late);
        Ok(found)
    }

    /// As `from module import name`.
    fn load<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (builtins, nothing) = (py.import("builtins")?, py.None());
        let args = (self.module, &nothing, &nothing, (self.name,));
        stay::method(builtins.as_any(), "__import__", args)?.getattr(self.name)
    }
}

/// A word as Python's string, made once.
pub(crate) struct Word {
    kept: PyOnceLock<Py<PyString>>,
}

impl Word {
    pub(crate) const fn unmade() -> Self {
        Self { kept: PyOnceLock::new() }
    }

    /// The string of `word`, which is the same one each time.
    #[inline]
    pub(crate) fn of<'py>(&self, py: Python<'py>, word: &'static str) -> Bound<'py, PyString> {
        match self.kept.get(py) {
            Some(kept) => kept.bind(py).clone(),
            None => self.make(py, word),
        }
    }

    #[cold]
    fn make<'py>(&self, py: Python<'py>, word: &str) -> Bound<'py, PyString> {
        let made = PyString::new(py, word);
        let late = self.kept.set(py, made.clone().unbind());
        drop(late);
        made
    }
}

/// A name as Python's string, made once.
pub(crate) struct NameText {
    kept: PyOnceLock<(Name, Py<PyString>)>,
}

impl NameText {
    pub(crate) const fn unmade() -> Self {
        Self { kept: PyOnceLock::new() }
    }

    /// The string of a name, which is made again where it is another than the first one.
    #[inline]
    pub(crate) fn of<'py>(&self, py: Python<'py>, name: &Name) -> Bound<'py, PyString> {
        match self.kept.get(py).filter(|(known, _)| known == name) {
            Some((_, kept)) => kept.bind(py).clone(),
            None => self.make(py, name),
        }
    }

    #[cold]
    fn make<'py>(&self, py: Python<'py>, name: &Name) -> Bound<'py, PyString> {
        let made = PyString::new(py, name);
        // Where there is one already, that is kept.
        let late = self.kept.set(py, (name.clone(), made.clone().unbind()));
        drop(late);
        made
    }
}
