//! What a request is told about the attempt that sends it.

use std::sync::Arc;

use crate::{
    drive::context::{Context, Told},
    live::guard::Guard,
};

/// The attempt that a request is sent by, to be kept in the request: the extensions of an
/// `http::Request` have it, or those that reqwest-middleware hands on.
#[derive(Clone, Debug)]
pub struct Attempt {
    guard: Arc<Guard>,
    told: Told,
}

impl Attempt {
    pub(super) fn of(guard: &Arc<Guard>, told: Told) -> Self {
        Self { guard: Arc::clone(guard), told }
    }

    /// Its number, the time it has left, and the idempotency key of its call.
    pub fn context(&self) -> Context<'_> {
        Context { guard: &self.guard, told: self.told }
    }
}
