//! One circuit breaker and retry, with the same decisions in Rust, Python and Node.
//!
//! A [`Guard`] surrounds the calls of one dependency and decides as one: whether a call is admitted, how
//! long an attempt may take, whether and when a failure is tried again.
//!
//! ```
//! use overcurrent::{BreakerPolicy, Guard, RetryPolicy};
//! use std::time::Duration;
//!
//! let guard = Guard::builder("payments")
//!     .attempt_timeout(Duration::from_secs(2))
//!     .retry(RetryPolicy::exponential(Duration::from_millis(100), Duration::from_secs(5)).max_attempts(4))
//!     .breaker(BreakerPolicy::failure_rate(0.5))
//!     .build()?;
//! let receipt = guard.call(|attempt| Ok::<_, std::io::Error>(attempt.attempt()));
//! assert_eq!(receipt.unwrap(), 1);
//! # Ok::<(), overcurrent::InvalidPolicy>(())
//! ```
//!
//! A [`Breaker`], a [`Retry`] and a [`Budget`] can be had alone. A policy can be a file
//! ([`Guard::from_file`], [`PolicyDocument`]); a test brings its own time ([`ManualClock`]) and seed.
//!
//! # Layers
//!
//! Each imports only from those before it.
//!
//! | module | holds |
//! | --- | --- |
//! | [`kernel`] | what is decided, given a policy, a state and `now`; no clock, lock or I/O |
//! | [`cells`] | the state in memory: 64-bit words and the compare-and-swap loops over them |
//! | [`live`] | the objects a program holds |
//! | [`drive`] | running the caller's function, blocking or asynchronous |
//! | [`adapt`] | guards and breakers where other crates expect to find such things |
//!
//! # Features
//!
//! | feature | adds |
//! | --- | --- |
//! | `toml`, `json` (both by default) | policy documents |
//! | `http` | what the answers of HTTP mean |
//! | `tokio` | [`Guard`]'s `run`, which sleeps on tokio's timer; any other runtime can be given to `Guard::run_on` as a [`Sleep`] |
//! | `tower` | layers and services: a breaker, or a guard with retries, around any `tower::Service` |
//! | `reqwest-middleware` | a middleware with a guard for each server |
//! | `metrics` | [`Metrics`]' `publish`: the metrics for recorders of the crate `metrics` |
//! | `opentelemetry` | [`opentelemetry`]: attempts as spans, and the metrics as instruments |
//! | `tracing` | [`log_events`]: decisions as events of `tracing` |
//! | `fork` | for processes that fork while threads run: no lock is taken when a thread ends |
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adapt;
pub mod cells;
pub mod drive;
pub mod kernel;
pub mod live;

#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub use adapt::log::{Logging, log_events};
#[cfg(feature = "opentelemetry")]
#[cfg_attr(docsrs, doc(cfg(feature = "opentelemetry")))]
#[doc(inline)]
pub use adapt::opentelemetry;
#[cfg(feature = "reqwest-middleware")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest-middleware")))]
#[doc(inline)]
pub use adapt::reqwest_middleware;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
#[doc(inline)]
pub use adapt::tower;
pub use cells::breaker::Transition;
#[cfg(feature = "tokio")]
pub use drive::future::TokioSleep;
pub use drive::{
    classify::{Classify, Standard},
    context::Context,
    error::{Account, Error},
    future::Sleep,
};
#[cfg(feature = "http")]
pub use kernel::http;
#[cfg(any(feature = "toml", feature = "json"))]
pub use kernel::policy::PolicyDocument;
pub use kernel::{
    call::Verdict,
    caller::Caller,
    edge::Edge,
    error::{AttemptTimeout, BreakerOpen, DeadlineExceeded, ErrorCode, InvalidPolicy},
    error_type::error_type,
    event::{Event, Fact, Severity},
    grpc,
    metric::{
        BreakerMetrics, Family, GuardMetrics, Histogram, Metric, MetricKind, Metrics, RegistryMetrics,
        Sample, SampleValue,
    },
    name::Name,
    outcome::{ChangeReason, Cut, Ending, OpenReason, Origin, Outcome, Position, RejectReason, StopReason},
    policy::{
        Backoff, BreakerDraft, BreakerPolicy, BudgetDraft, BudgetPolicy, Dialect, GuardDraft, GuardPolicy,
        Jitter, RetryDraft, RetryPolicy, Value, WhenOpen, Window, WindowRules,
    },
    retry::{Decision, Failure},
    rounded::Rounded,
    tally::{Listed, Tally},
    time::{Instant, Span},
    trace::{SpanId, TraceContext, TraceId},
};
pub use live::{
    breaker::Breaker,
    budget::Budget,
    builder::GuardBuilder,
    clock::{Clock, ManualClock, MonotonicClock},
    current::InScope,
    events::{Filter, InPlace, Listening, Subscription, subscribe, subscribe_in_place, subscribe_with},
    first::First,
    guard::{Guard, LoadError, Surrounds},
    key::idempotency_key,
    lane::CallLane,
    metrics::{Measured, metrics, register},
    permit::Permit,
    registry::{Kept, Registry, RegistryFull, Values},
    retry::{Retry, RetryCall},
    snapshot::Snapshot,
};
