//! The atomics of the cells: the standard ones, or loom's when a model is checked.

#[cfg(not(overcurrent_loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(overcurrent_loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};

#[cfg(not(overcurrent_loom))]
pub(crate) use std::sync::OnceLock;

/// [`std::sync::OnceLock`], as far as the cells use it, with an edge that loom sees: who made the value
/// says so, and nobody else has it before.
#[cfg(overcurrent_loom)]
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    made: AtomicU64,
}

#[cfg(overcurrent_loom)]
impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self { value: std::sync::OnceLock::new(), made: zero() }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.value.get().filter(|_| self.made.load(Ordering::Acquire) == 1)
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        self.value.set(value)?;
        self.made.store(1, Ordering::Release);
        Ok(())
    }
}

/// A word that is zero.
pub(crate) fn zero() -> AtomicU64 {
    AtomicU64::new(0)
}

/// A number of this thread's own, small and the same for as long as it lives.
#[cfg(not(overcurrent_loom))]
#[inline]
pub(crate) fn thread_number() -> usize {
    use std::{cell::Cell, sync::atomic::AtomicUsize};

    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    }
    NUMBER.get().unwrap_or_else(|| {
        // ORDERING: relaxed; threads need different numbers and nothing else.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        NUMBER.set(Some(number));
        number
    })
}

/// A model's threads are not the system's: they all share one number.
#[cfg(overcurrent_loom)]
pub(crate) fn thread_number() -> usize {
    0
}
