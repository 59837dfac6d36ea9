//! The calls of a guard that have begun, and those that were healthy: ended with the success of their only or
//! last attempt.
//!
//! | word | holds | written by |
//! | --- | --- | --- |
//! | begun, healthy | calls, until threads fight over the words | adds |
//! | quick begun, quick healthy | calls that a runtime (JavaScript) added in place, as `quick` of a breaker | that runtime |
//!
//! All only grow. Every 1024th call looks whether `begun` is fought over: whether it changes while it is read 64
//! times. Where it does, each thread counts in a shard of its own from then on.
//!
//! INVARIANT: a call has begun before it ends, and who reads the ends first sees no more of them than begins.

use super::{
    shards::Shards,
    sync::{AtomicU64, Ordering, zero},
    tallies::quick_total,
};

const BEGUN: usize = 0;
const HEALTHY: usize = 1;
/// Of so many calls one looks whether the word is fought over.
const SAMPLE: u64 = 1024;
/// How often it then reads the word: for about 50 ns.
const READINGS: usize = 64;

/// The calls of one guard in memory.
#[derive(Debug)]
pub struct CallCells {
    /// Begun and healthy, then the quick ones.
    words: [AtomicU64; 4],
    shards: Shards<2>,
}

impl CallCells {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { words: std::array::from_fn(|_| zero()), shards: Shards::none() }
    }

    /// A call begins.
    #[inline]
    pub(crate) fn begin(&self) {
        // ORDERING: relaxed; the end of the call orders it, see `end`.
        if let Some(lane) = self.shards.lane() {
            lane[BEGUN].fetch_add(1, Ordering::Relaxed);
            return;
        }
        let before = self.words[BEGUN].fetch_add(1, Ordering::Relaxed);
        if before % SAMPLE == SAMPLE - 1 {
            self.sample(before);
        }
    }

    /// A healthy call ends.
    #[inline]
    pub(crate) fn end(&self) {
        // ORDERING: release, so that who has seen this end sees that the call had begun; on x86 it costs nothing.
        let lane = self.shards.lane();
        lane.map_or(&self.words[HEALTHY], |lane| &lane[HEALTHY]).fetch_add(1, Ordering::Release);
    }

    /// Looks whether others write to the same word at this very moment.
    #[cold]
    #[inline(never)]
    fn sample(&self, before: u64) {
        let own = before.wrapping_add(1);
        if (0..READINGS).any(|_| self.words[BEGUN].load(Ordering::Relaxed) != own) {
            self.shards.grow();
        }
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
        let quick = self.words[place + 2].load(ordering);
        self.words[place]
            .load(ordering)
            .wrapping_add(quick_total(quick))
            .wrapping_add(self.shards.total(place, ordering))
    }

    /// The words that a runtime adds to in place: quick begun, quick healthy.
    pub fn quick(&self) -> [&AtomicU64; 2] {
        [&self.words[2], &self.words[3]]
    }
}

#[cfg(all(test, not(overcurrent_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_once_whether_sharded_or_not() {
        let cells = CallCells::new();
        let calls = |cells: &CallCells| (cells.healthy(), cells.begun());
        cells.begin();
        assert_eq!(calls(&cells), (0, 1));
        cells.shards.grow();
        cells.begin();
        cells.end();
        assert_eq!(calls(&cells), (1, 2));
        cells.end();
        assert_eq!(calls(&cells), (2, 2));
        cells.quick()[0].store(5, Ordering::Relaxed);
        cells.quick()[1].store(3, Ordering::Relaxed);
        assert_eq!(calls(&cells), (5, 7));
    }

    #[test]
    fn only_a_word_that_others_write_to_is_sharded() {
        let cells = CallCells::new();
        (0..10 * SAMPLE).for_each(|_| cells.begin());
        assert!(cells.shards.lane().is_none(), "one thread alone fights with nobody");
        cells.sample(10 * SAMPLE - 1);
        assert!(cells.shards.lane().is_none(), "it is as this thread left it");
        cells.sample(5);
        assert!(cells.shards.lane().is_some());
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
