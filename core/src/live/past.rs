//! The last changes of state of one breaker, to explain it by.
//!
//! INVARIANT: they are kept in the order of their epochs, whoever came first to tell of his.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::kernel::explain::Change;

/// How many are remembered.
const MOST: usize = 8;

/// What a breaker remembers once it has made a transition.
#[derive(Debug, Default)]
pub(crate) struct Past(Mutex<Vec<Change>>);

impl Past {
    pub(crate) fn note(&self, change: Change) {
        let mut changes = self.changes();
        if changes.len() == MOST {
            changes.remove(0);
        }
        // Epochs wrap, and those at hand lie close together.
        let later = |other: &Change| other.epoch.wrapping_sub(change.epoch).cast_signed() > 0;
        let place = changes.iter().position(later).unwrap_or(changes.len());
        changes.insert(place, change);
    }

    /// Those remembered, the oldest first.
    pub(crate) fn read(&self) -> Vec<Change> {
        self.changes().clone()
    }

    fn changes(&self) -> MutexGuard<'_, Vec<Change>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{
        outcome::{ChangeReason, Position},
        time::Instant,
    };

    #[test]
    fn the_last_ones_are_kept_in_their_order() {
        let past = Past::default();
        let (old, new, reason) = (Position::Open, Position::Closed, ChangeReason::Reset);
        let epochs = [1, 2, 4, 3, u32::MAX, 5, 7, 6, 9, 8].map(|epoch: u32| epoch.wrapping_sub(4));
        for epoch in epochs {
            past.note(Change { epoch, at: Instant::ZERO, old, new, reason, tested: None });
        }
        let kept: Vec<_> = past.read().iter().map(|change| change.epoch.wrapping_add(4)).collect();
        assert_eq!(kept, [2, 3, 4, 5, 6, 7, 8, 9]);
    }
}
