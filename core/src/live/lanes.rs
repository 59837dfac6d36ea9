//! Where the threads of another runtime (JavaScript) count the healthy calls of a guard, without coming here.
//!
//! | word of a lane | holds the calls | written by |
//! | --- | --- | --- |
//! | begun | that began in it | its thread |
//! | healthy | of those, that ended with the success of their only attempt | its thread |
//! | handed over | of those, whose end is counted elsewhere | its thread; whoever takes the lane back |
//!
//! A word is a double, which counts exactly up to 2⁵³ and takes one plain store of a runtime whose numbers are
//! doubles.
//!
//! INVARIANT: a lane has one thread at a time. It is never taken away: who comes later counts on in one that was
//! given back, so the words only grow, and there are as many lanes as there were threads at once.
//!
//! INVARIANT: what began in a lane and is neither healthy nor handed over is under way in its thread.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

const BEGUN: usize = 0;
const HEALTHY: usize = 1;
const HANDED_OVER: usize = 2;

/// The lanes of one guard, each with those that were made after it.
#[derive(Debug)]
pub(crate) struct Lanes(OnceLock<Box<Lane>>);

/// The words of one thread.
#[derive(Debug)]
pub(crate) struct Lane {
    words: [AtomicU64; 3],
    taken: AtomicBool,
    later: Lanes,
}

impl Lane {
    const fn new() -> Self {
        Self { words: [const { AtomicU64::new(0) }; 3], taken: AtomicBool::new(false), later: Lanes::none() }
    }

    /// The words: begun, healthy, handed over.
    pub(crate) const fn words(&self) -> &[AtomicU64; 3] {
        &self.words
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count; a runtime that writes anything else only spoils its own"
    )]
    fn read(&self, word: usize, ordering: Ordering) -> u64 {
        f64::from_bits(self.words[word].load(ordering)) as u64
    }

    /// A call begins in the thread that has this lane.
    pub(crate) fn begin(&self) {
        self.add(BEGUN, 1);
    }

    /// Of a call that began here, the end is counted elsewhere.
    pub(crate) fn hand_over(&self) {
        self.add(HANDED_OVER, 1);
    }

    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
    fn add(&self, word: usize, calls: u64) {
        // ORDERING: relaxed; only one thread writes, and who reads begun before an end takes none for negative.
        let sum = f64::from_bits(self.words[word].load(Ordering::Relaxed)) + calls as f64;
        self.words[word].store(sum.to_bits(), Ordering::Relaxed);
    }

    /// How many calls are under way in it.
    pub(crate) fn under_way(&self) -> u64 {
        // ORDERING: relaxed; asked where its thread writes no more, or by that thread.
        let read = |word| self.read(word, Ordering::Relaxed);
        read(BEGUN).saturating_sub(read(HEALTHY)).saturating_sub(read(HANDED_OVER))
    }

    /// Gives it back. Answers how many calls were under way in it, which nobody will end: they count as handed over.
    pub(crate) fn give_back(&self) -> u64 {
        let left = self.under_way();
        self.add(HANDED_OVER, left);
        // ORDERING: release pairs with the acquire of who takes it next, and goes on from what is in it.
        self.taken.store(false, Ordering::Release);
        left
    }
}

impl Lanes {
    pub(crate) const fn none() -> Self {
        Self(OnceLock::new())
    }

    fn each(&self) -> impl Iterator<Item = &Lane> {
        std::iter::successors(self.0.get(), |lane| lane.later.0.get()).map(|lane| &**lane)
    }

    /// The lane at a place.
    pub(crate) fn at(&self, place: usize) -> Option<&Lane> {
        self.each().nth(place)
    }

    /// Takes a lane that nobody has, a new one if need be; answers its place.
    pub(crate) fn take(&self) -> usize {
        let (mut lanes, mut place) = (self, 0);
        loop {
            let lane = lanes.0.get_or_init(|| Box::new(Lane::new()));
            // ORDERING: acquire pairs with the release of `give_back`.
            if !lane.taken.swap(true, Ordering::Acquire) {
                return place;
            }
            (lanes, place) = (&lane.later, place + 1);
        }
    }

    /// How many calls were healthy. To be read before the beginnings.
    pub(crate) fn healthy(&self) -> u64 {
        // ORDERING: acquire, so that the beginnings are read after it. A runtime's stores are plain, so from another
        // thread, on a processor that reorders stores, an end may show before its beginning.
        self.total(HEALTHY, Ordering::Acquire)
    }

    /// How many calls have begun.
    pub(crate) fn begun(&self) -> u64 {
        // ORDERING: relaxed, as it is read last.
        self.total(BEGUN, Ordering::Relaxed)
    }

    fn total(&self, word: usize, ordering: Ordering) -> u64 {
        self.each().fold(0, |sum, lane| sum.wrapping_add(lane.read(word, ordering)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_has_one_thread_at_a_time_and_is_used_again() {
        let lanes = Lanes::none();
        assert_eq!((lanes.begun(), lanes.healthy()), (0, 0));
        assert_eq!([lanes.take(), lanes.take(), lanes.take()], [0, 1, 2]);
        for (place, calls) in [(0, 5), (1, 7), (2, 9)] {
            let lane = lanes.at(place).expect("it was taken");
            (0..calls).for_each(|_| lane.begin());
            // As the other runtime does it.
            lane.words()[HEALTHY].store(3.0_f64.to_bits(), Ordering::Relaxed);
        }
        assert!(lanes.at(3).is_none());
        assert_eq!((lanes.begun(), lanes.healthy()), (21, 9));

        let middle = lanes.at(1).expect("it was taken");
        middle.hand_over();
        assert_eq!(middle.under_way(), 3);
        assert_eq!((middle.give_back(), middle.under_way()), (3, 0), "nobody ends them any more");
        assert_eq!([lanes.take(), lanes.take()], [1, 3], "the one that was given back comes first");
        assert_eq!((lanes.begun(), lanes.healthy()), (21, 9), "what is in it stays counted");
    }

    #[test]
    fn threads_that_come_and_go_count_exactly() {
        const THREADS: u64 = 4;
        const TURNS: u64 = 200;
        let lanes = Lanes::none();
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..TURNS {
                        let lane = lanes.at(lanes.take()).expect("it was taken");
                        lane.begin();
                        lane.add(HEALTHY, 1);
                        assert_eq!(lane.give_back(), 0, "it is nobody else's meanwhile");
                    }
                });
            }
        });
        assert_eq!((lanes.begun(), lanes.healthy()), (THREADS * TURNS, THREADS * TURNS));
        assert!(lanes.each().count() <= usize::try_from(THREADS).expect("it is small"));
    }
}
