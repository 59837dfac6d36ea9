//! The one place that knows overcurrent's interface.

use std::{error::Error, path::Path};

use overcurrent::{Guard, Position, Verdict};
use overcurrent_outage::line::State;
use reqwest::{Response, StatusCode, header::RETRY_AFTER};

/// Why a call has no response.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// The request itself failed.
    Own,
    /// An attempt timeout or the deadline.
    Time,
    /// The breaker did not admit it.
    BreakerOpen,
}

/// A guard of the policy `upstream`.
pub(crate) struct Link {
    guard: Guard,
}

impl Link {
    pub(crate) fn load(policy: &Path) -> Result<Self, Box<dyn Error>> {
        Ok(Self { guard: Guard::from_file(policy, "upstream")? })
    }

    pub(crate) fn state(&self) -> State {
        match self.guard.breaker().state() {
            Position::Closed => State::Closed,
            Position::Open => State::Open,
            Position::HalfOpen => State::HalfOpen,
        }
    }

    /// Calls through the guard; every attempt is given the call's idempotency key.
    pub(crate) async fn call<F>(&self, attempt: impl Fn(String) -> F) -> Result<Response, Refusal>
    where
        F: Future<Output = reqwest::Result<Response>>,
    {
        let call = self.guard.run_classified(classify, |cx| attempt(cx.idempotency_key()));
        call.await.map_err(|error| match error {
            overcurrent::Error::Own(_) => Refusal::Own,
            overcurrent::Error::AttemptTimeout | overcurrent::Error::DeadlineExceeded => Refusal::Time,
            overcurrent::Error::BreakerOpen => Refusal::BreakerOpen,
        })
    }
}

/// A 503 is a failure that may be retried, no earlier than its Retry-After says.
fn classify(result: &reqwest::Result<Response>) -> Verdict {
    match result {
        Ok(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE => {
            let hint = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let seconds = hint.and_then(|text| text.parse().ok());
            Verdict::Failure { retryable: true, hint: seconds.map(std::time::Duration::from_secs) }
        }
        Ok(_) => Verdict::Success,
        Err(_) => Verdict::Failure { retryable: true, hint: None },
    }
}
