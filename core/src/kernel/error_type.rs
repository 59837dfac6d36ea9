//! What a failure is called where failures are told apart: the attribute `error.type` of OpenTelemetry.
//!
//! | what there is to know of it, in this order | it is called |
//! | --- | --- |
//! | a status of HTTP, 100 to 599 | by that: `503` |
//! | a code, where that is a word in capitals | by that: `ECONNREFUSED`, `UNAVAILABLE`, `ATTEMPT_TIMEOUT` |
//! | the class of an error | by that: `httpx.ConnectError` |
//! | nothing of these | `_OTHER` |
//!
//! INVARIANT: nothing of what an error says is in it, so there are few names.

use std::borrow::Cow;

/// What a failure is called that is nothing else.
pub const OTHER: &str = "_OTHER";

/// The longest code that is a name, in characters. A longer one is data.
const LONGEST_CODE: usize = 64;

/// What a failure is called, given what there is to know of it: the status of HTTP that it tells of, the code
/// that it carries, and the class of the error.
///
/// ```
/// use overcurrent::error_type;
///
/// assert_eq!(error_type(Some(503), Some("ERR_BAD_RESPONSE"), Some("AxiosError")), "503");
/// assert_eq!(error_type(None, Some("ECONNREFUSED"), Some("Error")), "ECONNREFUSED");
/// assert_eq!(error_type(None, Some("no such host: db7"), Some("DnsError")), "DnsError");
/// ```
pub fn error_type<'a>(status: Option<i64>, code: Option<&'a str>, class: Option<&'a str>) -> Cow<'a, str> {
    match status {
        Some(status @ 100..=599) => status.to_string().into(),
        _ => code
            .filter(|code| is_word(code))
            .or(class.filter(|class| !class.is_empty()))
            .unwrap_or(OTHER)
            .into(),
    }
}

/// Whether a code is a word in capitals, which identifies an error and is made for it.
fn is_word(code: &str) -> bool {
    let capital = |byte: u8| byte.is_ascii_uppercase();
    let rest = |byte: u8| capital(byte) || byte.is_ascii_digit() || byte == b'_';
    code.len() <= LONGEST_CODE && code.bytes().next().is_some_and(capital) && code.bytes().all(rest)
}
