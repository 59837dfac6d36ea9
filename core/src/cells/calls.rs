//! The calls of a guard that have begun, and those that were healthy: ended with the success of their only or
//! last attempt.
//!
//! | word | holds | written by |
//! | --- | --- | --- |
//! | begun, healthy | calls | adds, on words of a thread's own where threads fight over them |
//! | quick begun, quick healthy | calls that a runtime (JavaScript) added in place, as `quick` of a breaker | that runtime |
//!
//! INVARIANT: a call has begun before it ends, and who reads the ends first sees no more of them than begins.

use super::{
    sharded::Sharded,
    sync::{AtomicU64, Ordering, zero},
    tallies::quick_total,
};

const BEGUN: usize = 0;
const HEALTHY: usize = 1;

/// The calls of one guard in memory.
#[derive(Debug)]
pub struct CallCells {
    counts: Sharded<2>,
    quick: [AtomicU64; 2],
}

impl CallCells {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { counts: Sharded::new(), quick: [zero(), zero()] }
    }

    /// A call begins.
    #[inline]
    pub(crate) fn begin(&self) {
        // ORDERING: relaxed; the end of the call orders it, see `end`.
        self.counts.add(BEGUN, 1, Ordering::Relaxed);
    }

    /// A healthy call ends.
    #[inline]
    pub(crate) fn end(&self) {
        // ORDERING: release, so that who has seen this end sees that the call had begun; on x86 it costs nothing.
        self.counts.add(HEALTHY, 1, Ordering::Release);
    }

    /// How many calls were healthy.
    pub(crate) fn healthy(&self) -> u64 {
        // ORDERING: acquire pairs with the release of `end`.
        self.total(HEALTHY, Ordering::Acquire)
    }

    /// How many calls have begun. To be read after the ends.
    pub(crate) fn begun(&self) -> u64 {
        // ORDERING: relaxed; what must be seen was ordered by reading the ends.
        self.total(BEGUN, Ordering::Relaxed)
    }

    fn total(&self, place: usize, ordering: Ordering) -> u64 {
        quick_total(self.quick[place].load(ordering)).wrapping_add(self.counts.total(place, ordering))
    }

    /// Begins at zero again; for who is alone with it, as the child of a fork is.
    pub(crate) fn clear(&self) {
        for word in &self.quick {
            // ORDERING: relaxed; nobody else is there to see it.
            word.store(0, Ordering::Relaxed);
        }
        self.counts.clear();
    }

    /// The words that a runtime adds to in place: quick begun, quick healthy.
    pub const fn quick(&self) -> &[AtomicU64; 2] {
        &self.quick
    }
}

#[cfg(all(test, not(overcurrent_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_once_in_whichever_word() {
        let cells = CallCells::new();
        let calls = |cells: &CallCells| (cells.healthy(), cells.begun());
        cells.begin();
        assert_eq!(calls(&cells), (0, 1));
        cells.end();
        assert_eq!(calls(&cells), (1, 1));
        cells.quick()[0].store(5, Ordering::Relaxed);
        cells.quick()[1].store(3, Ordering::Relaxed);
        assert_eq!(calls(&cells), (4, 6));
    }

    #[test]
    fn it_can_begin_again() {
        let cells = CallCells::new();
        cells.begin();
        cells.end();
        cells.quick()[0].store(5, Ordering::Relaxed);
        cells.clear();
        assert_eq!((cells.healthy(), cells.begun()), (0, 0));
        cells.begin();
        assert_eq!((cells.healthy(), cells.begun()), (0, 1));
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
