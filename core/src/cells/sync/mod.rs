//! The atomics of the cells: the standard ones, or those of a model checker.

#[cfg(overcurrent_loom)]
mod model;
#[cfg(not(overcurrent_loom))]
mod native;

#[cfg(overcurrent_loom)]
pub(crate) use model::{AtomicU64, OnceLock, Ordering, thread_number};
#[cfg(not(overcurrent_loom))]
pub(crate) use native::{AtomicU64, OnceLock, Ordering, thread_number};

/// A word that is zero.
pub(crate) fn zero() -> AtomicU64 {
    AtomicU64::new(0)
}
