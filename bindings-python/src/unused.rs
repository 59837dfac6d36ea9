//! Breakers with a name of their own that nobody has used yet. Such a one comes to life with its first use; until
//! then it is told among the metrics as one that stands closed and has counted nothing.
//!
//! INVARIANT: no Python code runs, and nothing of Python's is dropped, under the lock.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use overcurrent::{BreakerMetrics, Name, Position};

use crate::weakly::Weakly;

static UNUSED: Mutex<Weakly<Unused>> = Mutex::new(Weakly::none());

/// The name of a breaker, until that is used.
pub(crate) struct Unused {
    name: Name,
    used: AtomicBool,
}

impl Unused {
    /// One that is listed.
    pub(crate) fn named(name: &str) -> Arc<Self> {
        let unused = Arc::new(Self { name: name.into(), used: AtomicBool::new(false) });
        UNUSED.lock().unwrap_or_else(PoisonError::into_inner).enter(Arc::downgrade(&unused));
        unused
    }

    /// It is used from now on.
    pub(crate) fn used(&self) {
        // ORDERING: relaxed; who reads it holds the GIL, too.
        self.used.store(true, Ordering::Relaxed);
    }
}

/// What there is to tell of those that are there.
pub(crate) fn metrics() -> Vec<BreakerMetrics> {
    let living = UNUSED.lock().unwrap_or_else(PoisonError::into_inner).living();
    let unused = living.iter().filter(|one| !one.used.load(Ordering::Relaxed));
    unused.map(|one| BreakerMetrics::of(one.name.clone(), Position::Closed)).collect()
}
