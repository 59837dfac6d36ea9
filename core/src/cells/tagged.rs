//! A word beside the state that belongs to an epoch: the low bits of the epoch, above a payload.
//!
//! | word | payload | tag |
//! | --- | --- | --- |
//! | deadline | 45: whole ms | 19 |
//! | consecutive | 32: failures in a row | 32 |
//! | newest | 45: newest tick + 1; 0 before the first | 19 |
//! | base | 48: outcomes counted before the epoch | 16 |
//!
//! A word of another epoch is taken over, never believed. INVARIANT: it is changed only by a CAS from a
//! value that was read before the state was seen to be in the writer's epoch still. As nobody writes for
//! an epoch that has not begun, that value is of this epoch or an older one, and a writer that slept
//! meanwhile fails. So the order of tags plays no part, and a tag that wraps could mislead only if the
//! word stood untouched for as many transitions; but each transition brings the words into its epoch,
//! and what one does that died before it could, the next one does.

use super::sync::{AtomicU64, Ordering};
use crate::kernel::breaker::epoch_of;

/// An epoch, and the word that says whether it is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch<'c> {
    pub(crate) state: &'c AtomicU64,
    pub(crate) number: u32,
}

impl Epoch<'_> {
    fn is_over(self) -> bool {
        // ORDERING: acquire, as every reading of the state.
        epoch_of(self.state.load(Ordering::Acquire)) != self.number
    }
}

/// A word of which the low `bits` are payload and the rest the tag of an epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tagged<'c> {
    pub(crate) word: &'c AtomicU64,
    pub(crate) bits: u32,
}

/// What an update found and left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Update {
    /// The payload before, if the word was of the epoch already.
    pub(crate) before: Option<u64>,
    /// The payload now.
    pub(crate) now: u64,
}

impl Tagged<'_> {
    /// The payload, if the word is of `epoch`.
    #[inline]
    pub(crate) fn read(self, epoch: u32) -> Option<u64> {
        // ORDERING: acquire pairs with the release of `update`, so that who sees a word of an epoch
        // sees the state of that epoch or a later one.
        self.payload(self.word.load(Ordering::Acquire), epoch)
    }

    /// The payload whatever epoch it is of.
    #[inline]
    pub(crate) fn of_any(self) -> u64 {
        // ORDERING: relaxed; who asks does not act on what else the writer wrote.
        self.word.load(Ordering::Relaxed) & self.mask()
    }

    /// Gives the word the payload that `next` makes of the one it has in this epoch, if any; `next`
    /// may leave one that is there as it is. `None` if the epoch is over.
    pub(crate) fn update(
        self,
        epoch: Epoch<'_>,
        next: impl Fn(Option<u64>) -> Option<u64>,
    ) -> Option<Update> {
        // ORDERING: acquire and release, as `read` says; the acquire also keeps the look at the state
        // behind this reading, on which the invariant rests.
        let mut seen = self.word.load(Ordering::Acquire);
        loop {
            let before = self.payload(seen, epoch.number);
            let now = match (before, next(before)) {
                (Some(now), None) => return Some(Update { before, now }),
                (_, Some(now)) => now,
                (None, None) => return None,
            };
            if epoch.is_over() {
                return None;
            }
            let word = self.tag(epoch.number) | now & self.mask();
            match self.word.compare_exchange(seen, word, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(Update { before, now }),
                Err(other) => seen = other,
            }
        }
    }

    /// The payload, brought into the epoch with `first` if it was of another.
    pub(crate) fn read_or(self, epoch: Epoch<'_>, first: impl Fn() -> u64) -> Option<u64> {
        let next = |held: Option<u64>| held.is_none().then(&first);
        self.update(epoch, next).map(|update| update.now)
    }

    fn payload(self, word: u64, epoch: u32) -> Option<u64> {
        (word & !self.mask() == self.tag(epoch)).then_some(word & self.mask())
    }

    const fn tag(self, epoch: u32) -> u64 {
        (epoch as u64) << self.bits
    }

    const fn mask(self) -> u64 {
        (1 << self.bits) - 1
    }
}

#[cfg(all(test, not(overcurrent_loom)))]
mod tests {
    use super::*;
    use crate::{cells::sync::zero, kernel::breaker::State};

    struct Cell {
        state: AtomicU64,
        word: AtomicU64,
    }

    impl Cell {
        fn new() -> Self {
            Self { state: zero(), word: zero() }
        }

        fn enter(&self, epoch: u32) {
            self.state.store(State { epoch, ..State::NEW }.pack(), Ordering::Release);
        }

        fn epoch(&self, number: u32) -> Epoch<'_> {
            Epoch { state: &self.state, number }
        }

        fn tagged(&self) -> Tagged<'_> {
            Tagged { word: &self.word, bits: 48 }
        }
    }

    #[test]
    fn a_word_of_another_epoch_is_taken_over_and_never_read() {
        let cell = Cell::new();
        cell.enter(7);
        assert_eq!(cell.tagged().read_or(cell.epoch(7), || 41), Some(41));
        assert_eq!(cell.tagged().read_or(cell.epoch(7), || 99), Some(41), "it is there already");
        assert_eq!((cell.tagged().read(7), cell.tagged().read(8)), (Some(41), None));
        cell.enter(8);
        assert_eq!(cell.tagged().read_or(cell.epoch(8), || 5), Some(5));
        assert_eq!(cell.tagged().of_any(), 5);
    }

    #[test]
    fn an_epoch_that_is_over_writes_nothing() {
        let cell = Cell::new();
        cell.enter(8);
        cell.tagged().read_or(cell.epoch(8), || 5);
        assert!(cell.tagged().update(cell.epoch(7), |_| Some(1)).is_none());
        assert_eq!(cell.tagged().read(8), Some(5));
    }

    #[test]
    fn an_older_word_is_taken_over_however_many_epochs_lie_between() {
        for apart in [1, 1 << 15, (1 << 15) + 1, (1 << 16) - 1, (1 << 16) + 1, (1 << 31) + 1, u32::MAX] {
            let cell = Cell::new();
            cell.enter(3);
            cell.tagged().read_or(cell.epoch(3), || 41);
            let later = 3_u32.wrapping_add(apart);
            cell.enter(later);
            assert_eq!(cell.tagged().read_or(cell.epoch(later), || 5), Some(5), "{apart} epochs later");
        }
    }

    #[test]
    fn an_update_says_what_it_found_and_left() {
        let cell = Cell::new();
        cell.enter(1);
        let add = |held: Option<u64>| Some(held.map_or(1, |held| held + 1));
        let first = cell.tagged().update(cell.epoch(1), add).expect("the epoch is not over");
        let second = cell.tagged().update(cell.epoch(1), add).expect("the epoch is not over");
        assert_eq!((first.before, first.now, second.before, second.now), (None, 1, Some(1), 2));
        assert!(cell.tagged().update(cell.epoch(1), |_| None).is_some_and(|update| update.now == 2));
    }

    #[test]
    fn updates_of_many_threads_all_count() {
        let cell = Cell::new();
        cell.enter(1);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        cell.tagged().update(cell.epoch(1), |held| Some(held.unwrap_or(0) + 1));
                    }
                });
            }
        });
        assert_eq!(cell.tagged().read(1), Some(60));
    }
}
