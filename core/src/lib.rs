//! One circuit-breaker and retry core.
#![forbid(unsafe_code)]

pub mod cells;
pub mod drive;
pub mod kernel;
pub mod live;

pub use cells::breaker::Transition;
#[cfg(feature = "tokio")]
pub use drive::future::TokioSleep;
pub use drive::{
    classify::{Classify, Standard},
    context::Context,
    error::{Account, Error},
    future::Sleep,
};
#[cfg(any(feature = "toml", feature = "json"))]
pub use kernel::policy::PolicyDocument;
pub use kernel::{
    call::Verdict,
    error::{AttemptTimeout, BreakerOpen, DeadlineExceeded, ErrorCode, InvalidPolicy},
    outcome::{OpenReason, Outcome, Position, RejectReason, StopReason},
    policy::{
        Backoff, BreakerDraft, BreakerPolicy, BudgetDraft, BudgetPolicy, Dialect, GuardDraft, GuardPolicy,
        Jitter, RetryDraft, RetryPolicy, Value, WhenOpen, Window, WindowRules,
    },
    retry::{Decision, Failure},
    time::{Instant, Span},
};
pub use live::{
    breaker::Breaker,
    budget::Budget,
    builder::GuardBuilder,
    clock::{Clock, ManualClock, MonotonicClock},
    guard::{Guard, LoadError, Surrounds},
    key::idempotency_key,
    permit::Permit,
    registry::{Registry, RegistryFull},
    retry::{Retry, RetryCall},
    snapshot::Snapshot,
};
