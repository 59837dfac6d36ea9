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

#[cfg(all(test, not(overcurrent_loom)))]
mod tests {
    use super::*;
    use crate::{
        cells::{layout, shards::Shards, words::Words},
        kernel::breaker::State,
    };

    /// The last 8 outcomes, with room for 4 failures and 2 slow ones.
    struct Cells {
        words: Words,
        shards: Shards,
    }

    impl Cells {
        fn new() -> Self {
            let cells = Self { words: Words::zeroed(layout::WINDOW + 6), shards: Shards::none() };
            cells.begin(1);
            cells
        }

        fn begin(&self, epoch: u32) {
            self.words.at(layout::STATE).store(State { epoch, ..State::NEW }.pack(), Ordering::Release);
            self.window().start(self.epoch(epoch), self.tallies());
        }

        fn epoch(&self, number: u32) -> Epoch<'_> {
            Epoch { state: self.words.at(layout::STATE), number }
        }

        fn tallies(&self) -> Tallies<'_> {
            Tallies { words: &self.words, shards: &self.shards }
        }

        fn window(&self) -> CallWindow<'_> {
            CallWindow {
                calls: 8,
                base: Tagged { word: self.words.at(layout::BASE), bits: 48 },
                failures: self.words.part(layout::WINDOW, 4),
                slow: self.words.part(layout::WINDOW + 4, 2),
            }
        }

        fn succeed(&self, times: u64) {
            (0..times).for_each(|_| self.tallies().success());
        }

        fn fail(&self) {
            let nth = self.tallies().failure();
            CallWindow::note(self.window().failures, nth, self.tallies().total());
        }

        fn counts(&self, epoch: u32) -> Option<(u64, u64, u64)> {
            let counts = self.window().counts(self.epoch(epoch), self.tallies())?;
            Some((counts.total, counts.failures, counts.slow))
        }
    }

    #[test]
    fn it_holds_the_last_outcomes_and_no_more() {
        let cells = Cells::new();
        assert_eq!(cells.counts(1), Some((0, 0, 0)));
        cells.fail();
        cells.succeed(6);
        assert_eq!(cells.counts(1), Some((7, 1, 0)));
        cells.fail();
        assert_eq!(cells.counts(1), Some((8, 2, 0)));
        cells.succeed(1);
        assert_eq!(cells.counts(1), Some((8, 1, 0)), "the first failure left");
        cells.succeed(7);
        assert_eq!(cells.counts(1), Some((8, 0, 0)));
    }

    #[test]
    fn a_ring_goes_round() {
        let cells = Cells::new();
        for _ in 0..10 {
            cells.fail();
        }
        assert_eq!(cells.counts(1), Some((8, 4, 0)), "it knows no more than it takes to open");
    }

    #[test]
    fn slow_outcomes_have_a_ring_of_their_own() {
        let cells = Cells::new();
        cells.fail();
        cells.succeed(1);
        let nth = cells.tallies().slow();
        CallWindow::note(cells.window().slow, nth, cells.tallies().total());
        assert_eq!(cells.counts(1), Some((2, 1, 1)));
    }

    #[test]
    fn an_epoch_begins_empty_and_one_that_is_over_counts_nothing() {
        for later in [2, 1 + (1 << 16), u32::MAX] {
            let cells = Cells::new();
            cells.fail();
            cells.succeed(1);
            // Transitions follow one another, and each brings the words along.
            cells.begin(2);
            assert_eq!(cells.counts(1), None);
            cells.begin(later);
            assert_eq!(cells.counts(later), Some((0, 0, 0)), "in epoch {later}");
            cells.fail();
            assert_eq!(cells.counts(later), Some((1, 1, 0)));
        }
    }

    #[test]
    fn a_smaller_number_never_takes_the_place_of_a_larger_one() {
        let cells = Cells::new();
        let ring = cells.window().failures;
        CallWindow::note(ring, 5, 9);
        CallWindow::note(ring, 1, 1);
        assert_eq!(place(ring, 1).map(|place| place.load(Ordering::Relaxed)), Some(9));
        assert!(place(cells.words.part(layout::WINDOW, 0), 1).is_none(), "without a ring nothing is noted");
    }

    #[test]
    fn failures_of_many_threads_are_all_found() {
        let cells = Cells::new();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    cells.fail();
                    cells.counts(1);
                });
            }
        });
        assert_eq!(cells.counts(1), Some((3, 3, 0)));
    }
}
