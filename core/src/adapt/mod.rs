//! Guards and breakers where other crates expect to find such things. Each adapter is a feature of its own.
//!
//! An adapter says how a request is sent once more and what an answer is; what follows from that is decided
//! below, as for any other call.

#[cfg(any(feature = "tower", feature = "reqwest-middleware"))]
pub mod attempt;
#[cfg(all(feature = "http", any(feature = "tower", feature = "reqwest-middleware")))]
mod carrier;
#[cfg(all(feature = "http", any(feature = "tower", feature = "reqwest-middleware")))]
pub mod http_rules;
#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub mod log;
#[cfg(feature = "opentelemetry")]
#[cfg_attr(docsrs, doc(cfg(feature = "opentelemetry")))]
pub mod opentelemetry;
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub mod recorder;
#[cfg(feature = "reqwest-middleware")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest-middleware")))]
pub mod reqwest_middleware;
#[cfg(any(feature = "tower", feature = "reqwest-middleware"))]
mod sendings;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub mod tower;
