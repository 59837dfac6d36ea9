//! One guarded call that is not simply healthy: the core's call machine behind a handle.
//!
//! Every function here takes and gives numbers, as [`crate::raw`] wants it. A step is one number:
//!
//! | code | step | payload |
//! | --- | --- | --- |
//! | 0 | run the function | the time it has in ns, infinite without a bound |
//! | 1 | wait | how long in ns |
//! | 2 | done | |
//! | 3 | deadline exceeded | |
//! | 4… | stop, for the reason at that place of [`StopReason::ALL`] | |
//! | 10… | rejected by the breaker, for the reason at that place of [`RejectReason::ALL`] | the ns until a probe, no number where that is not known |
//! | + 16 | the attempt was cut by its timeout | |

use std::{cell::Cell, fmt::Write as _, sync::Arc};

use napi_derive::napi;
use overcurrent::{
    AttemptTimeout, Breaker, BreakerOpen, Clock, DeadlineExceeded, Failure, Guard, Instant, ManualClock,
    Outcome, RejectReason, Span, StopReason, Verdict,
    kernel::call::{Call, Pass, Settled, Step, Surroundings},
};

use crate::{
    clock::{between, millis, nanos, tell, whole},
    entered,
    raw::Args,
    slab::{Gone, free, keep, with},
};

/// A call under way. With its thread it is cancelled, unless it is over.
pub(crate) struct Running {
    guard: Arc<Guard>,
    call: Call,
    wait: Span,
}

impl Drop for Running {
    fn drop(&mut self) {
        let now = self.guard.now();
        self.call.cancelled(&*self.guard, now);
    }
}

/// The number of codes, a power of two: a handle and a code make one number.
const CODES: f64 = 32.0;
const TIMED_OUT: u8 = 16;
const FIRST_STOP: u8 = 4;
const FIRST_REJECT: u8 = 10;

thread_local! {
    static PAYLOAD: Cell<f64> = const { Cell::new(0.0) };
    static REFUSAL: Cell<Option<BreakerOpen>> = const { Cell::new(None) };
    static TEXT: Cell<String> = const { Cell::new(String::new()) };
}

/// The payload of the step answered last.
#[expect(clippy::unnecessary_wraps, reason = "of the shape of a hot function")]
pub(crate) fn payload(_: Args) -> Result<f64, Gone> {
    Ok(PAYLOAD.get())
}

/// Keeps a rejection for `refusal`, its time for `payload`; answers the code of its reason.
pub(crate) fn refuse(refusal: BreakerOpen) -> u8 {
    PAYLOAD.set(refusal.retry_after.map_or(f64::NAN, nanos));
    let code = code(RejectReason::ALL, &refusal.reason);
    REFUSAL.set(Some(refusal));
    code
}

/// Writes the message of the rejection answered last, and hands it over.
pub(crate) fn refusal<R>(work: impl FnOnce(&str) -> R) -> Result<R, Gone> {
    let refusal = REFUSAL.take().ok_or(Gone)?;
    // One text serves all, as rejections may come thick.
    let mut text = TEXT.take();
    text.clear();
    write!(text, "{refusal}").map_err(|_| Gone)?;
    let done = work(&text);
    TEXT.set(text);
    Ok(done)
}

/// A word as a number: its place among all.
fn code<T: PartialEq>(all: &[T], word: &T) -> u8 {
    (0..).zip(all).find_map(|(code, other)| (other == word).then_some(code)).unwrap_or(0)
}

/// The words for the reasons to reject, in the order of their codes.
#[napi]
pub(crate) fn reject_reasons() -> Vec<&'static str> {
    RejectReason::ALL.iter().map(|reason| reason.as_str()).collect()
}

/// The words for the reasons to stop, in the order of their codes.
#[napi]
pub(crate) fn stop_reasons() -> Vec<&'static str> {
    StopReason::ALL.iter().map(|reason| reason.as_str()).collect()
}

impl Running {
    fn now(&self, now: f64) -> Instant {
        tell(now);
        self.guard.now()
    }

