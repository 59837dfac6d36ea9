//! The time: JavaScript's own, handed over with each call, or a manual clock.

use std::{cell::Cell, sync::Arc};

use napi::bindgen_prelude::{BigInt, Either, Unknown};
use napi_derive::napi;
use overcurrent::{Clock, Dialect, Instant, ManualClock, Span};

use crate::{
    error::Refused,
    raw::Args,
    slab::{Gone, keep, with},
    value::value,
};

/// JavaScript's clock as it stood when the running thread came here last. Each function that depends on the
/// time is given it and tells it first, so that users' fake timers hold for the core too.
#[derive(Debug)]
struct HostClock;

impl Clock for HostClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(NOW.get())
    }

    /// JavaScript does the waiting.
    fn sleep(&self, _span: Span) {}
}

/// Far from both ends of the time there is, so that a clock may also be set back before its beginning.
const MIDDLE: u64 = 1 << 62;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(MIDDLE) };
    /// What is added to this thread's time so that it becomes that of all threads.
    static AHEAD: Cell<u64> = const { Cell::new(MIDDLE) };
}

/// `anchor(ahead)`: how far the time of the machine is ahead of this thread's, which begins with it. Guards
/// and breakers that threads share need one time for all.
#[expect(clippy::unnecessary_wraps, reason = "of the shape of a hot function")]
pub(crate) fn anchor([ahead, ..]: Args) -> Result<f64, Gone> {
    AHEAD.set(if ahead < 0.0 { MIDDLE - whole(-ahead) } else { MIDDLE.saturating_add(whole(ahead)) });
    Ok(0.0)
}

/// Tells the time on JavaScript's clock, in nanoseconds.
#[inline]
pub(crate) fn tell(now: f64) {
    NOW.set(AHEAD.get().saturating_add(whole(now)));
}

/// The manual clock of a handle; without one JavaScript's.
pub(crate) fn chosen(clock: Option<f64>) -> Result<Arc<dyn Clock>, Gone> {
    match clock {
        Some(clock) => with(clock, |clock: &mut ManualClock| Arc::new(clock.clone()) as Arc<dyn Clock>),
        None => Ok(Arc::new(HostClock)),
    }
}

/// A number of JavaScript's as whole nanoseconds; what is none counts as zero.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
pub(crate) fn whole(nanos: f64) -> u64 {
    nanos.round() as u64
}

/// The time from one reading of a clock to a later one; none where the first is no number.
pub(crate) fn between(start: f64, end: f64) -> Span {
    Span::from_nanos(if start.is_nan() { 0 } else { whole(end).saturating_sub(whole(start)) })
}

/// A count as a number of JavaScript's.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53: 104 days, where it counts nanoseconds")]
pub(crate) const fn number(count: u64) -> f64 {
    count as f64
}

/// A span in nanoseconds.
pub(crate) const fn nanos(span: Span) -> f64 {
    number(span.as_nanos())
}

/// A span in milliseconds.
pub(crate) const fn millis(span: Span) -> f64 {
    nanos(span) / 1e6
}

/// A duration given as an argument: a text with a unit or a number of milliseconds.
pub(crate) fn span(raw: &Unknown<'_>, name: &str) -> napi::Result<Result<Span, Refused>> {
    Ok(Span::from_value(&value(raw)?, name, Dialect::Node).map_err(Refused::from))
}

/// The nanoseconds of a duration given as the argument `name`.
#[napi]
pub(crate) fn span_nanos(raw: Unknown<'_>, name: String) -> napi::Result<Either<f64, Refused>> {
    Ok(match span(&raw, &name)? {
        Ok(span) => Either::A(nanos(span)),
        Err(refused) => Either::B(refused),
    })
}

/// A new manual clock.
#[napi]
pub(crate) fn clock_new() -> f64 {
    keep(ManualClock::new())
}

/// What a manual clock reads.
#[napi]
pub(crate) fn clock_now(clock: f64) -> napi::Result<BigInt> {
    Ok(with(clock, |clock: &mut ManualClock| BigInt::from(clock.now().as_nanos()))?)
}

/// Moves a manual clock on, or sets it.
#[napi]
pub(crate) fn clock_move(clock: f64, by: Unknown<'_>, set: bool) -> napi::Result<Option<Refused>> {
    let name = if set { "set" } else { "advance" };
    let by = match span(&by, name)? {
        Ok(span) => span.into(),
        Err(refused) => return Ok(Some(refused)),
    };
    with(clock, |clock: &mut ManualClock| if set { clock.set(by) } else { clock.advance(by) })?;
    Ok(None)
}
