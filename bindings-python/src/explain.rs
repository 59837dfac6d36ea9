//! Why a call failed, in the core's words.
//!
//! What is known of a call that its own last error ended is kept with that error, in an attribute of plain values:
//! it goes where the error goes, also through `pickle`.

use overcurrent::{AttemptTimeout, DeadlineExceeded, Span, StopReason, kernel::explain::given_up};
use pyo3::{exceptions::PyBaseException, prelude::*};

use crate::{
    error::{class, duration, open},
    imported::Imported,
    value::secs,
};

/// The attribute: how many attempts were made, in how many seconds, and why no more.
const ACCOUNT: &str = "__overcurrent__";

/// Keeps an account of a call with the error that comes out of it, where the error lets itself be given one.
pub(crate) fn keep(error: &Bound<'_, PyBaseException>, attempts: u32, elapsed: Span, stop: StopReason) {
    let _ = error.setattr(ACCOUNT, (attempts, secs(elapsed), stop.as_str()));
}

fn kept(error: &Bound<'_, PyBaseException>) -> PyResult<Option<(u32, Span, Option<StopReason>)>> {
    let Ok(account) = error.getattr(ACCOUNT) else { return Ok(None) };
    let (attempts, elapsed, stop): (u32, f64, String) = account.extract()?;
    Ok(Some((attempts, duration(elapsed, "elapsed")?, StopReason::from_word(&stop))))
}

/// What became of the call that ended with an error, and why it was not tried again; `None` where no call was
/// given up with it.
#[pyfunction]
#[pyo3(signature = (error, /))]
pub(crate) fn explain(error: &Bound<'_, PyBaseException>) -> PyResult<Option<String>> {
    let py = error.py();
    if error.is_instance(&class!(py, "BreakerOpen")?)? {
        let (breaker, reason) = (error.getattr("breaker")?.extract()?, error.getattr("reason")?);
        let retry_after = error.getattr("retry_after")?.extract()?;
        return Ok(Some(open(breaker, &reason.extract::<String>()?, retry_after)?.explain()));
    }
    let account = kept(error)?;
    if error.is_instance(&class!(py, "AttemptTimeout")?)? {
        let (guard, attempt) = (error.getattr("guard")?, error.getattr("attempt")?.extract()?);
        let timeout = duration(error.getattr("timeout")?.extract()?, "timeout")?;
        let error = AttemptTimeout { guard: guard.extract::<String>()?.into(), attempt, timeout };
        return Ok(Some(error.explain(account.and_then(|(_, _, stop)| stop))));
    }
    if error.is_instance(&class!(py, "DeadlineExceeded")?)? {
        let (guard, attempts) = (error.getattr("guard")?, error.getattr("attempts")?.extract()?);
        let deadline = duration(error.getattr("deadline")?.extract()?, "deadline")?;
        let error = DeadlineExceeded { guard: guard.extract::<String>()?.into(), attempts, deadline };
        return Ok(Some(error.explain()));
    }
    Ok(account.map(|(attempts, elapsed, stop)| given_up(attempts, elapsed, stop)))
}
