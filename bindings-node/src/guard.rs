//! Making guards.

use std::sync::Arc;

use napi::bindgen_prelude::{BigInt, Either, Unknown};
use napi_derive::napi;
use overcurrent::{
    Breaker, Budget, Dialect, Guard, GuardPolicy, InvalidPolicy, PolicyDocument, Surrounds, register,
};

use crate::{
    clock::{chosen, nanos, tell},
    error::Refused,
    slab::{keep, with},
    value::value,
};

/// What a guard is given beside its policy, all of it by handle.
#[napi(object, object_to_js = false)]
#[derive(Debug)]
pub(crate) struct Brought {
    /// A manual clock.
    pub clock: Option<f64>,
    /// The seed of every draw.
    pub seed: Option<BigInt>,
    /// A breaker shared with others.
    pub breaker: Option<f64>,
    /// A budget shared with others.
    pub budget: Option<f64>,
    /// Whether to measure how long calls take.
    pub durations: bool,
    /// Whether what it counts is part of the metrics.
    pub measured: bool,
    /// The time now.
    pub now: f64,
}

/// What JavaScript needs to know of a guard.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub(crate) struct GuardShape {
    /// Its handle.
    pub handle: f64,
    /// Its breaker's, unless that was brought.
    pub breaker: Option<f64>,
    /// Its budget's, unless that was brought.
    pub budget: Option<f64>,
    /// What bounds a first attempt, in ns.
    pub limit: f64,
    /// Whether it measures how long its calls take.
    pub durations: bool,
}

/// A guard of a policy given in code.
#[napi]
pub(crate) fn guard_new(
    name: String,
    policy: Unknown<'_>,
    brought: Brought,
) -> napi::Result<Either<GuardShape, Refused>> {
    let policy = GuardPolicy::from_value(&value(&policy)?, "", Dialect::Node);
    made(name, policy, brought)
}

/// A guard of the policy `name` in a document, whose file name says what it is written in.
#[napi]
pub(crate) fn guard_read(
    file: String,
    text: String,
    name: String,
    brought: Brought,
) -> napi::Result<Either<GuardShape, Refused>> {
    let policy = PolicyDocument::parse(&file, &text).and_then(|document| document.guard(&name));
    made(name, policy, brought)
}

fn made(
    name: String,
    policy: Result<GuardPolicy, InvalidPolicy>,
    brought: Brought,
) -> napi::Result<Either<GuardShape, Refused>> {
    tell(brought.now);
    let own = (brought.breaker.is_none(), brought.budget.is_none());
    let surrounds = Surrounds {
        clock: Some(chosen(brought.clock)?),
        seed: brought.seed.map(|seed| seed.get_u64().1),
        breaker: brought
            .breaker
            .map(|breaker| with(breaker, |it: &mut Arc<Breaker>| Arc::clone(it)))
            .transpose()?,
        budget: brought
            .budget
            .map(|budget| with(budget, |it: &mut Arc<Budget>| Arc::clone(it)))
            .transpose()?,
        durations: brought.durations,
    };
    let guard = policy.and_then(|policy| Guard::with(name, policy, surrounds, Dialect::Node));
    Ok(match guard {
        Ok(guard) => {
            let guard = Arc::new(guard);
            if brought.measured {
                register(&guard);
                // It may outlive its guard.
                guard.breaker().into_iter().for_each(register);
            }
            Either::A(shape(guard, own))
        }
        Err(error) => Either::B(error.into()),
    })
}

/// What bounds a first attempt, in ns.
pub(crate) fn limit(policy: &GuardPolicy) -> f64 {
    let limits = [policy.attempt_timeout, policy.deadline];
    limits.into_iter().flatten().min().map_or(f64::INFINITY, nanos)
}

/// Keeps a guard; `own` is whether to keep its breaker and its budget too.
pub(crate) fn shape(guard: Arc<Guard>, own: (bool, bool)) -> GuardShape {
    GuardShape {
        limit: limit(guard.policy()),
        durations: guard.measures_durations(),
        breaker: guard.breaker().filter(|_| own.0).map(|breaker| keep(Arc::clone(breaker))),
        budget: guard.budget().filter(|_| own.1).map(|budget| keep(Arc::clone(budget))),
        handle: keep(guard),
    }
}
