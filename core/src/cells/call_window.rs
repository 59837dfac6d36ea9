//! The last N outcomes, as the numbers of those that failed or were slow.
//!
//! Outcomes are numbered by the running total. A ring keeps the numbers of the last failures (another
//! those of the last slow outcomes), so a success touches neither. Whether k of the last N failed is one
//! look: at the number of the k-th last failure, which must be above total − N. A ring needs a place for
//! each failure that it takes to open a full window.
//!
//! | word | bits | written by |
//! | --- | --- | --- |
//! | base | total at the start of the epoch 48, tag 16; see `tagged` | each transition; else the first failure |
//! | a place of a ring | the number of a failure | that failure; a larger number wins |
//!
//! INVARIANT: a number is never larger than that of the outcome it stands for, as the total is read
//! before the outcome is counted; so what is from before an epoch is below its base, however old, and
//! one that sleeps or dies before it has noted its number leaves a smaller one in the place: the one
//! test that looks there may miss an opening, and the next failure looks at the next place. A look that
//! was overtaken by as many failures as the ring has places to spare is not believed.

use super::{
    layout::Ring,
    sync::{AtomicU64, Ordering},
    tagged::{Epoch, Tagged},
    tallies::Tallies,
};
use crate::kernel::window::Counts;

const TOTAL_MASK: u64 = (1 << 48) - 1;

/// A window of the last `calls` outcomes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallWindow<'c> {
    pub(crate) calls: u64,
    pub(crate) base: Tagged<'c>,
    pub(crate) places: &'c [AtomicU64],
    pub(crate) failures: Ring,
    pub(crate) slow: Option<Ring>,
}

impl CallWindow<'_> {
    /// Starts an epoch with an empty window. What it begins at; `None` if it is over.
    pub(crate) fn start(self, epoch: Epoch<'_>, tallies: Tallies<'_>) -> Option<u64> {
        self.base.read_or(epoch, || tallies.total() & TOTAL_MASK)
    }

    /// Notes an outcome with the number that follows `before`, the total before it was counted, where
    /// it was the `nth_failure` or the `nth_slow` outcome (from 1).
    pub(crate) fn note(self, before: u64, nth_failure: Option<u64>, nth_slow: Option<u64>) {
        for (ring, nth) in [(Some(self.failures), nth_failure), (self.slow, nth_slow)] {
            if let (Some(ring), Some(nth)) = (ring, nth) {
                // ORDERING: relaxed; a number guards no other data, see `Tallies`.
                self.place(ring, nth).fetch_max(before + 1, Ordering::Relaxed);
            }
        }
    }

    /// What the window holds, as far as the tests ask: of failures and slow outcomes as many as it takes
    /// to open, or one fewer. `None` if `epoch` is over.
    pub(crate) fn counts(self, epoch: Epoch<'_>, tallies: Tallies<'_>) -> Option<Counts> {
        let base = self.start(epoch, tallies)?;
        // Before the total, so that the total is never behind: one that sleeps here misses an opening
        // rather than seeing one.
        let (failed, slowed) = (tallies.failed(), tallies.slowed());
        let last = tallies.total();
        let total = (last.wrapping_sub(base) & TOTAL_MASK).min(self.calls);
        let floor = last.saturating_sub(total);
        let held = |ring: Ring, count: u64, now: &dyn Fn() -> u64| {
            let enough = ring.rate.part_of(total);
            enough.saturating_sub(u64::from(!self.reaches(ring, enough, count, floor, now)))
        };
        Some(Counts {
            total,
            failures: held(self.failures, failed, &|| tallies.failed()),
            slow: self.slow.map_or(0, |ring| held(ring, slowed, &|| tallies.slowed())),
        })
    }

    /// Whether `enough` of the `count` outcomes that were counted for a ring have a number above `floor`.
    fn reaches(self, ring: Ring, enough: u64, count: u64, floor: u64, now: &dyn Fn() -> u64) -> bool {
        let Some(nth) = (count + 1).checked_sub(enough).filter(|nth| (1..=count).contains(nth)) else {
            return false;
        };
        // ORDERING: relaxed, as noting.
        let number = self.place(ring, nth).load(Ordering::Relaxed);
        let overtaken = now().saturating_sub(nth) >= ring.places as u64;
        number > floor && !overtaken
    }

    fn place(&self, ring: Ring, nth: u64) -> &AtomicU64 {
        let at = usize::try_from((nth - 1) % ring.places as u64).unwrap_or_default();
        &self.places[ring.start + at]
    }
}

#[cfg(all(test, not(overcurrent_loom)))]
mod tests {
    use super::*;
    use crate::{
        cells::{
            layout::{self, Room},
            shards::Shards,
            words::{self, Head},
        },
        kernel::{breaker::State, policy::BreakerPolicy},
    };

    /// The last 8 outcomes; 4 failures or 2 slow ones open it.
    struct Cells {
        head: Head,
        places: Box<[AtomicU64]>,
        shards: Shards,
        room: Room,
    }

    impl Cells {
        fn new() -> Self {
            let draft = BreakerPolicy::failure_rate(0.5).call_window(8).minimum_calls(1);
            let draft = draft.slow_call(std::time::Duration::from_secs(1)).slow_rate(0.25);
            let room = Room::of(&draft.build().expect("the policy is valid"));
            let places = words::window(room.words());
            let cells = Self { head: Head::zeroed(), places, shards: Shards::none(), room };
            cells.begin(1);
            cells
        }

        fn begin(&self, epoch: u32) {
            self.head.at(layout::STATE).store(State { epoch, ..State::NEW }.pack(), Ordering::Release);
            self.window().start(self.epoch(epoch), self.tallies());
        }

