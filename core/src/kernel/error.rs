//! The errors of a decision, each with one stable code.
//!
//! | code | type | when |
//! | --- | --- | --- |
//! | `INVALID_POLICY` | [`InvalidPolicy`] | a policy was refused at construction |
//! | `BREAKER_OPEN` | [`BreakerOpen`] | the breaker admitted no call |
//! | `ATTEMPT_TIMEOUT` | [`AttemptTimeout`] | one attempt took longer than `attempt_timeout` |
//! | `DEADLINE_EXCEEDED` | [`DeadlineExceeded`] | the whole call took longer than `deadline` |
//! | `REGISTRY_FULL` | `RegistryFull` | a bounded registry has no room for a new key |
//!
//! Messages are lower case, without a full stop, with user input in backticks and a unit on every
//! number. They are made here, once; the bindings pass them on. Durations in them are rounded; the fields are exact.

use std::fmt;

use super::{name::Name, outcome::RejectReason, rounded::Rounded, time::Span};

/// A stable, machine-readable name of an error, the same in every language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// A policy was refused at construction.
    InvalidPolicy,
    /// The breaker admitted no call.
    BreakerOpen,
    /// One attempt took longer than `attempt_timeout`.
    AttemptTimeout,
    /// The whole call took longer than `deadline`.
    DeadlineExceeded,
    /// A bounded registry has no room for a new key.
    RegistryFull,
}

impl ErrorCode {
    /// The code as a word: `"BREAKER_OPEN"`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidPolicy => "INVALID_POLICY",
            Self::BreakerOpen => "BREAKER_OPEN",
            Self::AttemptTimeout => "ATTEMPT_TIMEOUT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::RegistryFull => "REGISTRY_FULL",
        }
    }
}

/// A policy was refused: where, what stood there, and the rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid policy at `{path}`: `{value}` {rule}")]
pub struct InvalidPolicy {
    /// Where the value stands, as in the document: `policy.payments.retry.max_attempts`.
    pub path: String,
    /// The value as it was given.
    pub value: String,
    /// The rule it breaks, in words that follow the value: `must be 1 to 1000`.
    pub rule: String,
}

/// The breaker admitted no call; the function was not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("breaker `{breaker}` is {reason}{}", Hint(*retry_after))]
pub struct BreakerOpen {
    /// The breaker's name.
    pub breaker: Name,
    /// Why it admitted none.
    pub reason: RejectReason,
    /// How long until it will admit a probe, where that is known.
    pub retry_after: Option<Span>,
}

/// What a message says of the time until a probe.
struct Hint(Option<Span>);

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |span| write!(f, ", retry after {}", Rounded(span)))
    }
}

/// One attempt took longer than the policy's `attempt_timeout`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("attempt {attempt} of `{guard}` timed out after {}", Rounded(*timeout))]
pub struct AttemptTimeout {
    /// The guard's name.
    pub guard: Name,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The time it had.
    pub timeout: Span,
}

/// The whole call took longer than the policy's `deadline`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("call of `{guard}` exceeded its deadline of {} in attempt {attempts}", Rounded(*deadline))]
pub struct DeadlineExceeded {
    /// The guard's name.
    pub guard: Name,
    /// How many attempts had begun.
    pub attempts: u32,
    /// The time the whole call had.
    pub deadline: Span,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_same_words_everywhere() {
        let codes = [
            ErrorCode::InvalidPolicy,
            ErrorCode::BreakerOpen,
            ErrorCode::AttemptTimeout,
            ErrorCode::DeadlineExceeded,
            ErrorCode::RegistryFull,
        ];
        let words =
            ["INVALID_POLICY", "BREAKER_OPEN", "ATTEMPT_TIMEOUT", "DEADLINE_EXCEEDED", "REGISTRY_FULL"];
        assert_eq!(codes.map(ErrorCode::as_str), words);
    }

    #[test]
    fn a_rejection_says_when_to_come_back_where_that_is_known() {
        let refused =
            |reason, retry_after| BreakerOpen { breaker: "b".into(), reason, retry_after }.to_string();
        let span = Some(Span::from_nanos(5_391_541_723));
        assert_eq!(refused(RejectReason::Open, span), "breaker `b` is open, retry after 5.39 s");
        assert_eq!(refused(RejectReason::ForcedOpen, None), "breaker `b` is forced_open");
    }
}
