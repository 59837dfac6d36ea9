//! Attempts as spans of [OpenTelemetry](https://docs.rs/opentelemetry), and the metrics as its instruments;
//! feature `opentelemetry`, which needs the API and no SDK.
//!
//! | of a span | is |
//! | --- | --- |
//! | its name, its kind | the name of the guard and `attempt`; client |
//! | `overcurrent.guard`, `overcurrent.breaker` | their names |
//! | `overcurrent.breaker.state` | where the breaker stood when it admitted the attempt |
//! | `overcurrent.attempt` | which attempt it is, from 1 |
//! | `http.request.resend_count` | how many came before it, where some did |
//! | `overcurrent.outcome` | `success`, `failure`, `timeout`, `ignored` or `cancelled` |
//! | `error.type` | what [`Classify::error_type`](crate::Classify::error_type) says; of a timeout its code |
//! | its status | error, of a failure and a timeout |
//!
//! What was decided is an event of the span: `overcurrent.retry` and so on, with the fields of the event as
//! attributes, durations in seconds; of the caller's span where no attempt was under way. Nothing of a call's
//! arguments, results or messages is in any of this.

mod gathering;
mod instruments;
mod tracing;

pub use instruments::instrument_metrics;
pub use tracing::{AlreadyInstrumented, Instrumentation, instrument};
