//! The last N outcomes, as the numbers of those that failed or were slow.
//!
//! Outcomes are numbered by the running total. A ring keeps the numbers of the last failures (and
//! another those of the last slow outcomes), so a success touches neither, and "how many of the last
//! N failed" is a search for the first number above total − N. A ring needs no more places than the
//! number of failures at which the rate is reached at the latest.
//!
//! | word | bits | written by |
//! | --- | --- | --- |
//! | base | total at the start of the epoch 48, tag 16; see `tagged` | whoever transitions; else the first failure |
//! | a place of a ring | the number of a failure | that failure; a larger number wins |
//!
//! INVARIANT: a number is never larger than the total, and totals only grow, so what stands in a ring
//! from before an epoch is below its base and counts for nothing, however old. One that dies between
//! counting a failure and noting its number leaves an older number in its place: a search that comes
//! upon it misses the failures before it, until the ring has gone round.

use super::{
    sync::{AtomicU64, Ordering},
    tagged::{Epoch, Tagged},
    tallies::Tallies,
    words::Part,
};
use crate::kernel::window::Counts;

const TOTAL_MASK: u64 = (1 << 48) - 1;

/// A window of the last `calls` outcomes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallWindow<'c> {
    pub(crate) calls: u64,
    pub(crate) base: Tagged<'c>,
    pub(crate) failures: Part<'c>,
    pub(crate) slow: Part<'c>,
}

impl CallWindow<'_> {
    /// Starts an epoch with an empty window. What it begins at; `None` if it is over.
    pub(crate) fn start(self, epoch: Epoch<'_>, tallies: Tallies<'_>) -> Option<u64> {
        self.base.read_or(epoch, || tallies.total() & TOTAL_MASK)
    }

    /// Notes the number of the `index`-th (from 1) failure or slow outcome.
    pub(crate) fn note(ring: Part<'_>, index: u64, number: u64) {
        // ORDERING: relaxed; a number guards no other data, see `Tallies`.
        if let Some(place) = place(ring, index) {
            place.fetch_max(number, Ordering::Relaxed);
        }
    }

    /// What the window holds; `None` if `epoch` is over.
    pub(crate) fn counts(self, epoch: Epoch<'_>, tallies: Tallies<'_>) -> Option<Counts> {
        let base = self.start(epoch, tallies)?;
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

fn place(ring: Part<'_>, index: u64) -> Option<&AtomicU64> {
    let length = u64::try_from(ring.length).unwrap_or(u64::MAX);
    let at = index.wrapping_sub(1).checked_rem(length)?;
    Some(ring.at(usize::try_from(at).ok()?))
}

/// How many of the numbers in a ring, of which `count` were ever noted, lie above `floor`: a binary
/// search, as they grow with their index.
fn above(ring: Part<'_>, count: u64, floor: u64) -> u64 {
    let held = count.min(u64::try_from(ring.length).unwrap_or(u64::MAX));
    let (mut first, mut end) = (count - held + 1, count + 1);
    while first < end {
        let middle = first + (end - first) / 2;
        // ORDERING: relaxed, as noting.
        let number = place(ring, middle).map_or(0, |place| place.load(Ordering::Relaxed));
        if number > floor { end = middle } else { first = middle + 1 }
    }
    count + 1 - first
}
