//! Running totals of the outcomes counted while closed, over the whole life of a breaker.
//!
//! | word | holds | wraps |
//! | --- | --- | --- |
//! | successes | successes, until they are fought over | 2⁶⁴ |
//! | quick | low 32: successes that a runtime (JavaScript) added in place; high 32: how often the low ones passed a multiple of 2³¹ | 2⁶³ |
//! | failures, slow | outcomes of that kind | 2⁶⁴ |
//! | fights | looks that saw a fight 32, in the block of 16,384 successes with this number 32; all ones once there are shards | by design |
//!
//! They only ever grow, so a window is a subtraction and a success is one add. Every 1024th success looks
//! whether threads fight over `successes`: whether the word changes while it is read 128 times. Where it
//! did in 4 of the 16 looks of a block, each thread counts in a shard of its own from then on.

use super::{layout, shards::Shards, sync::Ordering, words::Head};

/// Successes per block in which fights are counted, as a power of two.
const BLOCK: u32 = 14;
/// Fights in one block from which on the successes are sharded; in a model the first one is enough.
const MANY: u64 = if cfg!(overcurrent_loom) { 1 } else { 4 };
/// What stands in the place of the fights from then on.
const SHARDED: u64 = u64::MAX;
/// Of so many successes one looks whether the word is fought over.
const SAMPLE: u64 = if cfg!(overcurrent_loom) { 1 } else { 1024 };
/// How often it then reads the word: for about 100 ns.
const READINGS: usize = if cfg!(overcurrent_loom) { 1 } else { 128 };
const LOW: u64 = u32::MAX as u64;

/// The totals of one breaker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tallies<'c> {
    pub(crate) head: &'c Head,
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
        let before = self.head.at(layout::SUCCESSES).fetch_add(1, Ordering::Relaxed);
        if before.is_multiple_of(SAMPLE) {
            self.sample(before);
        }
    }

    /// Looks whether others write to the same word at this very moment.
    #[cold]
    #[inline(never)]
    fn sample(self, before: u64) {
        let (word, own) = (self.head.at(layout::SUCCESSES), before.wrapping_add(1));
        if (0..READINGS).any(|_| word.load(Ordering::Relaxed) != own) {
            self.fought_over(before);
        }
    }

    fn fought_over(self, seen: u64) {
        let block = (seen >> BLOCK & LOW) << 32;
        let fights = self.head.at(layout::FIGHTS).load(Ordering::Relaxed);
        if fights == SHARDED {
            return;
        }
        let next = if fights & !LOW == block { fights + 1 } else { block | 1 };
        let next = if next & LOW >= MANY { SHARDED } else { next };
        // A race that is lost here too goes uncounted; one thread alone goes on to make the shards.
        let won = self
            .head
            .at(layout::FIGHTS)
            .compare_exchange(fights, next, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
        if won && next == SHARDED {
            self.shards.grow();
        }
    }

    /// Counts a failure and returns how many there are with it.
    pub(crate) fn failure(self) -> u64 {
        self.head.at(layout::FAILURES).fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts a slow outcome and returns how many there are with it.
    pub(crate) fn slow(self) -> u64 {
        self.head.at(layout::SLOW).fetch_add(1, Ordering::Relaxed) + 1
    }

    /// All outcomes.
    pub(crate) fn total(self) -> u64 {
        self.succeeded().wrapping_add(self.failed())
    }

    pub(crate) fn succeeded(self) -> u64 {
        let alone = self.head.at(layout::SUCCESSES).load(Ordering::Relaxed);
        alone
            .wrapping_add(quick_total(self.head.at(layout::QUICK).load(Ordering::Relaxed)))
            .wrapping_add(self.shards.sum())
    }

    /// Successes, failures and slow outcomes as they stood at one moment. Where failures keep coming in
    /// between, after a few tries, as they came: more failures for the successes, not fewer, so that
    /// what is counted from here on errs towards a smaller share of them.
    pub(crate) fn at_once(self) -> [u64; 3] {
        const TRIES: usize = 8;
        let mut bad = (self.failed(), self.slowed());
        for _ in 0..TRIES {
            let succeeded = self.succeeded();
            let now = (self.failed(), self.slowed());
            if now == bad {
                return [succeeded, bad.0, bad.1];
            }
            bad = now;
        }
        let succeeded = self.succeeded();
        [succeeded, self.failed(), self.slowed()]
    }

    pub(crate) fn failed(self) -> u64 {
        self.head.at(layout::FAILURES).load(Ordering::Relaxed)
    }

    pub(crate) fn slowed(self) -> u64 {
        self.head.at(layout::SLOW).load(Ordering::Relaxed)
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
    fn successes_that_are_fought_over_are_sharded() {
        for first in [0, 7 << BLOCK, u64::MAX - MANY] {
            let (head, shards) = (Head::zeroed(), Shards::none());
            let tallies = Tallies { head: &head, shards: &shards };
            for fought in 0..MANY {
                assert!(shards.own().is_none(), "after {fought} fights");
                tallies.fought_over(first + fought);
            }
            assert!(shards.own().is_some());
            tallies.success();
            tallies.fought_over(first);
            assert_eq!((shards.sum(), tallies.succeeded()), (1, 1));
        }
    }

    #[test]
    fn fights_now_and_then_shard_nothing() {
        let (head, shards) = (Head::zeroed(), Shards::none());
        let tallies = Tallies { head: &head, shards: &shards };
        for block in 0..10 {
            for _ in 1..MANY {
                tallies.fought_over(block << BLOCK);
            }
        }
        assert!(shards.own().is_none());
    }

    #[test]
    fn a_word_that_others_write_to_is_a_fight() {
        let (head, shards) = (Head::zeroed(), Shards::none());
        let tallies = Tallies { head: &head, shards: &shards };
        let fights = || head.at(layout::FIGHTS).load(Ordering::Relaxed);
        head.at(layout::SUCCESSES).store(6, Ordering::Relaxed);
        tallies.sample(5);
        assert_eq!(fights(), 0, "it is as this thread left it");
        tallies.sample(4);
        assert_eq!(fights(), 1);
    }

    #[test]
    fn one_thread_alone_fights_with_nobody() {
        let (head, shards) = (Head::zeroed(), Shards::none());
        let tallies = Tallies { head: &head, shards: &shards };
        (0..10 * SAMPLE).for_each(|_| tallies.success());
        assert_eq!((head.at(layout::FIGHTS).load(Ordering::Relaxed), tallies.succeeded()), (0, 10 * SAMPLE));
    }

    #[test]
    fn totals_at_once_are_those_of_one_moment() {
        let (head, shards) = (Head::zeroed(), Shards::none());
        let tallies = Tallies { head: &head, shards: &shards };
        tallies.success();
        tallies.failure();
        tallies.failure();
        tallies.slow();
        assert_eq!(tallies.at_once(), [1, 2, 1]);
    }

    #[test]
    fn every_outcome_is_in_the_totals() {
        let (head, shards) = (Head::zeroed(), Shards::none());
        let tallies = Tallies { head: &head, shards: &shards };
        tallies.success();
        head.at(layout::QUICK).store(5, Ordering::Relaxed);
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
