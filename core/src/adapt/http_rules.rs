//! The rules of HTTP for requests and responses of the `http` crate; what they are is in the kernel.

use std::{borrow::Cow, time::UNIX_EPOCH};

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header::RETRY_AFTER};

use super::carrier::carry;
use crate::{
    drive::context::Context,
    kernel::{call::Verdict, error_type::error_type, http, time::Span},
};

/// What HTTP says of a call: which requests may be sent again, what an answer means, how long to wait.
///
/// A request may be sent again where its method is idempotent (GET, HEAD, OPTIONS, TRACE, PUT, DELETE) or
/// it carries an idempotency key. What an answer means is said by [`http::classify`].
#[derive(Clone, Debug)]
pub struct HttpRules {
    header: HeaderName,
    sends_key: bool,
}

impl Default for HttpRules {
    fn default() -> Self {
        Self { header: HeaderName::from_static("idempotency-key"), sends_key: false }
    }
}

impl HttpRules {
    /// The rules; a key is sent only where the caller has set one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has each request that carries no idempotency key be sent with one: the same on every attempt,
    /// different for every call. So every method may be sent again.
    #[must_use]
    pub fn sending_key(self) -> Self {
        Self { sends_key: true, ..self }
    }

    /// The header that carries the key, in place of `Idempotency-Key`.
    #[must_use]
    pub fn key_header(self, header: HeaderName) -> Self {
        Self { header, ..self }
    }

    /// Whether such a request may be sent again, if its body can be.
    pub(super) fn repeats(&self, method: &Method, headers: &HeaderMap) -> bool {
        let has_idempotency_key = self.sends_key || headers.contains_key(&self.header);
        let method = method.as_str();
        http::Request { method, has_idempotency_key, has_replayable_body: true }.is_repeatable()
    }

    /// Puts the call's key into the headers of an attempt, if that is to be done, and on whose behalf it is made.
    pub(super) fn prepare(&self, headers: &mut HeaderMap, cx: Context<'_>) {
        carry(headers);
        if self.sends_key
            && !headers.contains_key(&self.header)
            && let Ok(key) = HeaderValue::try_from(cx.idempotency_key())
        {
            headers.insert(self.header.clone(), key);
        }
    }

    /// What an answer that is a failure is called: its status.
    pub(super) fn error_type(status: StatusCode) -> Cow<'static, str> {
        error_type(Some(status.as_u16().into()), None, None)
    }

    /// What an answer means. Whether the request may be sent again is asked when it is sent.
    pub(super) fn answered(status: StatusCode, headers: &HeaderMap) -> Verdict {
        const REPEATABLE: http::Request<'_> =
            http::Request { method: "GET", has_idempotency_key: false, has_replayable_body: true };
        let header = headers.get(RETRY_AFTER).and_then(|header| header.to_str().ok());
        let now = || Span::from(UNIX_EPOCH.elapsed().unwrap_or_default());
        http::classify(REPEATABLE, status.as_u16(), header, header.map_or(Span::ZERO, |_| now()))
    }
}
