//! The calls of a guard that have begun, and those that were healthy: ended with the success of their only or
//! last attempt. Threads count on words of their own where they fight over them.
//!
//! INVARIANT: a call has begun before it ends, and who reads the ends first sees no more of them than begins.

use super::{sharded::Sharded, sync::Ordering};

const BEGUN: usize = 0;
const HEALTHY: usize = 1;

/// The calls of one guard in memory.
#[derive(Debug)]
pub(crate) struct CallCells(Sharded<2>);

impl CallCells {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(Sharded::new())
    }

    /// A call begins.
    #[inline]
    pub(crate) fn begin(&self) {
        // ORDERING: relaxed; the end of the call orders it, see `end`.
        self.0.add(BEGUN, 1, Ordering::Relaxed);
    }

    /// A healthy call ends.
    #[inline]
    pub(crate) fn end(&self) {
        // ORDERING: release, so that who has seen this end sees that the call had begun; on x86 it costs nothing.
        self.0.add(HEALTHY, 1, Ordering::Release);
    }

    /// How many calls were healthy.
    pub(crate) fn healthy(&self) -> u64 {
        // ORDERING: acquire pairs with the release of `end`.
        self.0.total(HEALTHY, Ordering::Acquire)
    }

    /// How many calls have begun. To be read after the ends.
    pub(crate) fn begun(&self) -> u64 {
        // ORDERING: relaxed; what must be seen was ordered by reading the ends.
        self.0.total(BEGUN, Ordering::Relaxed)
    }

    /// Begins at zero again; for who is alone with it, as the child of a fork is.
    pub(crate) fn clear(&self) {
        self.0.clear();
    }
}

#[cfg(all(test, not(overcurrent_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_call_begins_and_ends_and_all_can_begin_again() {
        let cells = CallCells::new();
        let calls = |cells: &CallCells| (cells.healthy(), cells.begun());
        cells.begin();
        assert_eq!(calls(&cells), (0, 1));
        cells.end();
        assert_eq!(calls(&cells), (1, 1));
        cells.clear();
        assert_eq!(calls(&cells), (0, 0));
    }

    #[test]
    fn threads_count_exactly() {
        const THREADS: u64 = 4;
        const EACH: u64 = 50_000;
        let cells = CallCells::new();
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..EACH {
                        cells.begin();
                        cells.end();
                    }
                });
            }
            for _ in 0..1000 {
                let ended = cells.healthy();
                assert!(ended <= cells.begun(), "a call ended that had not begun");
            }
        });
        assert_eq!((cells.healthy(), cells.begun()), (THREADS * EACH, THREADS * EACH));
    }
}
