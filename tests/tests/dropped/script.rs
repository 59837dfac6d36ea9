//! What a call under test does: each attempt awaits several times, the first few attempts fail.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// How the attempts of one call go, and how far they have come.
#[derive(Debug)]
pub(crate) struct Script {
    failing: u32,
    begun: AtomicU32,
    late: AtomicU32,
    ended: AtomicU32,
}

impl Script {
    /// How long an attempt takes.
    pub(crate) const ATTEMPT: Duration = Duration::from_millis(10);

    /// One of which so many attempts fail.
    pub(crate) fn new(failing: u32) -> Arc<Self> {
        Arc::new(Self {
            failing,
            begun: AtomicU32::new(0),
            late: AtomicU32::new(0),
            ended: AtomicU32::new(0),
        })
    }

    /// Makes an attempt.
    pub(crate) async fn attempt(&self) -> Result<(), io::Error> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        tokio::task::yield_now().await;
        tokio::time::sleep(Self::ATTEMPT).await;
        self.late.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        self.ended.fetch_add(1, Ordering::Relaxed);
        if number > self.failing { Ok(()) } else { Err(io::Error::other("the script says so")) }
    }

    /// How many attempts have begun.
    pub(crate) fn begun(&self) -> u32 {
        self.begun.load(Ordering::Relaxed)
    }

    /// How many have failed.
    pub(crate) fn failed(&self) -> u32 {
        self.ended.load(Ordering::Relaxed).min(self.failing)
    }

    /// Whether the attempt under way has used up its time.
    pub(crate) fn is_late(&self) -> bool {
        self.late.load(Ordering::Relaxed) > self.ended.load(Ordering::Relaxed)
    }
}
