//! The objects a program holds: they know the time, own the cells, and are shared by reference.

pub mod breaker;
pub mod budget;
pub mod builder;
pub mod clock;
mod counts;
pub mod current;
pub mod events;
pub mod first;
mod fork;
pub mod guard;
pub mod key;
pub mod lane;
mod lanes;
pub mod metrics;
mod past;
pub mod permit;
pub mod registry;
pub mod retry;
pub mod snapshot;
#[cfg(feature = "opentelemetry")]
pub(crate) mod spans;
pub mod stream;
