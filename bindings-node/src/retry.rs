//! A retry alone.

use std::{rc::Rc, sync::Arc};

use napi::bindgen_prelude::{BigInt, Either, Either3, Unknown};
use napi_derive::napi;
use overcurrent::{Budget, Decision, Dialect, Failure, Instant, Retry, RetryPolicy, kernel::retry::Attempts};

use crate::{
    clock::{chosen, millis, span, tell},
    error::Refused,
    raw::Args,
    slab::{Gone, keep, with},
    trace::on_behalf,
    value::value,
};

/// The retries of one call.
pub(crate) struct Series {
    retry: Rc<Retry>,
    attempts: Attempts,
    deadline: Option<Instant>,
}

/// What JavaScript needs to know of a retry.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub(crate) struct RetryShape {
    /// Its handle.
    pub handle: f64,
    /// Its budget's, unless that was brought.
    pub budget: Option<f64>,
}

/// A retry of a policy given in code; `budget` is one shared with others.
#[napi]
pub(crate) fn retry_new(
    policy: Unknown<'_>,
    clock: Option<f64>,
    seed: Option<BigInt>,
    budget: Option<f64>,
    now: f64,
) -> napi::Result<Either<RetryShape, Refused>> {
    tell(now);
    let policy = match RetryPolicy::from_value(&value(&policy)?, "", Dialect::Node) {
        Ok(policy) => policy,
        Err(error) => return Ok(Either::B(error.into())),
    };
    let clock = chosen(clock)?;
    let mut retry = Retry::with(policy, clock, seed.map(|seed| seed.get_u64().1));
    let own = retry.budget().filter(|_| budget.is_none()).map(|own| keep(Arc::clone(own)));
    if let Some(budget) = budget {
        retry = retry.sharing(with(budget, |it: &mut Arc<Budget>| Arc::clone(it))?);
    }
    Ok(Either::A(RetryShape { handle: keep(Rc::new(retry)), budget: own }))
}

/// Begins a call that must be over by a deadline, if one is given.
#[napi]
pub(crate) fn retry_start(retry: f64, deadline: Unknown<'_>, now: f64) -> napi::Result<Either<f64, Refused>> {
    tell(now);
    let deadline = match value(&deadline)? {
        overcurrent::Value::Null => None,
        _ => match span(&deadline, "deadline")? {
            Ok(span) => Some(span),
            Err(refused) => return Ok(Either::B(refused)),
        },
    };
    let retry = with(retry, |retry: &mut Rc<Retry>| Rc::clone(retry))?;
    let deadline = deadline.map(|span| retry.now().after(span));
    Ok(Either::A(keep(Series { attempts: retry.begin(), retry, deadline })))
}

/// `series(retry)`: the retries of a call without a deadline that has made its deposit.
pub(crate) fn series([retry, ..]: Args) -> Result<f64, Gone> {
    let retry = with(retry, |retry: &mut Rc<Retry>| Rc::clone(retry))?;
    Ok(keep(Series { retry, attempts: Attempts::default(), deadline: None }))
}

/// A decision to wait.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub(crate) struct Wait {
    /// How long, in ms.
    pub wait: f64,
    /// The same in ns, exactly.
    pub wait_ns: BigInt,
}

/// Decides what follows an attempt that failed now: a wait, or the reason to stop.
#[napi]
pub(crate) fn retry_failed(
    series: f64,
    retryable: bool,
    hint: Unknown<'_>,
    now: f64,
) -> napi::Result<Either3<Wait, &'static str, Refused>> {
    tell(now);
    let hint = match value(&hint)? {
        overcurrent::Value::Null => None,
        _ => match span(&hint, "hint")? {
            Ok(span) => Some(span),
            Err(refused) => return Ok(Either3::C(refused)),
        },
    };
    let decision = with(series, |series: &mut Series| {
        let Series { retry, attempts, deadline } = series;
        on_behalf(|| retry.failed_at(attempts, Failure { retryable, hint }, retry.now(), *deadline))
    })?;
    Ok(match decision {
        Decision::Wait(span) => {
            Either3::A(Wait { wait: millis(span), wait_ns: BigInt::from(span.as_nanos()) })
        }
        Decision::Stop(reason) => Either3::B(reason.as_str()),
    })
}
