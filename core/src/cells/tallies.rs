//! Running totals of the outcomes counted while closed, over the whole life of a breaker.
//!
//! | word | holds | wraps |
//! | --- | --- | --- |
//! | successes | successes, until they are fought over | 2⁶⁴ |
//! | quick | low 32: successes that a runtime (JavaScript) added in place; high 32: how often the low ones passed a multiple of 2³¹ | 2⁶³ |
//! | failures, slow | outcomes of that kind | 2⁶⁴ |
//! | fights | lost races for `successes` 32, in the block of 1024 successes with this number 32; all ones once there are shards | by design |
//!
//! They only ever grow, so a window is a subtraction and a success is one add. Where threads fight over
//! `successes` (more than one race in 32 lost), each counts in a shard of its own from then on.

use super::{layout, shards::Shards, sync::Ordering, words::Words};

/// Successes per block in which lost races are counted.
const BLOCK: u32 = 10;
/// Lost races in one block from which on the successes are sharded; in a model the first one is enough.
const MANY: u64 = if cfg!(overcurrent_loom) { 1 } else { 32 };
/// What stands in the place of the lost races from then on.
const SHARDED: u64 = u64::MAX;
const LOW: u64 = u32::MAX as u64;

/// The totals of one breaker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tallies<'c> {
    pub(crate) words: &'c Words,
    pub(crate) shards: &'c Shards,
}

impl Tallies<'_> {
    // ORDERING: relaxed throughout. The totals carry no other data, and the tests over them are exact
    // on one thread (program order) and off by at most the calls in flight among several.

    #[inline]
    pub(crate) fn success(self) {
        if let Some(own) = self.shards.own() {
            own.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let seen = self.words.at(layout::SUCCESSES).load(Ordering::Relaxed);
        let next = seen.wrapping_add(1);
        if self
            .words
            .at(layout::SUCCESSES)
            .compare_exchange(seen, next, Ordering::Relaxed, Ordering::Relaxed)
            .is_err()
        {
            self.fought_over(seen);
        }
    }

    /// Counts a success whose race for the common word was lost.
    #[cold]
    fn fought_over(self, seen: u64) {
        self.words.at(layout::SUCCESSES).fetch_add(1, Ordering::Relaxed);
        let block = (seen >> BLOCK & LOW) << 32;
        let fights = self.words.at(layout::FIGHTS).load(Ordering::Relaxed);
        if fights == SHARDED {
            return;
        }
        let next = if fights & !LOW == block { fights + 1 } else { block | 1 };
        let next = if next & LOW >= MANY { SHARDED } else { next };
        // A race that is lost here too goes uncounted; one thread alone goes on to make the shards.
        let won = self
            .words
            .at(layout::FIGHTS)
            .compare_exchange(fights, next, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
        if won && next == SHARDED {
            self.shards.grow();
        }
    }

    /// Counts a failure and returns how many there are with it.
    pub(crate) fn failure(self) -> u64 {
        self.words.at(layout::FAILURES).fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts a slow outcome and returns how many there are with it.
    pub(crate) fn slow(self) -> u64 {
        self.words.at(layout::SLOW).fetch_add(1, Ordering::Relaxed) + 1
    }

    /// All outcomes.
    pub(crate) fn total(self) -> u64 {
        self.succeeded().wrapping_add(self.failed())
    }

    pub(crate) fn succeeded(self) -> u64 {
        let alone = self.words.at(layout::SUCCESSES).load(Ordering::Relaxed);
        alone
            .wrapping_add(quick_total(self.words.at(layout::QUICK).load(Ordering::Relaxed)))
            .wrapping_add(self.shards.sum())
    }

    pub(crate) fn failed(self) -> u64 {
        self.words.at(layout::FAILURES).load(Ordering::Relaxed)
    }

    pub(crate) fn slowed(self) -> u64 {
        self.words.at(layout::SLOW).load(Ordering::Relaxed)
    }
}

/// The successes in the quick lane. Whoever takes the low half past a multiple of 2³¹ adds one to the
/// high half afterwards, so that half may lag by one; bit 31 of the low half tells whether it does.
fn quick_total(word: u64) -> u64 {
    let (halves, low) = (word >> 32, word & LOW);
    let lags = (halves ^ low >> 31) & 1;
    (halves + lags) << 31 | low & (LOW >> 1)
}

#[cfg(all(test, not(overcurrent_loom)))]
mod tests {
    use super::*;

    #[test]
    fn successes_that_lose_races_are_counted_and_soon_sharded() {
        let (words, shards) = (Words::zeroed(layout::WINDOW), Shards::none());
        let tallies = Tallies { words: &words, shards: &shards };
        for lost in 0..MANY {
            assert!(shards.own().is_none(), "after {lost} lost races");
            tallies.fought_over(lost);
        }
        assert!(shards.own().is_some());
        tallies.success();
        tallies.fought_over(0);
        assert_eq!((shards.sum(), tallies.succeeded()), (1, MANY + 2));
    }

    #[test]
    fn races_lost_now_and_then_shard_nothing() {
        let (words, shards) = (Words::zeroed(layout::WINDOW), Shards::none());
        let tallies = Tallies { words: &words, shards: &shards };
        for block in 0..10 {
            for _ in 1..MANY {
                tallies.fought_over(block << BLOCK);
            }
        }
        assert!(shards.own().is_none());
        assert_eq!(tallies.succeeded(), 10 * (MANY - 1));
    }

    #[test]
    fn every_outcome_is_in_the_totals() {
        let (words, shards) = (Words::zeroed(layout::WINDOW), Shards::none());
        let tallies = Tallies { words: &words, shards: &shards };
        tallies.success();
        words.at(layout::QUICK).store(5, Ordering::Relaxed);
        assert_eq!((tallies.failure(), tallies.failure(), tallies.slow()), (1, 2, 1));
        assert_eq!((tallies.succeeded(), tallies.failed(), tallies.slowed(), tallies.total()), (6, 2, 1, 8));
    }

    #[test]
    fn the_quick_lane_counts_on_where_its_low_half_wraps() {
        for total in [0, 1, (1 << 31) - 1, 1 << 31, (1 << 31) + 1, (1 << 32) - 1, 1 << 32, (5 << 31) + 7_u64]
        {
            let low = total & u64::from(u32::MAX);
            let halves = total >> 31;
            assert_eq!(quick_total(halves << 32 | low), total, "the halves are counted");
            if total & (u64::MAX >> 33) < 1 << 30 && halves > 0 {
                assert_eq!(quick_total((halves - 1) << 32 | low), total, "the last half is not counted yet");
            }
        }
    }
}
