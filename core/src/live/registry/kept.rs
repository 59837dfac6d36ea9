//! What a registry can keep, and when it may forget it.

use std::sync::Arc;

use crate::{
    kernel::outcome::Position,
    live::{breaker::Breaker, guard::Guard},
};

/// What a [`Registry`](crate::Registry) can keep: a [`Breaker`] or a [`Guard`].
pub trait Kept: Forget {}

impl Kept for Breaker {}
impl Kept for Guard {}

/// Not to be named outside, so that no other type can be kept.
pub trait Forget {
    /// Whether it could be made anew and would let nothing through that it rejects, now or soon: it is
    /// closed, without an override, and its openings so far are forgiven. To be asked by its only holder.
    fn forgettable(&mut self) -> bool;
}

impl Forget for Breaker {
    fn forgettable(&mut self) -> bool {
        let state = self.cells().state();
        let forgiven = || {
            let now = self.now();
            now >= self.cells().read(self.policy(), now).deadline
        };
        state.position == Position::Closed && (state.opens == 0 || forgiven())
    }
}

impl Forget for Guard {
    /// As its breaker; that one may live on elsewhere, under another name.
    fn forgettable(&mut self) -> bool {
        let Some(breaker) = self.breaker_mut() else { return true };
        if let Some(breaker) = Arc::get_mut(breaker) {
            return breaker.forgettable();
        }
        // Held. One of this name is the key's own, and a new guard would have another.
        self.breaker().is_none_or(|breaker| breaker.name() != self.name())
    }
}
