//! The pure part: what is decided, given a policy, a state and `now`.
//!
//! Nothing here reads a clock, takes a lock, starts a thread, does I/O, logs or makes randomness of
//! its own.

pub mod backoff;
pub mod breaker;
pub mod budget;
pub mod call;
pub mod caller;
pub mod edge;
pub mod error;
pub mod error_type;
pub mod event;
pub mod explain;
pub mod grpc;
#[cfg(feature = "http")]
pub mod http;
pub mod jitter;
pub mod metric;
pub mod name;
pub mod outcome;
pub mod policy;
pub mod random;
pub mod retry;
pub mod rounded;
pub mod tally;
pub mod time;
pub mod trace;
pub mod window;
