//! What a child process does right after a fork: it begins with a sound state of its own.
//!
//! - No lock is inherited held: all of this module's are only ever held with the interpreter's, and so by
//!   no thread but the one that forks, which holds none then.
//! - Seeds that came from the operating system, and keys of calls, are new: the core sees to that.
//! - Probes that are held by threads which the child does not have are forgotten, here.
//!
//! INVARIANT: the lock is not held while Python runs or while something of Python's is dropped.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use overcurrent::{Breaker, Guard};
use pyo3::{prelude::*, types::PyDict};

use crate::events::deliver;

/// How many breakers are remembered before those that are gone are looked for.
const FIRST_SWEEP: usize = 64;

static LIVING: Mutex<Living> = Mutex::new(Living { breakers: Vec::new(), sweep_at: FIRST_SWEEP });

struct Living {
    breakers: Vec<Weak<Breaker>>,
    sweep_at: usize,
}

/// Remembers a breaker, as long as it lives.
pub(crate) fn remember(breaker: &Arc<Breaker>) {
    let mut living = LIVING.lock().unwrap_or_else(PoisonError::into_inner);
    if living.breakers.len() >= living.sweep_at {
        living.breakers.retain(|breaker| breaker.strong_count() > 0);
        living.sweep_at = FIRST_SWEEP.max(2 * living.breakers.len());
    }
    living.breakers.push(Arc::downgrade(breaker));
}

/// Remembers the breaker that a guard has made for itself.
pub(crate) fn remember_of(guard: &Guard) {
    guard.breaker().into_iter().for_each(remember);
}

/// Goes on in a child process.
#[pyfunction]
pub(crate) fn forked(py: Python<'_>) -> PyResult<()> {
    let living = LIVING.lock().unwrap_or_else(PoisonError::into_inner).breakers.clone();
    living.iter().filter_map(Weak::upgrade).for_each(|breaker| breaker.forked());
    deliver(py)
}

/// Has each child process that Python forks begin so.
pub(crate) fn watch(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let os = py.import("os")?;
    // Where there is no fork, there is no such function.
    if let Ok(register) = os.getattr("register_at_fork") {
        let hooks = PyDict::new(py);
        hooks.set_item("after_in_child", module.getattr("forked")?)?;
        register.call((), Some(&hooks))?;
    }
    Ok(())
}
