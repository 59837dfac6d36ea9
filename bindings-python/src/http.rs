//! What HTTP and gRPC say, for the adapters. All of it is the core's; only the wall clock is read here.

use std::time::{SystemTime, UNIX_EPOCH};

use overcurrent::{
    Span, grpc,
    http::{self, Request},
};
use pyo3::prelude::*;

use crate::{hooks::answer, value::span};

/// What there is to know of a request.
#[pyclass(frozen, module = "overcurrent._core")]
pub(crate) struct HttpRequest {
    method: String,
    has_idempotency_key: bool,
    has_replayable_body: bool,
}

#[pymethods]
impl HttpRequest {
    #[new]
    #[pyo3(signature = (method, *, has_idempotency_key, has_replayable_body))]
    const fn new(method: String, has_idempotency_key: bool, has_replayable_body: bool) -> Self {
        Self { method, has_idempotency_key, has_replayable_body }
    }

    /// Whether it may be sent once more.
    #[getter]
    fn repeatable(&self) -> bool {
        self.core().is_repeatable()
    }

    /// What an answer means. A date in the header is compared to `now`, by default to the wall clock.
    #[pyo3(signature = (status, retry_after, *, now=None))]
    fn answered<'py>(
        &self,
        py: Python<'py>,
        status: u16,
        retry_after: Option<&str>,
        now: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let now = match (now, retry_after) {
            (Some(now), _) => span(now, "now")?,
            (None, Some(_)) => wall_clock(),
            (None, None) => Span::ZERO,
        };
        answer(py, http::classify(self.core(), status, retry_after, now))
    }

    /// What it means that there was no answer.
    fn failed<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        answer(py, http::classify_error(self.core()))
    }
}

impl HttpRequest {
    fn core(&self) -> Request<'_> {
        let Self { method, has_idempotency_key, has_replayable_body } = self;
        Request {
            method,
            has_idempotency_key: *has_idempotency_key,
            has_replayable_body: *has_replayable_body,
        }
    }
}

/// The time since the beginning of 1970; none where the clock is set to before that.
fn wall_clock() -> Span {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().into()
}

/// The key that the guard of a server is kept under.
#[pyfunction]
pub(crate) fn http_authority(scheme: &str, host: &str, port: Option<u16>) -> String {
    http::authority(scheme, host, port)
}

/// The value of a Retry-After header that asks to wait so long.
#[pyfunction]
pub(crate) fn http_retry_after_header(wait: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(http::retry_after_header(span(wait, "wait")?).to_string())
}

/// What the end of a gRPC call means.
#[pyfunction]
pub(crate) fn grpc_verdict<'py>(
    py: Python<'py>,
    status: u32,
    pushback: Option<&str>,
    repeatable: bool,
) -> PyResult<Bound<'py, PyAny>> {
    answer(py, grpc::classify(status, pushback, repeatable))
}
