//! Objects that are listed for as long as they live.

use std::sync::{Arc, Weak};

/// How many objects are listed before the dead ones are looked for.
const FIRST_SWEEP: usize = 64;

/// A list that keeps nothing alive.
pub(crate) struct Weakly<T: ?Sized> {
    objects: Vec<Weak<T>>,
    sweep_at: usize,
}

impl<T: ?Sized> Weakly<T> {
    pub(crate) const fn none() -> Self {
        Self { objects: Vec::new(), sweep_at: FIRST_SWEEP }
    }

    pub(crate) fn enter(&mut self, object: Weak<T>) {
        if self.objects.len() >= self.sweep_at {
            self.objects.retain(|object| object.strong_count() > 0);
            self.sweep_at = FIRST_SWEEP.max(2 * self.objects.len());
        }
        self.objects.push(object);
    }

    /// Those that live.
    pub(crate) fn living(&self) -> Vec<Arc<T>> {
        self.objects.iter().filter_map(Weak::upgrade).collect()
    }
}
