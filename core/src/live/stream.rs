//! A random stream in memory: a seed and the number of draws.
//!
//! A seed from the operating system is taken afresh in a child process, so that a fork does not leave
//! two processes drawing the same waits.

use std::{
    process,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use crate::kernel::random;

/// The random stream of one breaker or retry.
#[derive(Debug)]
pub(crate) struct Stream {
    seed: AtomicU64,
    draws: AtomicU64,
    /// The process that seeded it; 0 where the seed was given.
    owner: AtomicU32,
}

impl Stream {
    /// The stream of a given seed, or of one from the operating system.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let owner = if seed.is_some() { 0 } else { process::id() };
        Self {
            seed: AtomicU64::new(seed.unwrap_or_else(from_system)),
            draws: AtomicU64::new(0),
            owner: AtomicU32::new(owner),
        }
    }

    /// The next draw.
    pub(crate) fn draw(&self) -> u64 {
        // ORDERING: relaxed; each draw needs its own number, nothing else is read through it.
        let owner = self.owner.load(Ordering::Relaxed);
        if owner != 0 && owner != process::id() {
            // Threads of the child may do this at once: each seed is as good as another.
            self.seed.store(from_system(), Ordering::Relaxed);
            self.owner.store(process::id(), Ordering::Relaxed);
        }
        let n = self.draws.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        random::draw(self.seed.load(Ordering::Relaxed), n)
    }
}

/// A seed from the operating system; where it has none to give, one from an address and the clock.
pub(crate) fn from_system() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        let here = std::ptr::from_ref(&()).addr() as u64;
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        random::mix(here ^ u64::try_from(now & u128::from(u64::MAX)).unwrap_or_default())
    })
}
