//! The outcomes of the last B ticks, as marks in the running totals.
//!
//! When the first outcome of a tick comes, the totals so far are laid down as the mark of that tick;
//! what the window holds is the totals now less the oldest mark in it. A success in a tick that has
//! its mark is one add and touches no mark.
//!
//! | word | bits, low to high | written by |
//! | --- | --- | --- |
//! | newest | newest tick + 1 (0: none yet) 45, tag 19; see `tagged` | the first outcome of a tick or an epoch, by CAS |
//! | a mark, successes | total 40, tick 23, laid 1 | the one whose CAS moved `newest` |
//! | a mark, failures; slow, where the policy asks | total 40, tick 8, epoch 15, laid 1 | the same |
//!
//! A mark counts only if each of its words names the tick and the epoch that are looked for.
//! INVARIANT: after each move of `newest` no mark outside the window is left, and a mark is changed
//! only by a CAS from a value that was read while `newest` had not moved on; so a thread that slept
//! through the window cannot lay an old mark over a new one, and what it lays where none is names its
//! own old tick. One that dies after moving `newest` leaves its tick without a mark: its outcomes then
//! leave with the tick before, or, where it was the first of a window, are not seen.

use super::{
    sync::{AtomicU64, Ordering},
    tagged::{Epoch, Tagged},
    tallies::Tallies,
    words::Part,
};
use crate::kernel::{
    time::{Instant, Span},
    window::Counts,
};

const TOTAL_BITS: u32 = 40;
const TOTAL_MASK: u64 = (1 << TOTAL_BITS) - 1;
const LAID: u64 = 1 << 63;

/// A window of as many ticks as there are marks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeWindow<'c> {
    pub(crate) newest: Tagged<'c>,
    pub(crate) marks: Part<'c>,
    /// Words per mark: 3 where slow outcomes are counted, else 2.
    pub(crate) stride: usize,
}

impl TimeWindow<'_> {
    /// Starts an epoch in which no outcome has come yet.
    pub(crate) fn start(self, epoch: Epoch<'_>) {
        self.newest.read_or(epoch, || 0);
    }

    /// Whether `now` lies in a tick, of `width`, that has been entered in `epoch` or is before it: a
    /// success then needs no more than to be added.
    #[inline]
    pub(crate) fn covers(self, epoch: u32, width: Span, now: Instant) -> bool {
        let Some(newest) = self.newest.read(epoch).filter(|newest| *newest > 0) else { return false };
        // No overflow: the tick was found by dividing an instant by this width.
        let start = (newest - 1) * width.as_nanos();
        now.as_nanos().saturating_sub(start) < width.as_nanos()
    }

    /// The tick that an outcome of `epoch` at `tick` enters: the newest one, if that is later. Lays
    /// the mark of a new one. `None` if the epoch is over.
    pub(crate) fn enter(self, epoch: Epoch<'_>, tick: u64, tallies: Tallies<'_>) -> Option<u64> {
        let next = |newest: Option<u64>| newest.is_none_or(|newest| newest < tick + 1).then_some(tick + 1);
        let update = self.newest.update(epoch, next)?;
        if update.before != Some(update.now) {
            let gone = update.before.filter(|newest| *newest > 0).map(|newest| tick + 1 - newest);
            let fresh = gone.is_none_or(|gone| gone >= self.buckets());
            self.lay(epoch.number, tick, fresh, tallies);
        }
        Some(update.now - 1)
    }

    /// What the window that ends with `tick` holds.
    pub(crate) fn counts(self, epoch: u32, tick: u64, tallies: Tallies<'_>) -> Counts {
        let first = (tick + 1).saturating_sub(self.buckets());
        let Some(marked) = (first..=tick).find_map(|tick| self.mark(epoch, tick)) else {
            return Counts::default();
        };
        let since = |now: u64, mark: u64| now.wrapping_sub(mark) & TOTAL_MASK;
        let failures = since(tallies.failed(), marked[1]);
        Counts {
            total: since(tallies.succeeded(), marked[0]) + failures,
            failures,
            slow: since(tallies.slowed(), marked[2]),
        }
    }

    /// The totals at the beginning of `tick`, if its mark is there, whole.
    fn mark(self, epoch: u32, tick: u64) -> Option<[u64; 3]> {
        let mut totals = [0; 3];
        for (word, total) in totals.iter_mut().enumerate().take(self.stride) {
            // ORDERING: relaxed; each word says itself which tick it belongs to.
            let held = self.word(tick % self.buckets(), word).load(Ordering::Relaxed);
            if held & !TOTAL_MASK != stamp(epoch, tick, word) {
                return None;
            }
            *total = held & TOTAL_MASK;
        }
        Some(totals)
    }

    /// Lays the mark of `tick` and clears every mark that left the window with its coming; all of
    /// them where the window is `fresh`.
    #[cold]
    fn lay(self, epoch: u32, tick: u64, fresh: bool, tallies: Tallies<'_>) {
        let totals = [tallies.succeeded(), tallies.failed(), tallies.slowed()];
        let buckets = self.buckets();
        for ahead in 1..=buckets {
            // The tick of the window for which this place stands; the last one is `tick` itself.
            let own = (tick + ahead).checked_sub(buckets);
            let place = (tick + ahead) % buckets;
            for (index, total) in totals.into_iter().enumerate().take(self.stride) {
                let word = self.word(place, index);
                // ORDERING: acquire here and release at the CAS: whoever reads a later mark also
                // reads a `newest` that has moved on, and leaves.
                let mut seen = word.load(Ordering::Acquire);
                loop {
                    if self.newest.read(epoch) != Some(tick + 1) {
                        return;
                    }
                    let next = if ahead == buckets {
                        stamp(epoch, tick, index) | total & TOTAL_MASK
                    } else if fresh || own.is_none_or(|own| seen & !TOTAL_MASK != stamp(epoch, own, index)) {
                        0
                    } else {
                        break;
                    };
                    // One that lays an older mark may still come in between.
                    match word.compare_exchange(seen, next, Ordering::Release, Ordering::Acquire) {
                        Ok(_) => break,
                        Err(other) => seen = other,
                    }
                }
            }
        }
    }

    fn word(&self, place: u64, word: usize) -> &AtomicU64 {
        let place = usize::try_from(place).unwrap_or_default();
        self.marks.at(place * self.stride + word)
    }

    fn buckets(self) -> u64 {
        u64::try_from(self.marks.length / self.stride).unwrap_or(u64::MAX)
    }
}

/// What the words of a mark say above their total.
const fn stamp(epoch: u32, tick: u64, word: usize) -> u64 {
    let name = match word {
        0 => tick & 0x7F_FFFF,
        _ => (epoch as u64 & 0x7FFF) << 8 | tick & 0xFF,
    };
    LAID | name << TOTAL_BITS
}
