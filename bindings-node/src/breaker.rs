//! A breaker alone.

use std::sync::Arc;

use napi::bindgen_prelude::{BigInt, Either, Unknown};
use napi_derive::napi;
use overcurrent::{
    Breaker, BreakerPolicy, Dialect, InvalidPolicy, OpenReason, Snapshot, Span, Window, cells::layout,
    register,
};

use crate::{
    call::{outcome_of, pass, quick_until, refuse},
    clock::{between, chosen, millis, nanos, number, span, tell, whole},
    error::Refused,
    raw::Args,
    slab::{Gone, keep, with},
    trace::on_behalf,
    value::value,
};

/// What JavaScript needs to know of a breaker.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub(crate) struct BreakerShape {
    /// Its name.
    pub name: String,
    /// From how many ns on a call is slow; infinite where none is.
    pub slow: f64,
    /// Whether it counts successes.
    pub counts: bool,
    /// By which clock: `exact`, `coarse` where that is good enough, or `none`.
    pub clock: &'static str,
    /// Whether it asks how long a call took.
    pub needs_duration: bool,
}

/// The lanes of 32 bits, in a breaker's words, that JavaScript reads or adds to; the low lane of a word
/// comes first.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub(crate) struct Lanes {
    /// The low lane of the state word: calls pass where its two lowest bits are zero.
    pub position: u32,
    /// The high lane of the state word.
    pub epoch: u32,
    /// The failures in a row.
    pub consecutive: u32,
    /// The successes added in place; the lane after it counts how often they passed a multiple of 2³¹.
    pub quick: u32,
}

/// Where JavaScript finds what it reads.
#[napi]
pub(crate) fn lanes() -> Lanes {
    let low = |word: usize| u32::try_from(word * 2).unwrap_or(u32::MAX);
    Lanes {
        position: low(layout::STATE),
        epoch: low(layout::STATE) + 1,
        consecutive: low(layout::CONSECUTIVE),
        quick: low(layout::QUICK),
    }
}

/// A breaker of a policy given in code.
#[napi]
pub(crate) fn breaker_new(
    name: String,
    policy: Unknown<'_>,
    clock: Option<f64>,
    seed: Option<BigInt>,
    now: f64,
) -> napi::Result<Either<f64, Refused>> {
    tell(now);
    let policy = BreakerPolicy::from_value(&value(&policy)?, "", Dialect::Node);
    let seed = seed.map(|seed| seed.get_u64().1);
    Ok(match policy {
        Ok(policy) => {
            let breaker = Arc::new(Breaker::with(name, policy, chosen(clock)?, seed));
            register(&breaker);
            Either::A(keep(breaker))
        }
        Err(error) => Either::B(error.into()),
    })
}

fn of<R>(breaker: f64, work: impl FnOnce(&Breaker) -> R) -> napi::Result<R> {
    Ok(with(breaker, |breaker: &mut Arc<Breaker>| work(breaker))?)
}

fn refused(result: Result<(), InvalidPolicy>) -> Option<Refused> {
    result.err().map(Refused::from)
}

/// What JavaScript needs to know of it, where the grain of its coarse clock is so many ns.
#[napi]
pub(crate) fn breaker_shape(breaker: f64, grain: f64) -> napi::Result<BreakerShape> {
    of(breaker, |breaker| {
        let policy = breaker.policy();
        let window = policy.window.map(|rules| rules.window);
        let coarsely = window.is_some_and(|window| window.tells_apart(Span::from_nanos(whole(grain))));
        BreakerShape {
            name: breaker.name().to_owned(),
            slow: policy.slow_call.map_or(f64::INFINITY, nanos),
            counts: window.is_some(),
            clock: match window {
                Some(Window::Time { .. }) if coarsely => "coarse",
                Some(Window::Time { .. }) => "exact",
                _ => "none",
            },
            needs_duration: policy.needs_duration(),
        }
    })
}

/// Where it stands.
#[napi]
pub(crate) fn breaker_state(breaker: f64) -> napi::Result<&'static str> {
    of(breaker, |breaker| breaker.state().as_str())
}

/// Why it is open.
#[napi]
pub(crate) fn breaker_reason(breaker: f64) -> napi::Result<Option<&'static str>> {
    of(breaker, |breaker| breaker.reason().map(OpenReason::as_str))
}

/// How many outcomes came late.
#[napi]
pub(crate) fn breaker_late(breaker: f64) -> napi::Result<f64> {
    of(breaker, |breaker| number(breaker.late()))
}

/// How many ms until it admits a probe.
#[napi]
pub(crate) fn breaker_retry_after(breaker: f64, now: f64) -> napi::Result<Option<f64>> {
    tell(now);
    of(breaker, |breaker| breaker.retry_after().map(millis))
}

/// Opens it by hand, for so long or for its cooldown.
#[napi]
pub(crate) fn breaker_trip(breaker: f64, time: Unknown<'_>, now: f64) -> napi::Result<Option<Refused>> {
    tell(now);
    let time = match value(&time)? {
        overcurrent::Value::Null => None,
        _ => match span(&time, "for")? {
            Ok(span) => Some(span.into()),
            Err(refused) => return Ok(Some(refused)),
        },
    };
    of(breaker, |breaker| on_behalf(|| refused(breaker.trip(time))))
}

/// Carries out another command of an operator's.
#[napi]
pub(crate) fn breaker_command(breaker: f64, command: String, now: f64) -> napi::Result<()> {
    tell(now);
    of(breaker, |breaker| {
        on_behalf(|| match command.as_str() {
            "reset" => breaker.reset(),
            "forceOpen" => breaker.force_open(),
            "forceClosed" => breaker.force_closed(),
            _ => breaker.automatic(),
        });
    })
}

/// Its state as a JSON document.
#[napi]
pub(crate) fn breaker_snapshot(breaker: f64, now: f64) -> napi::Result<String> {
    tell(now);
    of(breaker, |breaker| breaker.snapshot().to_json())
}

/// Goes to the state of such a document.
#[napi]
pub(crate) fn breaker_restore(breaker: f64, json: String, now: f64) -> napi::Result<Option<Refused>> {
    tell(now);
    of(breaker, |breaker| {
        on_behalf(|| refused(Snapshot::from_json(&json).and_then(|snapshot| breaker.restore(&snapshot))))
    })
}

/// `acquire(breaker, now)`: the epoch of an admitted call; for a rejected one −1 − the code of the reason.
pub(crate) fn acquire([breaker, now, ..]: Args) -> Result<f64, Gone> {
    tell(now);
    with(breaker, |breaker: &mut Arc<Breaker>| match breaker.acquire_at(breaker.now()) {
        Ok(pass) => f64::from(pass.epoch),
        Err(rejection) => -1.0 - f64::from(refuse(breaker.refusal(rejection))),
    })
}

/// `settle(breaker, epoch, outcome, granted, took, now)`: what became of an admitted call. Its duration
/// is `took`, else the time since `granted`; either may be no number. Answers until when further
/// successes may be added in place.
pub(crate) fn settle([breaker, epoch, outcome, granted, took, now]: Args) -> Result<f64, Gone> {
    with(breaker, |breaker: &mut Arc<Breaker>| {
        tell(now);
        let took = if took.is_nan() { between(granted, now) } else { Span::from_nanos(whole(took)) };
        breaker.record_at(pass(epoch), outcome_of(outcome), took, breaker.now());
        quick_until(breaker, now)
    })
}
