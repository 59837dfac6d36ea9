//! The function that listens to events.

use overcurrent::Filter;
use pyo3::{exceptions::PyValueError, prelude::*};

use crate::{
    breaker::Breaker,
    events::{Subscription, subscribed},
    guard::Guard,
};

/// Listens to all events, or to those of one guard and its breaker, or of one breaker.
#[pyfunction]
#[pyo3(signature = (callback, *, guard=None, breaker=None))]
pub(crate) fn subscribe(
    callback: &Bound<'_, PyAny>,
    guard: Option<&Bound<'_, Guard>>,
    breaker: Option<&Bound<'_, Breaker>>,
) -> PyResult<Subscription> {
    let filter = match (guard, breaker) {
        (None, None) => Filter::everything(),
        (Some(guard), None) => guard.get().events(),
        (None, Some(breaker)) => breaker.get().events(),
        (Some(_), Some(_)) => {
            return Err(PyValueError::new_err(
                "`guard` and `breaker` exclude each other: a guard's events are also its breaker's",
            ));
        }
    };
    subscribed(filter, callback)
}
