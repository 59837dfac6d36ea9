//! Loom's, and what loom does not have.

pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};

/// [`std::sync::OnceLock`], as far as the cells use it, with an edge that loom sees: who made the value
/// says so, and nobody else has it before.
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    made: AtomicU64,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self { value: std::sync::OnceLock::new(), made: AtomicU64::new(0) }
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

/// The threads of a model are not the system's: they all share one number.
pub(crate) fn thread_number() -> usize {
    0
}
