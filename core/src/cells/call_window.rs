//! The last N outcomes, as the numbers of those that failed or were slow.
//!
//! Outcomes are numbered by the running total. A ring keeps the numbers of the last failures (and
//! another those of the last slow outcomes), so a success touches neither, and "how many of the last
//! N failed" is a search for the first number above total − N. A ring needs no more places than the
//! number of failures at which the rate is reached at the latest.
//!
//! | word | bits | written by |
//! | --- | --- | --- |
//! | base | total at the start of the epoch 48, tag (low bits of the epoch) 16 | whoever transitions; else the first failure |
//! | a place of a ring | the number of a failure | that failure; a larger number wins |
//!
//! INVARIANT: a number is never larger than the total, and totals only grow, so what stands in a ring
//! from before an epoch is below its base and counts for nothing, however old.

use super::{
    sync::{AtomicU64, Ordering},
    tallies::Tallies,
};
use crate::kernel::window::Counts;

const TOTAL_BITS: u32 = 48;
const TOTAL_MASK: u64 = (1 << TOTAL_BITS) - 1;

/// A window of the last `calls` outcomes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallWindow<'c> {
    pub(crate) calls: u64,
    pub(crate) base: &'c AtomicU64,
    pub(crate) failures: &'c [AtomicU64],
    pub(crate) slow: &'c [AtomicU64],
}

impl CallWindow<'_> {
    /// Starts `epoch` with an empty window.
    pub(crate) fn start(self, epoch: u32, tallies: Tallies<'_>) {
        let fresh = u64::from(epoch & 0xFFFF) << TOTAL_BITS | tallies.total() & TOTAL_MASK;
        // ORDERING: relaxed; the base guards no other data, see `Tallies`.
        let mut seen = self.base.load(Ordering::Relaxed);
        while tag_age(seen, epoch) < 0 {
            match self.base.compare_exchange(seen, fresh, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Notes the number of the `index`-th (from 1) failure or slow outcome.
    pub(crate) fn note(ring: &[AtomicU64], index: u64, number: u64) {
        // ORDERING: relaxed, as the base.
        if let Some(place) = place(ring, index) {
            place.fetch_max(number, Ordering::Relaxed);
        }
    }

    /// What the window holds; `None` if `epoch` is over.
    pub(crate) fn counts(self, epoch: u32, tallies: Tallies<'_>) -> Option<Counts> {
        self.start(epoch, tallies);
        // ORDERING: relaxed, as the base.
        let base = self.base.load(Ordering::Relaxed);
        if tag_age(base, epoch) != 0 {
            return None;
        }
        let last = tallies.total();
        let total = (last.wrapping_sub(base) & TOTAL_MASK).min(self.calls);
        let floor = last.saturating_sub(total);
        Some(Counts {
            total,
            failures: above(self.failures, tallies.failed(), floor),
            slow: above(self.slow, tallies.slowed(), floor),
        })
    }
}

/// How far the tag of a base word is ahead of `epoch`, as a signed number.
#[expect(clippy::cast_possible_truncation, reason = "16 bits each")]
const fn tag_age(base: u64, epoch: u32) -> i16 {
    ((base >> TOTAL_BITS) as u16).wrapping_sub(epoch as u16).cast_signed()
}

fn place(ring: &[AtomicU64], index: u64) -> Option<&AtomicU64> {
    let length = u64::try_from(ring.len()).unwrap_or(u64::MAX);
    let at = index.wrapping_sub(1).checked_rem(length)?;
    ring.get(usize::try_from(at).ok()?)
}

/// How many of the numbers in a ring, of which `count` were ever noted, lie above `floor`: a binary
/// search, as they grow with their index.
fn above(ring: &[AtomicU64], count: u64, floor: u64) -> u64 {
    let held = count.min(u64::try_from(ring.len()).unwrap_or(u64::MAX));
    let (mut first, mut end) = (count - held + 1, count + 1);
    while first < end {
        let middle = first + (end - first) / 2;
        // ORDERING: relaxed, as the base.
        let number = place(ring, middle).map_or(0, |place| place.load(Ordering::Relaxed));
        if number > floor { end = middle } else { first = middle + 1 }
    }
    count + 1 - first
}
