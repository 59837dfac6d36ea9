//! Vectors of a breaker.

use std::{collections::HashMap, sync::Arc};

use overcurrent::{Breaker, BreakerPolicy, Dialect, ManualClock, OpenReason, Outcome, Permit};
use serde::Deserialize;

use super::{Vector, duration, expect, present};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "absent is not checked, null means none")]
struct Step {
    at: String,
    r#do: String,
    permit: Option<String>,
    took: Option<String>,
    r#for: Option<String>,
    expect: Option<Expected>,
    state: Option<String>,
    #[serde(default, deserialize_with = "present")]
    reason: Option<Option<String>>,
    late: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "absent is not checked, null means none")]
struct Expected {
    granted: Option<bool>,
    rejected: Option<String>,
    #[serde(default, deserialize_with = "present")]
    retry_after: Option<Option<String>>,
}

pub(super) fn replay(vector: &Vector, stepped: &mut usize) -> Result<(), String> {
    let policy =
        BreakerPolicy::from_value(&vector.policy, "", Dialect::Document).map_err(|e| e.to_string())?;
    let clock = ManualClock::new();
    let breaker = Arc::new(Breaker::with("vector", policy, Arc::new(clock.clone()), Some(vector.seed()?)));
    let mut permits: HashMap<String, Permit<Arc<Breaker>>> = HashMap::new();
    let outcome = vector.each(stepped, |step: Step| {
        clock.set(duration(&step.at)?);
        let span = step.r#for.as_deref().map(duration).transpose()?;
        match step.r#do.as_str() {
            "acquire" => acquire(&breaker, &step, &mut permits)?,
            "trip" => breaker.trip(span).map_err(|error| error.to_string())?,
            "reset" => breaker.reset(),
            "force_open" => breaker.force_open(),
            "force_closed" => breaker.force_closed(),
            "automatic" => breaker.automatic(),
            word => {
                let outcome = match word {
                    "success" => Outcome::Success,
                    "failure" => Outcome::Failure,
                    "ignored" => Outcome::Ignored,
                    "cancelled" => Outcome::Cancelled,
                    _ => return Err(format!("`{word}` is nothing to do")),
                };
                let took = duration(step.took.as_deref().unwrap_or("0ns"))?;
                // A permit that was used before is not there any more, and using it again does nothing.
                if let Some(permit) = step.permit.as_ref().and_then(|name| permits.remove(name)) {
                    permit.record_took(outcome, took);
                }
            }
        }
        if let Some(state) = &step.state {
            expect("state", &state.as_str(), &breaker.state().as_str())?;
        }
        if let Some(reason) = &step.reason {
            expect("reason", &reason.as_deref(), &breaker.reason().map(OpenReason::as_str))?;
        }
        step.late.map_or(Ok(()), |late| expect("late", &late, &breaker.late()))
    });
    permits.into_values().for_each(std::mem::forget);
    outcome
}

fn acquire(
    breaker: &Arc<Breaker>,
    step: &Step,
    permits: &mut HashMap<String, Permit<Arc<Breaker>>>,
) -> Result<(), String> {
    let answer = breaker.acquire_owned();
    if let Some(expected) = &step.expect {
        let rejected = answer.as_ref().err();
        if let Some(granted) = expected.granted {
            expect("granted", &granted, &rejected.is_none())?;
        }
        let reason = rejected.map(|error| error.reason.as_str());
        expect("rejected", &expected.rejected.as_deref(), &reason)?;
        if let (Some(hint), Some(error)) = (&expected.retry_after, rejected) {
            let hint = hint.as_deref().map(duration).transpose()?;
            expect("retry_after", &hint, &error.retry_after.map(Into::into))?;
        }
    }
    if let (Ok(permit), Some(name)) = (answer, &step.permit)
        && let Some(replaced) = permits.insert(name.clone(), permit)
    {
        std::mem::forget(replaced);
    }
    Ok(())
}
