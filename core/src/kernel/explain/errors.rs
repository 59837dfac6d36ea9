//! Why a call failed, and why it was not tried again.

use std::fmt;

use super::words::Plural;
use crate::kernel::{
    error::{AttemptTimeout, BreakerOpen, DeadlineExceeded},
    outcome::{RejectReason, StopReason},
    rounded::Rounded,
    time::Span,
};

impl BreakerOpen {
    /// What it means for the call, in words.
    pub fn explain(&self) -> String {
        let name = &self.breaker;
        let why = match (self.reason, self.retry_after) {
            (RejectReason::Open, Some(after)) => {
                return format!(
                    "not called: breaker `{name}` was open, for {} more when it was asked",
                    Rounded(after)
                );
            }
            (RejectReason::Open, None) => "was open",
            (RejectReason::HalfOpen, _) => "was half open, with all of its probes out",
            (RejectReason::ForcedOpen, _) => "was forced open",
        };
        format!("not called: breaker `{name}` {why}")
    }
}

impl AttemptTimeout {
    /// What it means for the call, in words; `stop` is why it was not tried again.
    pub fn explain(&self, stop: Option<StopReason>) -> String {
        let Self { guard, attempt, timeout } = self;
        let because = Because(stop);
        format!("attempt {attempt} of `{guard}` was cut after {}{because}", Rounded(*timeout))
    }
}

impl DeadlineExceeded {
    /// What it means for the call, in words.
    pub fn explain(&self) -> String {
        let Self { guard, attempts, deadline } = self;
        let attempts = Plural((*attempts).into(), "attempt");
        format!("the call of `{guard}` had {} and used them up, in {attempts}", Rounded(*deadline))
    }
}

/// What became of a call whose own last error was handed over, in words.
pub fn given_up(attempts: u32, elapsed: Span, stop: Option<StopReason>) -> String {
    let attempts = Plural(attempts.into(), "attempt");
    format!("failed in {attempts} within {}{}", Rounded(elapsed), Because(stop))
}

/// Why there was no further attempt.
struct Because(Option<StopReason>);

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(stop) = self.0 else { return Ok(()) };
        f.write_str(", not tried again: ")?;
        f.write_str(match stop {
            StopReason::NotRetryable => "trying again would not cure it",
            StopReason::AttemptsExhausted => "no more attempts are allowed",
            StopReason::HintTooLong => "the server asked for a longer wait than is allowed",
            StopReason::Deadline => "the deadline would have come before the end of the wait",
            StopReason::BreakerOpen => "the breaker would have rejected it",
            StopReason::BudgetExhausted => "the retry budget was used up",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_happened_and_why_no_more_was_tried() {
        let open = |reason, retry_after| BreakerOpen { breaker: "b".into(), reason, retry_after }.explain();
        assert_eq!(
            [
                open(RejectReason::Open, Some(Span::from_millis(3_249))),
                open(RejectReason::HalfOpen, None),
                open(RejectReason::ForcedOpen, None),
            ],
            [
                "not called: breaker `b` was open, for 3.25 s more when it was asked",
                "not called: breaker `b` was half open, with all of its probes out",
                "not called: breaker `b` was forced open",
            ]
        );
        let timeout = AttemptTimeout { guard: "g".into(), attempt: 2, timeout: Span::from_secs(2) };
        assert_eq!(
            timeout.explain(Some(StopReason::BudgetExhausted)),
            "attempt 2 of `g` was cut after 2 s, not tried again: the retry budget was used up"
        );
        let deadline = DeadlineExceeded { guard: "g".into(), attempts: 1, deadline: Span::from_secs(90) };
        assert_eq!(deadline.explain(), "the call of `g` had 90 s and used them up, in 1 attempt");
        assert_eq!(given_up(3, Span::from_millis(450), None), "failed in 3 attempts within 450 ms");
        for stop in StopReason::ALL {
            assert!(
                given_up(1, Span::ZERO, Some(*stop))
                    .starts_with("failed in 1 attempt within 0 ms, not tried again: ")
            );
        }
    }
}
