//! The one place that knows overcurrent's interface.

use std::{error::Error, path::Path, sync::Arc, time::Duration};

use overcurrent::{Breaker, Failure, Guard, Position, Surrounds, Verdict};
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
#[derive(Debug)]
pub(crate) struct Link {
    guard: Arc<Guard>,
    breaker: Arc<Breaker>,
}

impl Link {
    pub(crate) fn load(policy: &Path) -> Result<Self, Box<dyn Error>> {
        let measuring = Surrounds { durations: true, ..Surrounds::default() };
        let guard = Arc::new(Guard::from_file_with(policy, "upstream", measuring)?);
        overcurrent::register(&guard);
        let breaker = Arc::clone(guard.breaker().ok_or("the policy has no breaker")?);
        Ok(Self { guard, breaker })
    }

    /// A guard of this name that was called once, with success.
    pub(crate) fn call_once(name: &str) -> Result<Arc<Guard>, Box<dyn Error>> {
        let guard = Arc::new(Guard::builder(name).measure_durations().build()?);
        overcurrent::register(&guard);
        guard.call(|_| Ok::<_, std::convert::Infallible>(()))?;
        Ok(guard)
    }

    pub(crate) fn state(&self) -> State {
        match self.breaker.state() {
            Position::Closed | Position::ForcedClosed => State::Closed,
            Position::Open | Position::ForcedOpen => State::Open,
            Position::HalfOpen => State::HalfOpen,
        }
    }

    /// Calls through the guard; every attempt is given the call's idempotency key.
    pub(crate) async fn call<F>(&self, attempt: impl Fn(String) -> F) -> Result<Response, Refusal>
    where
        F: Future<Output = reqwest::Result<Response>>,
    {
        let call = self.guard.run_with(&classify, |context| attempt(context.idempotency_key()));
        call.await.map_err(|error| match error {
            overcurrent::Error::BreakerOpen(_) => Refusal::BreakerOpen,
            overcurrent::Error::AttemptTimeout { .. } | overcurrent::Error::DeadlineExceeded { .. } => {
                Refusal::Time
            }
            _ => Refusal::Own,
        })
    }
}

/// A 503 is a failure that may be retried, no earlier than its Retry-After says.
fn classify(result: &reqwest::Result<Response>) -> Verdict {
    match result {
        Ok(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE => {
            let seconds =
                response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let hint = seconds.map(|seconds| Duration::from_secs(seconds).into());
            Verdict::Failure(Failure { retryable: true, hint })
        }
        Ok(_) => Verdict::Success,
        Err(_) => Verdict::Failure(Failure::RETRYABLE),
    }
}
