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
//! | what is counted for metrics | zero: the parent goes on to tell it |
//! | a call under way in the thread that forked | counted in the child, too, once it goes on there |
//! | a seed of the operating system's | drawn anew, by the core, with the next draw |
//! | an idempotency key | another than the parent's, as the process takes part in it |
//!
//! INVARIANT: a lock is only held with the GIL held, and never while Python code runs. Who forks holds the GIL,
//! so nobody holds a lock then. In this crate they are those of
//!
//! - `behalf`: the tracer, and the span of an attempt
//! - `call`: a call under way; `permit`, `retry`: one admission, one call's attempts
//! - `clock`: the alarms of a manual clock
//! - `events`: the listeners, and the queue of each
//! - `registry`: the objects by which Python sees the guards
//! - `fork`, `unused`: what is listed there
//! - `breaker`, `budget`, `retry`: what comes to life with its first use (a `OnceLock`)
//!
//! and in the core those of the queues of events, of the transitions that came early, of what is measured, of a
//! breaker's last changes, and of a registry. The last one is built with the feature `fork`, as a lock that knows
//! its threads locks when a thread ends, which is without the GIL. Where pyo3 looks something up once, it lets go of
//! the GIL: `imported` has another way, and what pyo3 looks up for itself is looked up before a fork. Python's own
//! locks of modules are held by whoever loads one; `overcurrent._fork` has a fork wait for that.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicU32, Ordering},
};

use overcurrent::{Breaker, Guard, Registry};
use pyo3::{
    PyTypeInfo,
    panic::PanicException,
    prelude::*,
    types::{PyDelta, PyMapping},
};

use crate::{events::forget_waiting, hooks::Settings, weakly::Weakly};

/// All there are, as long as they live.
static LISTED: Mutex<Weakly<dyn Inherited>> = Mutex::new(Weakly::none());

/// How many forks lie between this process and the one that loaded the extension.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// What a child has a copy of that it must not take for its own.
pub(crate) trait Inherited: Send + Sync {
    /// Makes it the child's.
    fn forked(&self);
}

impl Inherited for Breaker {
    fn forked(&self) {
        Self::forked(self);
    }
}

impl Inherited for Guard {
    fn forked(&self) {
        Self::forked(self);
    }
}

impl Inherited for Registry<Guard> {
    fn forked(&self) {
        Self::forked(self);
        for guard in self.values() {
            guard.forked();
            if let Some(breaker) = guard.breaker() {
                breaker.forked();
            }
        }
    }
}

fn listed() -> MutexGuard<'static, Weakly<dyn Inherited>> {
    LISTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the child of a fork make an object its own.
pub(crate) fn remember(object: &Arc<impl Inherited + 'static>) {
    let object: Weak<dyn Inherited> = Arc::downgrade(object) as _;
    listed().enter(object);
}

/// The same number for as long as nobody forks; another one in a child.
#[inline]
pub(crate) fn forks() -> u32 {
    // ORDERING: relaxed; it changes where there is only one thread.
    FORKS.load(Ordering::Relaxed)
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
    // ORDERING: relaxed; as in `forks`.
    FORKS.fetch_add(1, Ordering::Relaxed);
    forget_waiting();
    let living = listed().living();
    for object in living {
        object.forked();
    }
}
