//! One request, sent once or again and again.
//!
//! INVARIANT: while another attempt may follow, there is a request for it. The attempt that takes the last
//! one is told so, and none follows it.

use crate::{drive::context::Told, live::guard::Guard};

/// The requests that are left of one call.
pub(super) struct Sendings<Req> {
    left: Option<Req>,
    attempts: u32,
}

impl<Req> Sendings<Req> {
    /// Those of a call under `guard`.
    pub(super) fn of(request: Req, guard: &Guard) -> Self {
        let attempts = guard.policy().retry.as_ref().map_or(1, |retry| retry.max_attempts);
        Self { left: Some(request), attempts }
    }

    /// The request of an attempt, and whether a request is missing for another. It is copied first, where
    /// another attempt may follow; one that cannot be copied is the last.
    pub(super) fn next(&mut self, told: Told, copy: impl FnOnce(&Req) -> Option<Req>) -> (Option<Req>, bool) {
        let request = self.left.take();
        if told.attempt >= self.attempts {
            return (request, false);
        }
        self.left = request.as_ref().and_then(copy);
        (request, self.left.is_none())
    }
}