        fn epoch(&self, number: u32) -> Epoch<'_> {
            Epoch { state: self.head.at(layout::STATE), number }
        }

        fn tallies(&self) -> Tallies<'_> {
            Tallies { head: &self.head, shards: &self.shards }
        }

        fn window(&self) -> CallWindow<'_> {
            let Room::Rings { calls, failures, slow } = self.room else { panic!("it is one of calls") };
            let base = Tagged { word: self.head.at(layout::BASE), bits: 48 };
            CallWindow { calls: u64::from(calls), base, places: &self.places, failures, slow }
        }

        fn succeed(&self, times: u64) {
            (0..times).for_each(|_| self.tallies().success());
        }

        fn fail(&self) {
            let before = self.tallies().total();
            let nth = self.tallies().failure();
            self.window().note(before, Some(nth), None);
        }

        fn slow(&self) {
            let before = self.tallies().total();
            self.tallies().success();
            let nth = self.tallies().slow();
            self.window().note(before, None, Some(nth));
        }

        /// The total, and whether the failures and the slow ones open it.
        fn counts(&self, epoch: u32) -> Option<(u64, bool, bool)> {
            let counts = self.window().counts(self.epoch(epoch), self.tallies())?;
            let opens = |count: u64, share: u64| counts.total > 0 && count * share >= counts.total;
            Some((counts.total, opens(counts.failures, 2), opens(counts.slow, 4)))
        }
    }

    #[test]
    fn it_holds_the_last_outcomes_and_no_more() {
        let cells = Cells::new();
        assert_eq!(cells.counts(1), Some((0, false, false)));
        cells.fail();
        assert_eq!(cells.counts(1), Some((1, true, false)));
        cells.succeed(2);
        assert_eq!(cells.counts(1), Some((3, false, false)), "1 of 3");
        cells.fail();
        assert_eq!(cells.counts(1), Some((4, true, false)), "2 of 4");
        cells.succeed(3);
        cells.fail();
        assert_eq!(cells.counts(1), Some((8, false, false)), "3 of 8");
        cells.fail();
        assert_eq!(cells.counts(1), Some((8, false, false)), "the first one left");
        cells.fail();
        assert_eq!(cells.counts(1), Some((8, true, false)));
        cells.succeed(2);
        assert_eq!(cells.counts(1), Some((8, false, false)), "the second one left");
    }

    #[test]
    fn a_ring_goes_round() {
        let cells = Cells::new();
        for _ in 0..100 {
            cells.fail();
        }
        assert_eq!(cells.counts(1), Some((8, true, false)));
        cells.succeed(4);
        assert_eq!(cells.counts(1), Some((8, true, false)));
        cells.succeed(1);
        assert_eq!(cells.counts(1), Some((8, false, false)));
    }

    #[test]
    fn slow_outcomes_have_a_ring_of_their_own() {
        let cells = Cells::new();
        cells.succeed(2);
        cells.fail();
        cells.slow();
        assert_eq!(cells.counts(1), Some((4, false, true)));
        cells.succeed(1);
        assert_eq!(cells.counts(1), Some((5, false, false)));
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
            assert_eq!(cells.counts(later), Some((0, false, false)), "in epoch {later}");
            cells.succeed(2);
            assert_eq!(cells.counts(later), Some((2, false, false)));
            cells.fail();
            cells.fail();
            assert_eq!(cells.counts(later), Some((4, true, false)));
        }
    }

    #[test]
    fn one_that_has_not_noted_its_number_costs_one_test() {
        let cells = Cells::new();
        cells.succeed(4);
        cells.fail();
        cells.tallies().failure();
        cells.fail();
        cells.fail();
        assert_eq!(cells.counts(1), Some((8, true, false)), "the look is at the first one");
        cells.fail();
        assert_eq!(cells.counts(1), Some((8, false, false)), "the look is at the one that is missing");
        cells.fail();
        assert_eq!(cells.counts(1), Some((8, true, false)));
    }

    #[test]
    fn one_that_slept_before_it_noted_its_number_opens_nothing() {
        let cells = Cells::new();
        let before = cells.tallies().total();
        let nth = cells.tallies().failure();
        for _ in 0..50 {
            cells.succeed(3);
            cells.fail();
        }
        cells.window().note(before, Some(nth), None);
        for _ in 0..50 {
            cells.succeed(3);
            cells.fail();
            assert_eq!(cells.counts(1), Some((8, false, false)), "2 of 8");
        }
    }

    #[test]
    fn an_old_number_never_replaces_a_newer_one() {
        let cells = Cells::new();
        let before = cells.tallies().total();
        let nth = cells.tallies().failure();
        (0..cells.window().failures.places).for_each(|_| cells.fail());
        cells.window().note(before, Some(nth), None);
        (0..3).for_each(|_| cells.fail());
        assert_eq!(cells.counts(1), Some((8, true, false)), "the look is at its place, a round later");
    }

    #[test]
    fn a_look_that_was_overtaken_is_not_believed() {
        let cells = Cells::new();
        for _ in 0..20 {
            cells.fail();
        }
        let ring = cells.window().failures;
        let reaches = |now: u64| cells.window().reaches(ring, 4, 20, 12, &|| now);
        let spare = ring.places as u64 - 4;
        assert!(reaches(20) && reaches(20 + spare - 1) && reaches(20 + spare));
        assert!(!reaches(20 + spare + 1));
    }

    #[test]
    fn failures_of_many_threads_are_all_found() {
        let cells = Cells::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    cells.fail();
                    cells.counts(1);
                });
            }
        });
        cells.succeed(4);
        assert_eq!(cells.counts(1), Some((8, true, false)));
    }
}
