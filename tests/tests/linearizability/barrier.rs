//! Where threads wait for each other: by spinning, so that they leave at nearly the same moment.

use std::{
    hint,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

/// Turns of spinning before the core is given to somebody else.
const SPINS: u32 = 2048;

/// A barrier that can be used again and again.
#[derive(Debug)]
pub(crate) struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
    /// Somebody panicked and will not come.
    left: AtomicBool,
}

impl Barrier {
    pub(crate) const fn new(threads: usize) -> Self {
        Self {
            threads,
            arrived: AtomicUsize::new(0),
            round: AtomicUsize::new(0),
            left: AtomicBool::new(false),
        }
    }

    /// Waits for all others.
    pub(crate) fn wait(&self) {
        // ORDERING: release at each arrival and at the new round, acquire where they are read, so that
        // what was done before the barrier is seen behind it.
        let round = self.round.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.arrived.store(0, Ordering::Release);
            self.round.store(round + 1, Ordering::Release);
            return;
        }
        let mut turn = 0;
        while self.round.load(Ordering::Acquire) == round {
            assert!(!self.left.load(Ordering::Acquire), "another of the threads has panicked");
            turn += 1;
            if turn % SPINS == 0 { thread::yield_now() } else { hint::spin_loop() }
        }
    }

    /// Releases the others should the thread of the guard panic.
    pub(crate) const fn leaver(&self) -> Leaver<'_> {
        Leaver(self)
    }
}

/// See [`Barrier::leaver`].
#[derive(Debug)]
pub(crate) struct Leaver<'b>(&'b Barrier);

impl Drop for Leaver<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.left.store(true, Ordering::Release);
        }
    }
}
