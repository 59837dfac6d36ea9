//! The place where one thread of another runtime counts the calls of a guard.

use std::sync::{Arc, atomic::AtomicU64};

use super::{guard::Guard, lanes::Lane};

/// Where one thread of a runtime that counts in place (JavaScript) has its calls of a guard: what began there is
/// part of what the guard has counted. When it is dropped, calls that are still under way in it were
/// cancelled: nobody is there to end them.
///
/// ```
/// use overcurrent::{CallLane, Ending, Guard};
/// use std::sync::Arc;
///
/// let guard = Arc::new(Guard::builder("payments").build()?);
/// let lane = CallLane::of(&guard);
/// lane.begin();
/// assert_eq!(guard.metrics().in_flight, 1);
/// drop(lane);
/// assert_eq!((guard.metrics().in_flight, guard.metrics().calls.of(Ending::Cancelled)), (0, 1));
/// # Ok::<(), overcurrent::InvalidPolicy>(())
/// ```
#[derive(Debug)]
pub struct CallLane {
    guard: Arc<Guard>,
    place: usize,
}

impl CallLane {
    /// A lane of this guard that no other thread has.
    pub fn of(guard: &Arc<Guard>) -> Self {
        Self { guard: Arc::clone(guard), place: guard.counts().lanes().take() }
    }

    fn lane(&self) -> &Lane {
        self.guard.counts().lanes().at(self.place).expect("a lane that was taken is never taken away")
    }

    /// The guard.
    pub const fn guard(&self) -> &Arc<Guard> {
        &self.guard
    }

    /// The words that the thread adds to, each a double: the calls that began, those of them that were healthy (ended with the
    /// success of their only attempt), and those whose end the guard is told of in another way. They do not move
    /// while the guard lives.
    pub fn words(&self) -> &[AtomicU64; 3] {
        self.lane().words()
    }

    /// A call begins here, its deposit left to the caller.
    pub fn begin(&self) {
        self.lane().begin();
    }

    /// Of a call that began here, the end is told to the guard.
    pub fn hand_over(&self) {
        self.lane().hand_over();
    }

    /// How many calls are under way here.
    pub fn under_way(&self) -> u64 {
        self.lane().under_way()
    }
}

impl Drop for CallLane {
    fn drop(&mut self) {
        let left = self.lane().give_back();
        self.guard.counts().lost(left);
    }
}
