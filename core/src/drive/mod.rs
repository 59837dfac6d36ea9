//! Drivers: they run the caller's function, wait, and tell the call machine what happened.

pub mod blocking;
pub mod classify;
pub mod context;
pub mod error;
pub mod future;
pub(crate) mod run;
mod span;
