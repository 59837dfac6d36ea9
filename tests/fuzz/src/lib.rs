//! What the fuzz targets check. Each target is one line that hands its input to a function here.
//!
//! | module | input | held against |
//! | --- | --- | --- |
//! | [`document`] | any bytes, as a policy document | the ranges of `docs/policy.md` and the style of messages, written down once more |
//! | [`operations`] | a breaker's policy and a list of operations | the naive model of the breaker |
//! | [`retry`] | a retry's policy and a trace of calls | a naive model of the waits and the budget |
//! | [`draw`] | | how structured input is read from bytes |
//!
//! INVARIANT: a check panics where the core differs from what is written here, and nowhere else.
#![forbid(unsafe_code)]

mod breaker_policy;
pub mod document;
pub mod draw;
pub mod operations;
mod ranges;
pub mod retry;
mod retry_model;

#[path = "../../tests/model/mod.rs"]
mod model;
