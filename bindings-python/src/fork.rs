//! What happens around a fork, so that the child starts with a sound state of its own.
//!
//! The child has a copy of everything, and of the threads only the one that forked. There
//!
//! | of | is |
//! | --- | --- |
//! | a lock | free |
//! | a half-open breaker | open with nothing remaining: who makes its probes may be gone |
//! | any other breaker, a budget, a window | as in the parent |
//! | an event that was not delivered yet | forgotten: the parent delivers it |
//! | a seed of the operating system's | drawn anew, by the core, with the next draw |
//! | an idempotency key | another than the parent's, as the process takes part in it |
//!
//! INVARIANT: a lock is only held with the GIL held, and never while Python code runs. Who forks holds the GIL,
//! so nobody holds a lock then. In this crate they are those of
//!
//! - `call`: a call under way; `permit`, `retry`: one admission, one call's attempts
//! - `clock`: the alarms of a manual clock
//! - `events`: the listeners, and the queue of each
//! - `registry`: the objects by which Python sees the guards
//! - `fork`: what is listed here
//! - `breaker`, `budget`, `retry`: what comes to life with its first use (a `OnceLock`)
//!
//! and in the core those of the queues of events, of the transitions that came early, and of a registry. The
//! last one is built with the feature `fork`, as a lock that knows its threads locks when a thread ends, which
//! is without the GIL. Where pyo3 looks something up once, it lets go of the GIL: `imported` has another way, and
//! what pyo3 looks up for itself is looked up before a fork. Python's own locks of modules are held by whoever
//! loads one; `overcurrent._fork` has a fork wait for that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use overcurrent::{Breaker, Guard, Registry};
use pyo3::{
    PyTypeInfo,
    panic::PanicException,
    prelude::*,
    types::{PyDelta, PyMapping},
};

use crate::{events::forget_waiting, hooks::Settings};

/// How many objects are listed before the dead ones are looked for.
const FIRST_SWEEP: usize = 64;

static LISTED: Mutex<Listed> = Mutex::new(Listed { objects: Vec::new(), sweep_at: FIRST_SWEEP });

/// What may have sent probes.
pub(crate) trait Probing: Send + Sync {
    /// Gives up those under way.
    fn forked(&self);
}

impl Probing for Breaker {
    fn forked(&self) {
        Self::forked(self);
    }
}

impl Probing for Registry<Guard> {
    fn forked(&self) {
        for guard in self.values() {
            if let Some(breaker) = guard.breaker() {
                breaker.forked();
            }
        }
    }
}

/// All there are, as long as they live.
struct Listed {
    objects: Vec<Weak<dyn Probing>>,
    sweep_at: usize,
}

fn listed() -> MutexGuard<'static, Listed> {
    LISTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the child of a fork give up the probes of an object.
pub(crate) fn remember(object: &Arc<impl Probing + 'static>) {
    let object: Weak<dyn Probing> = Arc::downgrade(object) as _;
    let mut listed = listed();
    if listed.objects.len() >= listed.sweep_at {
        listed.objects.retain(|object| object.strong_count() > 0);
        listed.sweep_at = FIRST_SWEEP.max(2 * listed.objects.len());
    }
    listed.objects.push(object);
}

/// In the parent, before a fork: has pyo3 look up what it looks up once, or waits until another thread has.
#[pyfunction]
pub(crate) fn before_fork(py: Python<'_>) {
    PanicException::type_object(py);
    PyDelta::type_object(py);
    PyMapping::type_object(py);
    Settings::type_object(py);
}

/// In the child, after a fork.
#[pyfunction]
pub(crate) fn after_fork() {
    forget_waiting();
    let living: Vec<Arc<dyn Probing>> = listed().objects.iter().filter_map(Weak::upgrade).collect();
    for object in living {
        object.forked();
    }
}
