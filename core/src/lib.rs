//! One circuit-breaker and retry core.
#![forbid(unsafe_code)]

pub mod kernel;
