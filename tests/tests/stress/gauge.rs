//! How many probes of an epoch are out, as those who hold them see it.
//!
//! A probe is counted after it was granted and no longer just before its outcome is recorded, so the
//! gauge never shows more than there are. What it shows too many, the breaker has granted too many.

use std::sync::atomic::{AtomicU64, Ordering};

/// Epochs that are kept apart; an older one is no longer looked at.
const EPOCHS: usize = 4096;
const EPOCH: u32 = 32;
const NET: u32 = 16;
const MASK: u64 = (1 << NET) - 1;

/// By epoch: the epoch 32, probes granted net of returns 16, probes out 16.
#[derive(Debug)]
pub(crate) struct Gauge(Vec<AtomicU64>);

impl Gauge {
    pub(crate) fn new() -> Self {
        Self((0..EPOCHS).map(|_| AtomicU64::new(0)).collect())
    }

    /// Counts a probe; how many are now out, and granted net of returns.
    pub(crate) fn enter(&self, epoch: u32) -> (u64, u64) {
        let next = self.change(epoch, |held| held + 1 + (1 << NET));
        (next & MASK, next >> NET & MASK)
    }

    /// A probe is about to be answered, or given back.
    pub(crate) fn leave(&self, epoch: u32, back: bool) {
        self.change(epoch, |held| held - 1 - (u64::from(back) << NET));
    }

    fn change(&self, epoch: u32, change: impl Fn(u64) -> u64) -> u64 {
        let tag = u64::from(epoch) << EPOCH;
        let slot = &self.0[epoch as usize % EPOCHS];
        let mut seen = slot.load(Ordering::SeqCst);
        loop {
            let next = match (seen >> EPOCH).cmp(&u64::from(epoch)) {
                // A later epoch has the place.
                std::cmp::Ordering::Greater => return 0,
                std::cmp::Ordering::Equal => change(seen),
                std::cmp::Ordering::Less => change(tag),
            };
            match slot.compare_exchange(seen, next, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return next,
                Err(other) => seen = other,
            }
        }
    }
}
