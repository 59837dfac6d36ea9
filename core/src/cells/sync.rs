//! The atomics of the cells: the standard ones, or loom's when a model is checked.

#[cfg(not(overcurrent_loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(overcurrent_loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
