//! What the caller's function is told about the attempt it makes.

use std::time::Duration;

use crate::{
    kernel::time::Instant,
    live::{guard::Guard, key::CallKey},
};

/// One attempt, as seen from inside the function that makes it.
#[derive(Clone, Copy, Debug)]
pub struct Context<'g> {
    pub(crate) guard: &'g Guard,
    pub(crate) told: Told,
}

/// What there is to tell, beside the guard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) attempt: u32,
    pub(crate) ends: Option<Instant>,
    pub(crate) key: CallKey,
}

impl Context<'_> {
    /// Which attempt it is, from 1.
    pub const fn attempt(&self) -> u32 {
        self.told.attempt
    }

    /// The time left for it, by its own timeout or the deadline of the call, whichever is sooner;
    /// `None` where neither is set. A blocking function should pass it on, as it cannot be cut.
    pub fn remaining(&self) -> Option<Duration> {
        self.told.ends.map(|ends| ends.since(self.guard.now()).into())
    }

    /// A key for the dependency to recognise the call by: the same on every attempt, different for
    /// every call.
    pub fn idempotency_key(&self) -> String {
        self.told.key.spelled()
    }
}
