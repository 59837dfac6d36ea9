//! Vectors of a retry.

use std::sync::Arc;

use overcurrent::{Decision, Dialect, Failure, ManualClock, Retry, RetryPolicy};
use serde::Deserialize;

use super::{Vector, duration, expect};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at: String,
    r#do: String,
    deadline: Option<String>,
    #[serde(default = "yes")]
    retryable: bool,
    hint: Option<String>,
    expect: Option<Expected>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    wait: Option<String>,
    stop: Option<String>,
}

const fn yes() -> bool {
    true
}

pub(super) fn replay(vector: &Vector, stepped: &mut usize) -> Result<(), String> {
    let policy = RetryPolicy::from_value(&vector.policy, "", Dialect::Document).map_err(|e| e.to_string())?;
    let clock = ManualClock::new();
    let retry = Retry::with(policy, Arc::new(clock.clone()), Some(vector.seed()?));
    let mut call = None;
    vector.each(stepped, |step: Step| {
        clock.set(duration(&step.at)?);
        match step.r#do.as_str() {
            "start" => call = Some(retry.start(step.deadline.as_deref().map(duration).transpose()?)),
            "failed" => {
                let call = call.as_mut().ok_or("no call was started")?;
                let hint = step.hint.as_deref().map(duration).transpose()?.map(Into::into);
                let decision = call.failed(Failure { retryable: step.retryable, hint });
                if let Some(Expected { wait, stop }) = &step.expect {
                    let (waited, stopped) = match decision {
                        Decision::Wait(span) => (Some(span.into()), None),
                        Decision::Stop(reason) => (None, Some(reason.as_str())),
                    };
                    expect("stop", &stop.as_deref(), &stopped)?;
                    expect("wait", &wait.as_deref().map(duration).transpose()?, &waited)?;
                }
            }
            word => return Err(format!("`{word}` is nothing to do")),
        }
        Ok(())
    })
}