    fn answer(&mut self, Settled { step, timed_out }: Settled) -> f64 {
        let code = match step {
            Step::Attempt(attempt) => {
                PAYLOAD.set(attempt.cut.map_or(f64::INFINITY, |(_, limit)| nanos(limit)));
                0
            }
            Step::Wait(span) => {
                self.wait = span;
                PAYLOAD.set(nanos(span));
                1
            }
            Step::Done => 2,
            Step::Exceeded => 3,
            Step::Stop(reason) => FIRST_STOP + code(StopReason::ALL, &reason),
            Step::Reject(rejection) => FIRST_REJECT + refuse(self.guard.refusal(rejection)),
        };
        f64::from(code + if timed_out { TIMED_OUT } else { 0 })
    }

    fn next(&mut self, now: Instant) -> f64 {
        let step = self.call.next(self.guard.policy(), &*self.guard, now);
        self.answer(Settled { step, timed_out: false })
    }
}

/// The same call, one that makes its attempt once where `once` is 1.
fn sparing(call: Call, once: f64) -> Call {
    if whole(once) == 1 { call.once() } else { call }
}

/// The number of a verdict: 0 success, 1 ignored, 2 a retryable failure, 3 a final one.
pub(crate) const fn verdict_code(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Success => 0,
        Verdict::Ignored => 1,
        Verdict::Failure(Failure { retryable: true, .. }) => 2,
        Verdict::Failure(_) => 3,
    }
}

/// `enter(guard)`: the epoch of a call that the closed breaker lets pass, its deposit made; −1 where a
/// call must `begin`.
pub(crate) fn enter([guard, ..]: Args) -> Result<f64, Gone> {
    let handle = guard;
    with(handle, |guard: &mut Arc<Guard>| {
        let pass = guard.breaker().map_or(Some(Pass { epoch: 0 }), |breaker| breaker.cells().pass());
        pass.map_or(-1.0, |pass| {
            if let Some(budget) = guard.budget() {
                budget.deposit();
            }
            entered::enter(handle, guard);
            f64::from(pass.epoch)
        })
    })
}

/// The guard that a call has entered under this handle, which goes on or ends here.
fn left(handle: f64) -> Result<Arc<Guard>, Gone> {
    entered::leave(handle).map_or_else(|| with(handle, |guard: &mut Arc<Guard>| Arc::clone(guard)), Ok)
}

/// `record(guard, epoch, outcome, started, now)`, for a call that has entered: what became of its only
/// attempt. Answers until when further successes may be added in place.
pub(crate) fn record([guard, epoch, outcome, started, now, _]: Args) -> Result<f64, Gone> {
    let guard = left(guard)?;
    tell(now);
    let (outcome, took) = (outcome_of(outcome), between(started, now));
    guard.record(1, pass(epoch), outcome, took, guard.now());
    guard.attempt_ended(outcome.into());
    guard.call_ended(outcome.into(), took);
    Ok(guard.breaker().map_or(f64::INFINITY, |breaker| quick_until(breaker, now)))
}

/// `begin(guard, now, once)`: a new call, with its first step; its handle is in front of the code, −1 where the
/// breaker has rejected it, as nothing is left of it then. `once` is 1 where no failure of it may be retried.
pub(crate) fn begin([guard, now, once, ..]: Args) -> Result<f64, Gone> {
    let guard = with(guard, |guard: &mut Arc<Guard>| Arc::clone(guard))?;
    tell(now);
    let now = guard.now();
    let call = sparing(guard.begin(now), once);
    let mut running = Box::new(Running { guard, call, wait: Span::ZERO });
    let code = running.next(now);
    let handle = if code < f64::from(FIRST_REJECT) { keep(running) } else { -1.0 };
    Ok(handle * CODES + code)
}

/// `adopt(guard, epoch, started, once)`: the call of one that had entered, its attempt running.
pub(crate) fn adopt([guard, epoch, started, once, ..]: Args) -> Result<f64, Gone> {
    let guard = left(guard)?;
    tell(started);
    let call = sparing(Call::adopt(guard.policy(), pass(epoch), guard.now()), once);
    Ok(keep(Box::new(Running { guard, call, wait: Span::ZERO })))
}

/// `next(call, now)`, after a wait.
pub(crate) fn next([call, now, ..]: Args) -> Result<f64, Gone> {
    with(call, |running: &mut Box<Running>| {
        let now = running.now(now);
        running.next(now)
    })
}

