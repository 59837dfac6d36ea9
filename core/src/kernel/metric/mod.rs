//! What is measured: its names (`table`), what one object counted (`snapshot`), the same as families of samples
//! (`family`), and as text (`exposition`).
//!
//! INVARIANT: a sample is there from the beginning, with a zero; so are those of every outcome, reason, state and
//! transition that can be. Two renderings of the same metrics are equal.

mod exposition;
mod family;
mod histogram;
mod snapshot;
mod table;

#[cfg(any(feature = "metrics", feature = "opentelemetry"))]
pub(crate) use family::Number;
pub use family::{Family, Sample, SampleValue};
pub use histogram::Histogram;
pub use snapshot::{BreakerMetrics, GuardMetrics, Metrics, RegistryMetrics};
pub use table::{Metric, MetricKind};
