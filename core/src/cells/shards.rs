//! Counters for threads that would fight over one: each adds to a shard of its own.
//!
//! What counts starts without. INVARIANT: shards are made once and never taken away, and a counter only
//! grows, so a sum lies between the totals at its first and at its last load.

use super::sync::{AtomicU64, OnceLock, Ordering, thread_number, zero};

/// Counters of one thread. Two cache lines apart from the next, as processors fetch lines in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Shard<const N: usize>([AtomicU64; N]);

/// The shards of what counts `N` things, once it has been fought over.
#[derive(Debug)]
pub(crate) struct Shards<const N: usize = 1>(OnceLock<Box<[Shard<N>]>>);

impl<const N: usize> Shards<N> {
    /// None yet.
    pub(crate) fn none() -> Self {
        Self(OnceLock::new())
    }

    /// The counters of this thread, if there are shards.
    #[inline]
    pub(crate) fn lane(&self) -> Option<&[AtomicU64; N]> {
        let shards = self.0.get()?;
        Some(&shards[thread_number() & (shards.len() - 1)].0)
    }

    /// Makes the shards: twice as many as there are processors, a power of two from 4 to 64. To be
    /// called once, so that nobody waits here for another.
    pub(crate) fn grow(&self) {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let shard = |_| Shard(std::array::from_fn(|_| zero()));
        // There are none yet.
        let _ = self.0.set((0..places(processors)).map(shard).collect());
    }

    /// What the counters at one place hold together, read with `ordering`.
    pub(crate) fn total(&self, place: usize, ordering: Ordering) -> u64 {
        let Some(shards) = self.0.get() else { return 0 };
        shards.iter().fold(0, |sum, shard| sum.wrapping_add(shard.0[place].load(ordering)))
    }

    /// Has all of them begin at zero again; for who is alone with them.
    pub(crate) fn clear(&self) {
        for word in self.0.get().iter().flat_map(|shards| shards.iter()).flat_map(|shard| &shard.0) {
            // ORDERING: relaxed; nobody else is there to see it.
            word.store(0, Ordering::Relaxed);
        }
    }
}

impl Shards {
    /// The counter of this thread, if there are shards.
    #[inline]
    pub(crate) fn own(&self) -> Option<&AtomicU64> {
        self.lane().map(|[own]| own)
    }

    /// What they hold together.
    pub(crate) fn sum(&self) -> u64 {
        // ORDERING: relaxed; see `Tallies`.
        self.total(0, Ordering::Relaxed)
    }
}

fn places(processors: usize) -> usize {
    (2 * processors).next_power_of_two().clamp(4, 64)
}

#[cfg(all(test, not(overcurrent_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_its_shard_and_the_sum_has_all() {
        let shards = Shards::<1>::none();
        assert!(shards.own().is_none());
        assert_eq!(shards.sum(), 0);
        shards.grow();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let own = shards.own().expect("they are there");
                    for _ in 0..10 {
                        own.fetch_add(1, Ordering::Relaxed);
                    }
                    assert!(std::ptr::eq(own, shards.own().expect("they are there")));
                });
            }
        });
        assert_eq!(shards.sum(), 40);
    }

    #[test]
    fn there_are_enough_and_they_lie_apart() {
        assert_eq!([1, 2, 3, 8, 9, 32, 33, 500].map(places), [4, 4, 8, 16, 32, 64, 64, 64]);
        assert!(size_of::<Shard<1>>() == 128 && size_of::<Shard<16>>() == 128);
    }

    #[test]
    fn each_thread_has_a_number_of_its_own() {
        let mine = thread_number();
        assert_eq!(thread_number(), mine);
        let other = std::thread::spawn(thread_number).join().expect("it does not panic");
        assert_ne!(mine, other);
    }
}
