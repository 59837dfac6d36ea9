//! Runs of 64-bit words: the head of a breaker, and its window.
//!
//! The heap holds them here; as they have no pointer in them and every process reads the same places,
//! they could as well be stretches of a mapped file.

use super::{
    layout::HEAD,
    sync::{AtomicU64, zero},
};

/// The words that every breaker has.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Head([AtomicU64; HEAD]);

impl Head {
    /// All zero.
    pub(crate) fn zeroed() -> Self {
        Self(std::array::from_fn(|_| zero()))
    }

    /// The word at `index`.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> &AtomicU64 {
        &self.0[index]
    }

    /// All of them.
    pub(crate) const fn words(&self) -> &[AtomicU64; HEAD] {
        &self.0
    }
}

/// `length` words of a window, all zero.
pub(crate) fn window(length: usize) -> Box<[AtomicU64]> {
    (0..length).map(|_| zero()).collect()
}
