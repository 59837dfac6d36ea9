//! What stands and what happened, in the core's words.

use std::sync::Arc;

use napi_derive::napi;
use overcurrent::{
    AttemptTimeout, Breaker, BreakerOpen, DeadlineExceeded, Guard, RejectReason, Span, StopReason,
    kernel::explain,
};

use crate::{
    clock::{tell, whole},
    slab::with,
};

fn millis(ms: f64) -> Span {
    Span::from_nanos(whole(ms * 1e6))
}

fn stopped(stop: Option<String>) -> Option<StopReason> {
    stop.and_then(|word| StopReason::from_word(&word))
}

/// A guard or a breaker.
#[napi]
pub(crate) fn explain_source(source: f64, now: f64) -> napi::Result<String> {
    tell(now);
    let guard = with(source, |guard: &mut Arc<Guard>| guard.explain());
    Ok(guard.or_else(|_| with(source, |breaker: &mut Arc<Breaker>| breaker.explain()))?)
}

/// A rejection.
#[napi]
pub(crate) fn explain_open(breaker: String, reason: String, retry_after: Option<f64>) -> Option<String> {
    let reason = RejectReason::from_word(&reason)?;
    Some(BreakerOpen { breaker: breaker.into(), reason, retry_after: retry_after.map(millis) }.explain())
}

/// An attempt that its timeout cut.
#[napi]
pub(crate) fn explain_attempt(guard: String, attempt: u32, timeout: f64, stop: Option<String>) -> String {
    let error = AttemptTimeout { guard: guard.into(), attempt, timeout: millis(timeout) };
    error.explain(stopped(stop))
}

/// A call that exceeded its deadline.
#[napi]
pub(crate) fn explain_deadline(guard: String, attempts: u32, deadline: f64) -> String {
    DeadlineExceeded { guard: guard.into(), attempts, deadline: millis(deadline) }.explain()
}

/// A call whose own last error was handed over.
#[napi]
pub(crate) fn explain_given_up(attempts: u32, elapsed: f64, stop: Option<String>) -> String {
    explain::given_up(attempts, millis(elapsed), stopped(stop))
}
