//! The one interpreter of a process that may use the extension.
//!
//! What the extension keeps is the process's: classes of exceptions that were looked up, listeners, switches. To
//! a second interpreter of the process (one of those that `mod_wsgi` makes, say) they would be the objects of a stranger: its
//! `except BreakerOpen` would not catch what is raised there. Python itself refuses such an extension only to
//! interpreters that ask for that.
//!
//! An interpreter is known by its module `sys`, which is kept, so that no other one can come to lie where it lay.

use pyo3::{exceptions::PyImportError, prelude::*, sync::PyOnceLock};

const REFUSED: &str = "overcurrent is in use by another interpreter of this process, and its state is the \
                       process's: import it in one only, the main one (mod_wsgi: `WSGIApplicationGroup %{GLOBAL}`)";

static FIRST: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// Lets the first interpreter have the extension, and no other.
///
/// # Errors
/// `ImportError`: this is another one.
pub(crate) fn claim(py: Python<'_>) -> PyResult<()> {
    let this = py.import("sys")?;
    // Where it is set already, this one is left as it is.
    let late = FIRST.set(py, this.clone().unbind());
    drop(late);
    if FIRST.get(py).is_some_and(|first| first.is(&this)) {
        return Ok(());
    }
    Err(PyImportError::new_err(REFUSED))
}
