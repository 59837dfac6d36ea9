//! What HTTP and gRPC say, for the adapters. All of it is the core's.

use napi::bindgen_prelude::{Either, Unknown};
use napi_derive::napi;
use overcurrent::{Span, Verdict, grpc, http};

use crate::{
    call::verdict_code,
    clock::{nanos, span, whole},
    error::Refused,
};

/// What there is to know of a request.
#[napi(object, object_to_js = false)]
#[derive(Debug)]
pub(crate) struct HttpRequest {
    /// The method.
    pub method: String,
    /// Whether it carries a key that its server knows it again by.
    pub has_idempotency_key: bool,
    /// Whether its body can be sent once more.
    pub has_replayable_body: bool,
}

impl HttpRequest {
    fn core(&self) -> http::Request<'_> {
        let Self { method, has_idempotency_key, has_replayable_body } = self;
        http::Request {
            method,
            has_idempotency_key: *has_idempotency_key,
            has_replayable_body: *has_replayable_body,
        }
    }
}

/// What a result means.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub(crate) struct Meaning {
    /// The verdict, as a call is told it.
    pub verdict: u32,
    /// How many ns the server asked to wait.
    pub hint: Option<f64>,
}

impl From<Verdict> for Meaning {
    fn from(verdict: Verdict) -> Self {
        let hint = if let Verdict::Failure(failure) = verdict { failure.hint } else { None };
        Self { verdict: verdict_code(verdict), hint: hint.map(nanos) }
    }
}

/// Whether a request may be sent once more.
#[napi]
pub(crate) fn http_repeatable(request: HttpRequest) -> bool {
    request.core().is_repeatable()
}

/// What an answer means; a date in the header is compared to `now`, in ms since the beginning of 1970.
#[napi]
pub(crate) fn http_answered(
    request: HttpRequest,
    status: u32,
    retry_after: Option<String>,
    now: f64,
) -> Meaning {
    let status = u16::try_from(status).unwrap_or(u16::MAX);
    http::classify(request.core(), status, retry_after.as_deref(), Span::from_nanos(whole(now * 1e6))).into()
}

/// What it means that there was no answer.
#[napi]
pub(crate) fn http_failed(request: HttpRequest) -> Meaning {
    http::classify_error(request.core()).into()
}

/// The key that the guard of a server is kept under.
#[napi]
pub(crate) fn http_authority(scheme: String, host: String, port: Option<u16>) -> String {
    http::authority(&scheme, &host, port)
}

/// The value of a Retry-After header that asks to wait so long.
#[napi]
pub(crate) fn http_retry_after_header(wait: Unknown<'_>) -> napi::Result<Either<String, Refused>> {
    Ok(match span(&wait, "wait")? {
        Ok(span) => Either::A(http::retry_after_header(span).to_string()),
        Err(refused) => Either::B(refused),
    })
}

/// The header by which a server knows a request again.
#[napi]
pub(crate) fn http_idempotency_key() -> &'static str {
    http::IDEMPOTENCY_KEY
}

/// The trailer by which a server asks to wait, or not to be tried again.
#[napi]
pub(crate) fn grpc_pushback() -> &'static str {
    grpc::PUSHBACK
}

/// What the end of a gRPC call means.
#[napi]
pub(crate) fn grpc_verdict(status: u32, pushback: Option<String>, repeatable: bool) -> Meaning {
    grpc::classify(status, pushback.as_deref(), repeatable).into()
}
