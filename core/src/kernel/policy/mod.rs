//! Policies: plain validated data.
//!
//! There is one way in. Documents ([`PolicyDocument`]), drafts in Rust ([`GuardDraft`] and the like)
//! and the bindings all make a raw [`Value`]; `from_value` of each policy parses it, and what comes
//! out holds every rule. The [`Dialect`] says where the value was written down.
//!
//! | module | holds |
//! | --- | --- |
//! | `value`, `dialect` | the raw tree, and what differs between its sources |
//! | `decimal`, `quantity` | exact numbers; durations, ratios, counts |
//! | `field`, `table` | the declaration of a field, and the reader that applies it |
//! | `guard`, `retry`, `waits`, `budget`, `breaker`, `window` | the policies |
//! | `document` with `text`, `draft` | the two ways to write them |

pub mod breaker;
pub mod budget;
mod decimal;
mod dialect;
mod document;
mod draft;
mod field;
pub mod guard;
mod quantity;
pub mod retry;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod value;
pub mod waits;
pub mod window;

pub use breaker::BreakerPolicy;
pub use budget::BudgetPolicy;
pub use dialect::Dialect;
pub use document::PolicyDocument;
pub use draft::{BreakerDraft, BudgetDraft, GuardDraft, RetryDraft};
pub use field::FieldRow;
pub use guard::{GuardPolicy, WhenOpen};
pub use retry::RetryPolicy;
pub use value::Value;
pub use waits::{Backoff, Jitter};
pub use window::{Window, WindowRules};
