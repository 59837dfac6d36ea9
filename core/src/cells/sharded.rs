//! Counters that any number of threads add to: plain words, until they are fought over.
//!
//! Every 1024th add looks whether its word is fought over: whether it changes while it is read 64 times. Where it
//! does, each thread counts in a shard of its own from then on. So what threads do not fight over takes no more
//! memory than its words.
//!
//! INVARIANT: counters only grow, and an add goes to one place.

use super::{
    shards::Shards,
    sync::{AtomicU64, Ordering, zero},
};

/// Of so many adds one looks whether the word is fought over.
const SAMPLE: u64 = 1024;
/// How often it then reads the word: for about 50 ns.
const READINGS: usize = 64;

/// `N` counters.
#[derive(Debug)]
pub(crate) struct Sharded<const N: usize> {
    words: [AtomicU64; N],
    shards: Shards<N>,
}

impl<const N: usize> Sharded<N> {
    /// All zero.
    pub(crate) fn new() -> Self {
        Self { words: std::array::from_fn(|_| zero()), shards: Shards::none() }
    }

    /// Adds to the counter at a place.
    #[inline]
    pub(crate) fn add(&self, place: usize, amount: u64, ordering: Ordering) {
        if let Some(lane) = self.shards.lane() {
            lane[place].fetch_add(amount, ordering);
            return;
        }
        let before = self.words[place].fetch_add(amount, ordering);
        if before % SAMPLE == SAMPLE - 1 {
            self.sample(place, before.wrapping_add(amount));
        }
    }

    /// Looks whether others write to the same word at this very moment.
    #[cold]
    #[inline(never)]
    fn sample(&self, place: usize, own: u64) {
        // ORDERING: relaxed; whatever is seen, it is only a guess that there will be more.
        if (0..READINGS).any(|_| self.words[place].load(Ordering::Relaxed) != own) {
            self.shards.grow();
        }
    }

    /// Has all of them begin at zero again; for who is alone with them.
    pub(crate) fn clear(&self) {
        for word in &self.words {
            // ORDERING: relaxed; nobody else is there to see it.
            word.store(0, Ordering::Relaxed);
        }
        self.shards.clear();
    }

    /// What was added at a place.
    pub(crate) fn total(&self, place: usize, ordering: Ordering) -> u64 {
        self.words[place].load(ordering).wrapping_add(self.shards.total(place, ordering))
    }
}

#[cfg(all(test, not(overcurrent_loom)))]
mod tests {
    use super::*;

    const RELAXED: Ordering = Ordering::Relaxed;

    #[test]
    fn each_place_has_its_sum_whether_sharded_or_not() {
        let counters = Sharded::<2>::new();
        let totals = || [0, 1].map(|place| counters.total(place, RELAXED));
        counters.add(1, 7, RELAXED);
        assert_eq!(totals(), [0, 7]);
        counters.shards.grow();
        counters.add(0, 1, RELAXED);
        counters.add(1, 2, RELAXED);
        assert_eq!(totals(), [1, 9]);
        counters.clear();
        assert_eq!(totals(), [0, 0]);
    }

    #[test]
    fn only_a_word_that_others_write_to_is_sharded() {
        let counters = Sharded::<1>::new();
        (0..10 * SAMPLE).for_each(|_| counters.add(0, 1, RELAXED));
        assert!(counters.shards.lane().is_none(), "one thread alone fights with nobody");
        counters.sample(0, 10 * SAMPLE);
        assert!(counters.shards.lane().is_none(), "it is as this thread left it");
        counters.sample(0, 5);
        assert!(counters.shards.lane().is_some());
        counters.add(0, 1, RELAXED);
        assert_eq!(counters.total(0, RELAXED), 10 * SAMPLE + 1);
    }
}
