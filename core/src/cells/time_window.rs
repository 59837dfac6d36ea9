//! The outcomes of the last B ticks, as marks in the running totals.
//!
//! When the first outcome of a tick comes, the totals so far are laid down as the mark of that tick;
//! what the window holds is the totals now less the oldest mark in it. A success in a tick that has
//! its mark is one add and touches no mark.
//!
//! | word | bits, low to high | written by |
//! | --- | --- | --- |
//! | newest | tick 45, tag (low bits of the epoch) 19 | the first outcome of a tick or an epoch, by CAS |
//! | a mark: three words (successes, failures, slow) | total 40, tick 8, tag (of the epoch) 15, laid 1 | the one whose CAS moved `newest` |
//!
//! INVARIANT: after each move of `newest` no mark outside the window is left, so 8 bits of a tick
//! (more than the 60 buckets there may be, twice) tell marks apart, and no tick can come round again.
//! A mark is changed only by a CAS from a value that was read while `newest` had not moved on, so a
//! thread that slept through the window cannot lay an old mark over a new one. One that dies after
//! moving `newest` leaves its tick without a mark: its outcomes then leave with the tick before.

use super::{
    sync::{AtomicU64, Ordering},
    tallies::Tallies,
};
use crate::kernel::window::Counts;

/// Words per mark.
pub(crate) const MARK_WORDS: usize = 3;

const TICK_BITS: u32 = 45;
const TOTAL_BITS: u32 = 40;
const TOTAL_MASK: u64 = (1 << TOTAL_BITS) - 1;
const LAID: u64 = 1 << 63;

/// A window of as many ticks as there are marks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeWindow<'c> {
    pub(crate) newest: &'c AtomicU64,
    pub(crate) marks: &'c [AtomicU64],
}

impl TimeWindow<'_> {
    /// The tick that an outcome of `epoch` at `tick` enters: the newest one, if that is later. Lays
    /// the mark of a new one. `None` if the epoch is over.
    #[inline]
    pub(crate) fn enter(self, epoch: u32, tick: u64, tallies: Tallies<'_>) -> Option<u64> {
        // ORDERING: relaxed; `newest` guards no other data: a mark carries its own tick and tag.
        let mut seen = self.newest.load(Ordering::Relaxed);
        loop {
            let at = seen & ((1 << TICK_BITS) - 1);
            let age = tag_age(seen, epoch);
            if age > 0 {
                return None;
            }
            if age == 0 && at >= tick {
                return Some(at);
            }
            let next = u64::from(epoch) << TICK_BITS | tick;
            match self.newest.compare_exchange(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => {
                    let fresh = age != 0 || tick - at >= self.buckets();
                    self.lay(epoch, tick, fresh, tallies);
                    return Some(tick);
                }
                Err(now) => seen = now,
            }
        }
    }

    /// What the window that ends with `tick` holds.
    pub(crate) fn counts(self, epoch: u32, tick: u64, tallies: Tallies<'_>) -> Counts {
        let oldest = self
            .marks
            .chunks_exact(MARK_WORDS)
            // ORDERING: relaxed throughout; each word says itself which tick it belongs to.
            .filter_map(|mark| {
                let words = [0, 1, 2].map(|word| mark[word].load(Ordering::Relaxed));
                let stamp = words[0] & !TOTAL_MASK;
                let age = self.age(words[0], epoch, tick)?;
                let whole = words.iter().all(|word| word & !TOTAL_MASK == stamp);
                whole.then_some((age, words))
            })
            .max_by_key(|(age, _)| *age);
        let Some((_, marks)) = oldest else { return Counts::default() };
        let since = |now: u64, mark: u64| now.wrapping_sub(mark) & TOTAL_MASK;
        let failures = since(tallies.failed(), marks[1]);
        Counts {
            total: since(tallies.succeeded(), marks[0]) + failures,
            failures,
            slow: since(tallies.slowed(), marks[2]),
        }
    }

    /// Lays the mark of `tick` and clears every mark that left the window with its coming; all of
    /// them where the window is `fresh`.
    #[cold]
    fn lay(self, epoch: u32, tick: u64, fresh: bool, tallies: Tallies<'_>) {
        let totals = [tallies.succeeded(), tallies.failed(), tallies.slowed()];
        let stamp = LAID | u64::from(epoch & 0x7FFF) << 48 | (tick & 0xFF) << TOTAL_BITS;
        let newest = u64::from(epoch) << TICK_BITS | tick;
        let own = tick % self.buckets();
        for (place, mark) in (0..).zip(self.marks.chunks_exact(MARK_WORDS)) {
            for (word, total) in mark.iter().zip(totals) {
                // ORDERING: acquire here and release at the CAS: whoever reads a later mark also
                // reads a `newest` that has moved on, and leaves.
                let seen = word.load(Ordering::Acquire);
                if self.newest.load(Ordering::Relaxed) != newest {
                    return;
                }
                let next = if place == own {
                    stamp | total & TOTAL_MASK
                } else if fresh || self.age(seen, epoch, tick).is_none() {
                    0
                } else {
                    continue;
                };
                if seen != next {
                    let _ = word.compare_exchange(seen, next, Ordering::Release, Ordering::Relaxed);
                }
            }
        }
    }

    /// How many ticks before `tick` a mark of `epoch` was laid; `None` outside the window.
    fn age(self, mark: u64, epoch: u32, tick: u64) -> Option<u64> {
        let same_epoch = mark & LAID != 0 && mark >> 48 & 0x7FFF == u64::from(epoch & 0x7FFF);
        let age = tick.wrapping_sub(mark >> TOTAL_BITS) & 0xFF;
        (same_epoch && age < self.buckets()).then_some(age)
    }

    fn buckets(self) -> u64 {
        u64::try_from(self.marks.len() / MARK_WORDS).unwrap_or(u64::MAX)
    }
}

/// How far the tag of a `newest` word is ahead of `epoch`, as a signed number.
const fn tag_age(newest: u64, epoch: u32) -> i32 {
    const SHIFT: u32 = 32 - (64 - TICK_BITS);
    (((newest >> TICK_BITS) as u32) << SHIFT).wrapping_sub(epoch << SHIFT).cast_signed()
}
