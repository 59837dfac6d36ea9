//! What HTTP says about a call: whether it may be repeated, what an answer means, how long to wait.
//!
//! | status | to the breaker | trying again |
//! | --- | --- | --- |
//! | 408, 425, 429, 500, 502, 503, 504 | failure | can cure it |
//! | any other 5xx | failure | cannot |
//! | everything else | success: the dependency has answered | |
//!
//! Numbers of sections are those of RFC 9110.
//!
//! INVARIANT: no answer and no error of a request that may not be repeated is ever retryable.

use std::time::{Duration, UNIX_EPOCH};

use super::{call::Verdict, retry::Failure, time::Span};

/// The header of a request that the server knows by a key, so that it acts on it once.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// What there is to know of a request.
///
/// ```
/// use overcurrent::http::Request;
///
/// let order = Request { method: "POST", has_idempotency_key: false, has_replayable_body: true };
/// assert!(!order.is_repeatable());
/// assert!(Request { has_idempotency_key: true, ..order }.is_repeatable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'r> {
    /// The method.
    pub method: &'r str,
    /// Whether it carries an [`IDEMPOTENCY_KEY`], or what its server takes for one.
    pub has_idempotency_key: bool,
    /// Whether its body can be sent once more; one that is read from a stream cannot.
    pub has_replayable_body: bool,
}

impl Request<'_> {
    /// Whether it may be sent once more: its body can be, and its method or its key makes that harmless.
    pub fn is_repeatable(self) -> bool {
        self.has_replayable_body && (self.has_idempotency_key || is_idempotent(self.method))
    }
}

/// Whether a request of this method may be sent twice with the effect of one (§9.2.2).
///
/// HTTP tells methods apart by case (§9.1), but clients take `get` and send `GET`; so case is not looked
/// at here.
pub fn is_idempotent(method: &str) -> bool {
    const IDEMPOTENT: [&str; 6] = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];
    IDEMPOTENT.iter().any(|idempotent| method.eq_ignore_ascii_case(idempotent))
}

/// What an answer means. `retry_after` is its header, if it has one, and `now` the time by the wall clock
/// since the beginning of 1970 in UTC, which a date in the header is compared to.
///
/// ```
/// use overcurrent::{Failure, Span, Verdict, http};
///
/// let request = http::Request { method: "GET", has_idempotency_key: false, has_replayable_body: true };
/// let busy = http::classify(request, 503, Some("2"), Span::ZERO);
/// assert_eq!(busy, Verdict::Failure(Failure { retryable: true, hint: Some(Span::from_secs(2)) }));
/// assert_eq!(http::classify(request, 404, None, Span::ZERO), Verdict::Success);
/// ```
pub fn classify(request: Request<'_>, status: u16, retry_after: Option<&str>, now: Span) -> Verdict {
    let curable = match status {
        408 | 425 | 429 | 500 | 502..=504 => true,
        501 | 505..=599 => false,
        _ => return Verdict::Success,
    };
    Verdict::Failure(Failure {
        retryable: curable && request.is_repeatable(),
        hint: retry_after.and_then(|header| self::retry_after(header, now)),
    })
}

/// What it means that there was no answer: the connection failed, or the time was up.
pub fn classify_error(request: Request<'_>) -> Verdict {
    Verdict::Failure(Failure { retryable: request.is_repeatable(), hint: None })
}

/// How long a Retry-After header (§10.2.3) asks to wait: whole seconds, or a date in any of the three forms
/// (§5.6.7). A date that is over asks for no wait, a number that is too large for the longest; what is
/// neither a number nor a date asks for nothing. `now` is as for [`classify`].
pub fn retry_after(header: &str, now: Span) -> Option<Span> {
    let header = header.trim_matches([' ', '\t']);
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(header.parse().map_or(Span::MAX, Span::from_secs));
    }
    let date = httpdate::parse_http_date(header).ok()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(date.saturating_sub(now.into()).into())
}

/// The Retry-After header of an answer that asks to wait so long: whole seconds, rounded up.
pub fn retry_after_header(wait: Span) -> u64 {
    let wait = Duration::from(wait);
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// The key that the guards of servers are kept under: host and port, whatever the scheme. A port that is
/// not given is that of the scheme, where the scheme has one.
///
/// ```
/// use overcurrent::http::authority;
///
/// assert_eq!(authority("https", "API.example", None), "api.example:443");
/// assert_eq!(authority("http", "::1", Some(8080)), "[::1]:8080");
/// ```
pub fn authority(scheme: &str, host: &str, port: Option<u16>) -> String {
    let known = |names: [&str; 2]| names.iter().any(|name| scheme.eq_ignore_ascii_case(name));
    let usual = || known(["http", "ws"]).then_some(80).or_else(|| known(["https", "wss"]).then_some(443));
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let mut key = if bare.contains(':') { format!("[{bare}]") } else { bare.to_owned() };
    key.make_ascii_lowercase();
    if let Some(port) = port.or_else(usual) {
        key.push(':');
        key.push_str(&port.to_string());
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_one_of_three() {
        let request = Request { method: "GET", has_idempotency_key: false, has_replayable_body: true };
        for status in 0..=u16::MAX {
            let expected = match status {
                408 | 425 | 429 | 500 | 502 | 503 | 504 => Verdict::Failure(Failure::RETRYABLE),
                500..600 => Verdict::Failure(Failure::FINAL),
                _ => Verdict::Success,
            };
            assert_eq!(classify(request, status, None, Span::ZERO), expected, "{status}");
        }
    }

    #[test]
    fn whole_seconds_are_rounded_up() {
        for (nanos, seconds) in [(0, 0), (1, 1), (1_000_000_000, 1), (1_000_000_001, 2)] {
            assert_eq!(retry_after_header(Span::from_nanos(nanos)), seconds);
        }
        assert_eq!(retry_after_header(Span::MAX), 18_446_744_074);
    }
}
