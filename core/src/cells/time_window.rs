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
    pub(crate) marks: &'c [AtomicU64],
    /// Words per mark: 3 where slow outcomes are counted, else 2.
    pub(crate) stride: usize,
}

impl TimeWindow<'_> {
    /// Starts an epoch in which no outcome has come yet.
    pub(crate) fn start(self, epoch: Epoch<'_>) {
        self.newest.read_or(epoch, || 0);
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

    /// What the window that ends with `tick` holds; nothing if a later tick comes meanwhile, as the
    /// window then has moved on, and whoever brought it tests what it holds.
    pub(crate) fn counts(self, epoch: u32, tick: u64, tallies: Tallies<'_>) -> Counts {
        let first = (tick + 1).saturating_sub(self.buckets());
        let Some(marked) = (first..=tick).find_map(|tick| self.mark(epoch, tick)) else {
            return Counts::default();
        };
        let since = |now: u64, mark: u64| now.wrapping_sub(mark) & TOTAL_MASK;
        // Failures first: one that sleeps after it sees a smaller share of them, not a larger.
        let (failures, slow) = (since(tallies.failed(), marked[1]), since(tallies.slowed(), marked[2]));
        let total = since(tallies.succeeded(), marked[0]) + failures;
        if self.newest.read(epoch) == Some(tick + 1) {
            Counts { total, failures, slow }
        } else {
            Counts::default()
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
        let totals = tallies.at_once();
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
        &self.marks[place * self.stride + word]
    }

    fn buckets(self) -> u64 {
        u64::try_from(self.marks.len() / self.stride).unwrap_or(u64::MAX)
    }
}

/// Whether `now` lies in a tick, of `width`, that has been entered in `epoch` or is before it: a success
/// then needs no more than to be added.
#[inline]
pub(crate) fn covers(newest: Tagged<'_>, epoch: u32, width: Span, now: Instant) -> bool {
    let Some(newest) = newest.read(epoch).filter(|newest| *newest > 0) else { return false };
    // No overflow: the tick was found by dividing an instant by this width.
    let start = (newest - 1) * width.as_nanos();
    now.as_nanos().saturating_sub(start) < width.as_nanos()
}

/// What the words of a mark say above their total.
const fn stamp(epoch: u32, tick: u64, word: usize) -> u64 {
    let name = match word {
        0 => tick & 0x7F_FFFF,
        _ => (epoch as u64 & 0x7FFF) << 8 | tick & 0xFF,
    };
    LAID | name << TOTAL_BITS
}

#[cfg(all(test, not(overcurrent_loom)))]
mod tests {
    use super::*;
    use crate::{
        cells::{
            layout,
            shards::Shards,
            words::{self, Head},
        },
        kernel::breaker::State,
    };

    const WIDTH: Span = Span::from_nanos(100);

    struct Cells {
        head: Head,
        marks: Box<[AtomicU64]>,
        shards: Shards,
        stride: usize,
    }

    impl Cells {
        fn new(stride: usize) -> Self {
            let marks = words::window(3 * stride);
            let cells = Self { head: Head::zeroed(), marks, shards: Shards::none(), stride };
            cells.begin(1);
            cells
        }

        fn begin(&self, epoch: u32) {
            self.head.at(layout::STATE).store(State { epoch, ..State::NEW }.pack(), Ordering::Release);
            self.window().start(self.epoch(epoch));
        }

        fn epoch(&self, number: u32) -> Epoch<'_> {
            Epoch { state: self.head.at(layout::STATE), number }
        }

        fn tallies(&self) -> Tallies<'_> {
            Tallies { head: &self.head, shards: &self.shards }
        }

        fn window(&self) -> TimeWindow<'_> {
            let newest = Tagged { word: self.head.at(layout::NEWEST), bits: 45 };
            TimeWindow { newest, marks: &self.marks, stride: self.stride }
        }

        /// A failure in `tick`: what the window then holds.
        fn fail(&self, epoch: u32, tick: u64) -> Option<Counts> {
            let tick = self.window().enter(self.epoch(epoch), tick, self.tallies())?;
            self.tallies().failure();
            Some(self.window().counts(epoch, tick, self.tallies()))
        }

        fn succeed(&self, epoch: u32, tick: u64) {
            self.window().enter(self.epoch(epoch), tick, self.tallies()).expect("the epoch is not over");
            self.tallies().success();
        }
    }

    fn failures(counts: Option<Counts>) -> Option<u64> {
        counts.map(|counts| counts.failures)
    }

    #[test]
    fn it_holds_the_last_ticks_and_no_more() {
        let cells = Cells::new(2);
        let held: Vec<_> = [10, 10, 11, 12, 13, 14].map(|tick| failures(cells.fail(1, tick))).into();
        assert_eq!(held, [Some(1), Some(2), Some(3), Some(4), Some(3), Some(3)]);
    }

    #[test]
    fn the_first_tick_of_all_counts() {
        let cells = Cells::new(2);
        assert_eq!([0, 0, 1, 2, 3].map(|tick| failures(cells.fail(1, tick))), [1, 2, 3, 4, 3].map(Some));
    }

    #[test]
    fn an_outcome_from_an_earlier_tick_enters_the_newest() {
        let cells = Cells::new(2);
        cells.fail(1, 10);
        assert_eq!(failures(cells.fail(1, 7)), Some(2));
        assert_eq!(failures(cells.fail(1, 12)), Some(3), "it is still there");
        assert_eq!(failures(cells.fail(1, 13)), Some(2), "it left with tick 10");
    }

    #[test]
    fn a_jump_of_any_length_empties_it() {
        for jump in [3, 4, 256, 257, 1 << 23, (1 << 23) + 1, 1 << 40] {
            let cells = Cells::new(2);
            cells.fail(1, 10);
            cells.fail(1, 11);
            assert_eq!(failures(cells.fail(1, 11 + jump)), Some(1), "after {jump} ticks");
        }
    }

    #[test]
    fn an_epoch_begins_empty_and_one_that_is_over_counts_nothing() {
        for later in [2, 1 + (1 << 15), 1 + (1 << 19), u32::MAX] {
            let cells = Cells::new(2);
            cells.fail(1, 10);
            cells.fail(1, 11);
            // Transitions follow one another, and each brings the words along.
            cells.begin(2);
            assert_eq!(failures(cells.fail(1, 11)), None);
            cells.begin(later);
            assert_eq!(failures(cells.fail(later, 11)), Some(1), "in epoch {later}");
        }
    }

    #[test]
    fn an_epoch_may_begin_with_the_clock_set_back() {
        let cells = Cells::new(2);
        cells.fail(1, 10);
        cells.begin(2);
        assert_eq!([1, 2, 4].map(|tick| failures(cells.fail(2, tick))), [1, 2, 2].map(Some));
    }

    #[test]
    fn slow_outcomes_are_counted_where_there_is_room_for_them() {
        let cells = Cells::new(3);
        cells.succeed(1, 10);
        cells.tallies().slow();
        cells.succeed(1, 11);
        let counts = cells.fail(1, 12).expect("the epoch is not over");
        assert_eq!(counts, Counts { total: 3, failures: 1, slow: 1 });
        let counts = cells.fail(1, 13).expect("the epoch is not over");
        assert_eq!(counts, Counts { total: 3, failures: 2, slow: 0 });
    }

    #[test]
    fn it_covers_the_newest_tick_and_what_came_before() {
        let cells = Cells::new(2);
        let covers = |epoch, nanos| covers(cells.window().newest, epoch, WIDTH, Instant::from_nanos(nanos));
        assert!(!covers(1, 1000), "nothing has come yet");
        cells.succeed(1, 10);
        assert!(covers(1, 1000) && covers(1, 1099) && covers(1, 3));
        assert!(!covers(1, 1100) && !covers(2, 1000));
    }

    #[test]
    fn a_stamp_has_the_low_bits_of_tick_and_epoch_and_says_that_it_was_laid() {
        let words = [0, 1, 2].map(|word| stamp(0x1_8003, 0x0280_0102, word) >> TOTAL_BITS);
        assert_eq!(words, [0x80_0102, 0x80_0302, 0x80_0302]);
    }

    #[test]
    fn a_place_that_was_never_laid_is_no_mark() {
        let cells = Cells::new(3);
        for epoch in [0, 1, 1 << 15] {
            assert!([0, 256, 1 << 23].iter().all(|tick| cells.window().mark(epoch, *tick).is_none()));
        }
    }

    #[test]
    fn a_mark_that_is_not_whole_counts_for_nothing() {
        let cells = Cells::new(2);
        cells.fail(1, 10);
        cells.fail(1, 11);
        let place = cells.stride; // of tick 10
        cells.marks[place].store(stamp(1, 7, 0), Ordering::Relaxed);
        assert_eq!(failures(cells.fail(1, 11)), Some(2), "that of tick 11 is the oldest now");
    }

    #[test]
    fn threads_that_enter_ticks_at_once_leave_it_whole() {
        let cells = Cells::new(3);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for tick in 0..8 {
                        cells.fail(1, tick);
                    }
                });
            }
        });
        // No more than all of the last three ticks, and at least what was counted after they met.
        let held = cells.fail(1, 7).expect("the epoch is not over");
        assert!((1..=25).contains(&held.failures) && held.total == held.failures, "{held:?}");
        assert_eq!(failures(cells.fail(1, 20)), Some(1));
    }
}
