//! A walk over the values of a registry. Between two steps it holds no lock.

use std::{
    fmt,
    sync::{Arc, PoisonError},
};

use super::{lock::Lock, ring::Ring};

/// The values of a [`Registry`](crate::Registry), one after the other. A value that stays in it for the
/// whole walk comes exactly once.
#[must_use = "a walk does nothing until it is taken"]
pub struct Values<'r, V> {
    ring: &'r Lock<Ring<V>>,
    next: usize,
}

impl<'r, V> Values<'r, V> {
    pub(super) const fn new(ring: &'r Lock<Ring<V>>) -> Self {
        Self { ring, next: 0 }
    }
}

impl<V> Iterator for Values<'_, V> {
    type Item = Arc<V>;

    fn next(&mut self) -> Option<Arc<V>> {
        let value = self.ring.read().unwrap_or_else(PoisonError::into_inner).at(self.next).cloned()?;
        self.next += 1;
        Some(value)
    }
}

impl<V> fmt::Debug for Values<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values").field("next", &self.next).finish_non_exhaustive()
    }
}
