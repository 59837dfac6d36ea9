//! The native half of the Node package: what JavaScript cannot decide for itself.
//!
//! JavaScript owns the promises, the timers and the healthy path; it comes here when a decision is to
//! be made. Objects are numbers: every guard, breaker, budget, retry, clock and running call lives in
//! one slab per thread, and JavaScript holds its handle.
//!
//! | module | holds |
//! | --- | --- |
//! | `raw` | the hot functions as bare Node-API callbacks, and the memory shared with JavaScript: all that is unsafe |
//! | `slab` | the objects and their handles |
//! | `value` | a JavaScript value as a raw policy value |
//! | `error` | a refused policy as an object |
//! | `clock` | JavaScript's clock, and the manual one |
//! | `guard`, `call` | guards and their running calls |
//! | `entered` | the calls that run their first attempt, where JavaScript does not count them itself |
//! | `breaker`, `budget`, `retry` | the others alone |
//! | `registry` | guards by key |
//! | `http` | what HTTP and gRPC say |
//! | `share` | what one thread hands to another |
//! | `events` | what was decided, for JavaScript's listeners |
//! | `metrics` | what has been counted |
//! | `explain` | what stands and what happened, in words |
//! | `trace` | on whose behalf |
#![deny(unsafe_code)]
#![expect(clippy::needless_pass_by_value, reason = "the derive takes texts by value only")]

mod breaker;
mod budget;
mod call;
mod clock;
mod entered;
mod error;
mod events;
mod explain;
mod guard;
mod http;
mod metrics;
mod raw;
mod registry;
mod retry;
mod share;
mod slab;
mod trace;
mod value;
