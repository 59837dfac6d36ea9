//! Breakers and guards as [tower](https://docs.rs/tower) layers; feature `tower`, on tokio's timer.
//!
//! | | around the inner service | its error |
//! | --- | --- | --- |
//! | [`BreakerLayer`] | one breaker: admission in `poll_ready`, the outcome when the response is there | [`Error<E>`](crate::Error) |
//! | [`GuardLayer`] | deadline, retries, breaker, attempt timeout, decided jointly | [`Error<E>`](crate::Error) |
//! | [`TraceContextLayer`] | of a server: on whose behalf it answers | its own |
//!
//! Nothing of an error is boxed: the inner service's own is in [`Error::Failed`](crate::Error::Failed) as it
//! was, and [`into_own`](crate::Error::into_own) takes it out. Where a layer outside of these boxes it, as
//! `tower::buffer` does, it can be had back by `downcast`.
//!
//! A response is judged when the future of the inner service is ready: for HTTP that is with its head. What
//! goes wrong in a body that is read later is not counted.

mod admission;
mod breaker;
mod guard;
mod replay;
mod trace_context;

pub use breaker::{BreakerFuture, BreakerLayer, BreakerService};
pub use guard::{GuardFuture, GuardLayer, GuardService};
pub use replay::{Cloned, Once, Replay};
pub use trace_context::{TraceContextLayer, TraceContextService};

pub use super::attempt::Attempt;
#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
pub use super::http_rules::HttpRules;
