//! An error as the one that is being handled, as it is in an `except` block: `sys.exc_info()` and
//! `logging.exception` find it, and what is raised meanwhile has it as its context.

#![expect(unsafe_code, reason = "pyo3 has no safe way to say which error is being handled")]

use std::ptr;

use pyo3::{exceptions::PyBaseException, ffi, prelude::*};

/// While it lives, an error is being handled.
struct Handled<'py> {
    before: Option<Bound<'py, PyAny>>,
}

impl<'py> Handled<'py> {
    fn new(error: &Bound<'py, PyBaseException>) -> Self {
        let py = error.py();
        // SAFETY: the GIL is held, as `py` says, and what comes back is a reference of our own, or null.
        let before = unsafe { Bound::from_owned_ptr_or_opt(py, ffi::PyErr_GetHandledException()) };
        // SAFETY: as above; `error` is an instance of an exception, and a reference to it is taken.
        unsafe { ffi::PyErr_SetHandledException(error.as_ptr()) };
        Self { before }
    }
}

impl Drop for Handled<'_> {
    fn drop(&mut self) {
        let before = self.before.as_ref().map_or(ptr::null_mut(), Bound::as_ptr);
        // SAFETY: the GIL is still held, as `'py` says; it is what was there before, an exception, None or null.
        unsafe { ffi::PyErr_SetHandledException(before) };
    }
}

/// Does something while an error is being handled.
pub(crate) fn handling<R>(error: &Bound<'_, PyBaseException>, step: impl FnOnce() -> R) -> R {
    let _handled = Handled::new(error);
    step()
}