/// `settled(call, verdict, hint, now)`: the attempt ended. Verdicts: 0 success, 1 ignored, 2 a
/// retryable failure, 3 a final one; a hint that is no number is none.
pub(crate) fn settled([call, verdict, hint, now, ..]: Args) -> Result<f64, Gone> {
    with(call, |running: &mut Box<Running>| {
        let now = running.now(now);
        let hint = (!hint.is_nan()).then(|| Span::from_nanos(whole(hint)));
        let verdict = match whole(verdict) {
            0 => Verdict::Success,
            1 => Verdict::Ignored,
            kind => Verdict::Failure(Failure { retryable: kind == 2, hint }),
        };
        let Running { guard, call, .. } = &mut **running;
        let settled = call.settled(guard.policy(), &**guard, verdict, now);
        running.answer(settled)
    })
}

/// `cut(call, now)`: the attempt's time was up.
pub(crate) fn cut([call, now, ..]: Args) -> Result<f64, Gone> {
    with(call, |running: &mut Box<Running>| {
        let now = running.now(now);
        let Running { guard, call, .. } = &mut **running;
        let settled = call.cut(guard.policy(), &**guard, now);
        running.answer(settled)
    })
}

/// `cancelled(call, now)`: the caller gave up. Ends the call.
pub(crate) fn cancelled([call, now, ..]: Args) -> Result<f64, Gone> {
    with(call, |running: &mut Box<Running>| {
        let now = running.now(now);
        let Running { guard, call, .. } = &mut **running;
        call.cancelled(&**guard, now);
    })?;
    release([call, 0.0, 0.0, 0.0, 0.0, 0.0])
}

/// `release(handle)`: nobody holds the object any more.
#[expect(clippy::unnecessary_wraps, reason = "of the shape of a hot function")]
pub(crate) fn release([handle, ..]: Args) -> Result<f64, Gone> {
    free(handle);
    Ok(0.0)
}

/// `sleep(call, clock)`: moves a manual clock on by the wait that was answered last.
pub(crate) fn sleep([call, clock, ..]: Args) -> Result<f64, Gone> {
    let wait = with(call, |running: &mut Box<Running>| running.wait)?;
    with(clock, |clock: &mut ManualClock| clock.sleep(wait))?;
    Ok(0.0)
}

/// Until when, on the clock that reads `now`, a success may be counted by adding it in place.
pub(crate) fn quick_until(breaker: &Breaker, now: f64) -> f64 {
    let at = breaker.now();
    now + nanos(breaker.policy().quick_until(at).since(at))
}

/// The pass of an epoch that was given away as a number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was a u32")]
pub(crate) const fn pass(epoch: f64) -> Pass {
    Pass { epoch: epoch as u32 }
}

/// Outcomes as numbers: 0 success, 1 failure, 2 ignored, else cancelled.
pub(crate) fn outcome_of(code: f64) -> Outcome {
    match whole(code) {
        0 => Outcome::Success,
        1 => Outcome::Failure,
        2 => Outcome::Ignored,
        _ => Outcome::Cancelled,
    }
}

/// A limit that was exceeded.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub(crate) struct Exceeded {
    /// The whole message.
    pub message: String,
    /// The guard's name.
    pub guard: String,
    /// How many attempts had begun.
    pub attempts: u32,
    /// The limit in ms.
    pub limit: f64,
}

/// An attempt that its timeout cut.
#[napi]
pub(crate) fn call_attempt_timeout(call: f64) -> napi::Result<Exceeded> {
    Ok(with(call, |running: &mut Box<Running>| {
        let error = running.guard.attempt_timeout(&running.call);
        let message = error.to_string();
        let AttemptTimeout { guard, attempt, timeout } = error;
        Exceeded { message, guard: guard.into(), attempts: attempt, limit: millis(timeout) }
    })?)
}

/// A call that exceeded its deadline.
#[napi]
pub(crate) fn call_deadline_exceeded(call: f64) -> napi::Result<Exceeded> {
    Ok(with(call, |running: &mut Box<Running>| {
        let error = running.guard.deadline_exceeded(&running.call);
        let message = error.to_string();
        let DeadlineExceeded { guard, attempts, deadline } = error;
        Exceeded { message, guard: guard.into(), attempts, limit: millis(deadline) }
    })?)
}

/// A new idempotency key.
#[napi]
pub(crate) fn new_idempotency_key() -> String {
    overcurrent::idempotency_key()
}
