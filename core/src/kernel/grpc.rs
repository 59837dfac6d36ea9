//! What a gRPC status means, and how long a server asks to wait.
//!
//! | status | to the breaker | trying again |
//! | --- | --- | --- |
//! | `UNAVAILABLE`, `DEADLINE_EXCEEDED`, `RESOURCE_EXHAUSTED` | failure | can cure it |
//! | `UNKNOWN`, `INTERNAL`, `DATA_LOSS`, `UNIMPLEMENTED`, and numbers that no status has | failure | cannot |
//! | `CANCELLED` | ignored: somebody gave up | |
//! | everything else | success: the dependency has answered | |
//!
//! The statuses are those of the gRPC core concepts, the pushback is that of proposal A6, client retries.
//! A protocol does not tell which methods may be repeated; who calls them must say so.

use super::{call::Verdict, retry::Failure, time::Span};

/// The trailer by which a server asks to wait, or not to be tried again.
pub const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// What the end of a call means: the number of its status, its [`PUSHBACK`] trailer, if it has one, and
/// whether the call may be repeated. A pushback that is negative or no number asks not to be tried again.
///
/// ```
/// use overcurrent::{Failure, Span, Verdict, grpc};
///
/// let unavailable = grpc::classify(14, Some("250"), true);
/// assert_eq!(unavailable, Verdict::Failure(Failure { retryable: true, hint: Some(Span::from_millis(250)) }));
/// ```
pub fn classify(status: u32, pushback: Option<&str>, repeatable: bool) -> Verdict {
    let curable = match status {
        4 | 8 | 14 => true,
        2 | 12 | 13 | 15 | 17.. => false,
        1 => return Verdict::Ignored,
        0 | 3 | 5..=7 | 9..=11 | 16 => return Verdict::Success,
    };
    let hint =
        pushback.map(|millis| millis.parse::<u32>().ok().filter(|millis| i32::try_from(*millis).is_ok()));
    Verdict::Failure(Failure {
        retryable: curable && repeatable && hint != Some(None),
        hint: hint.flatten().map(|millis| Span::from_millis(millis.into())),
    })
}

/// The names of the statuses, by their numbers.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The name of the status of a number: `UNAVAILABLE` of 14. `None` of a number that no status has.
pub fn name(status: u32) -> Option<&'static str> {
    NAMES.get(usize::try_from(status).ok()?).copied()
}
