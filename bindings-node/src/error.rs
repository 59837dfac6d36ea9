//! A refused policy as an object; JavaScript makes the error of it.

use napi_derive::napi;
use overcurrent::InvalidPolicy;

/// What was refused, where and why, and all of that in one message.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub(crate) struct Refused {
    /// The whole message.
    pub message: String,
    /// Where the value stands.
    pub path: String,
    /// The value.
    pub value: String,
    /// The rule it breaks.
    pub rule: String,
}

impl From<InvalidPolicy> for Refused {
    fn from(error: InvalidPolicy) -> Self {
        let message = error.to_string();
        let InvalidPolicy { path, value, rule } = error;
        Self { message, path, value, rule }
    }
}

/// The message of a policy that JavaScript itself refused.
#[napi]
pub(crate) fn refusal_message(path: String, value: String, rule: String) -> String {
    InvalidPolicy { path, value, rule }.to_string()
}
