//! Python values as the core's raw values; what they mean is decided there.

use std::borrow::Cow;

use overcurrent::{Dialect, InvalidPolicy, Span, Value};
use pyo3::{
    exceptions::PyTypeError,
    prelude::*,
    types::{PyBool, PyDelta, PyDeltaAccess, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple},
};

use crate::error::invalid;

/// No policy nests so deep; a value may also hold itself.
const DEEPEST: usize = 16;

/// A Python value as a raw value. What no policy can hold becomes the text that Python shows for it.
pub(crate) fn raw(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    nested(object, DEEPEST)
}

fn nested(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    if object.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(flag) = object.cast::<PyBool>() {
        return Ok(flag.is_true().into());
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(text.to_cow()?.into_owned().into());
    }
    if object.is_instance_of::<PyInt>() {
        return Ok(Value::Number(object.str()?.to_cow()?.into_owned()));
    }
    if let Ok(number) = object.cast::<PyFloat>() {
        return Ok(number.value().into());
    }
    if let Ok(delta) = object.cast::<PyDelta>() {
        return Ok(seconds(delta));
    }
    if let Some(depth) = depth.checked_sub(1) {
        if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
            let items = object.try_iter()?.map(|item| nested(&item?, depth)).collect::<PyResult<_>>()?;
            return Ok(Value::List(items));
        }
        if let Ok(mapping) = object.cast::<PyMapping>() {
            return Ok(Value::Table(entries(mapping, |_, value| nested(value, depth))?));
        }
    }
    Ok(Value::Other(object.repr()?.to_cow()?.into_owned()))
}

/// Whether something is to be so.
pub(crate) fn flag(given: &Bound<'_, PyAny>, path: &str) -> PyResult<bool> {
    if let Ok(flag) = given.cast::<PyBool>() {
        return Ok(flag.is_true());
    }
    let value = raw(given)?.to_string();
    Err(invalid(&InvalidPolicy { path: path.into(), value, rule: "must be true or false".into() }))
}

/// What something is named; `path` is what an error calls it.
pub(crate) fn text<'a>(given: &'a Bound<'_, PyAny>, path: &str) -> PyResult<Cow<'a, str>> {
    match given.cast::<PyString>() {
        Ok(text) => text.to_cow(),
        Err(_) => Err(PyTypeError::new_err(format!("`{path}` must be a str, not `{}`", given.repr()?))),
    }
}

/// The entries of a mapping, each value read by `read`, which is told its name.
pub(crate) fn entries(
    mapping: &Bound<'_, PyMapping>,
    mut read: impl FnMut(&str, &Bound<'_, PyAny>) -> PyResult<Value>,
) -> PyResult<Vec<(String, Value)>> {
    let mut entries = Vec::new();
    for item in mapping.items()? {
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        let name = name.str()?.to_cow()?.into_owned();
        let value = read(&name, &value)?;
        entries.push((name, value));
    }
    Ok(entries)
}

/// A duration that stands alone; `path` is what an error calls it.
pub(crate) fn span(object: &Bound<'_, PyAny>, path: &str) -> PyResult<Span> {
    Span::from_value(&raw(object)?, path, Dialect::Python).map_err(|error| invalid(&error))
}

/// A duration in seconds, as Python's clocks and sleeps count it.
pub(crate) fn secs(span: Span) -> f64 {
    std::time::Duration::from(span).as_secs_f64()
}

/// A `timedelta` in seconds, exact and with its sign, so that the core can refuse what it must.
fn seconds(delta: &Bound<'_, PyDelta>) -> Value {
    let secs = i64::from(delta.get_days()) * 86_400 + i64::from(delta.get_seconds());
    let micros = i128::from(secs) * 1_000_000 + i128::from(delta.get_microseconds());
    if let Some(nanos) = u64::try_from(micros).ok().and_then(|micros| micros.checked_mul(1_000)) {
        return Span::from_nanos(nanos).into();
    }
    let (sign, micros) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
    Value::Number(format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000))
}

/// A seed for tests.
pub(crate) fn seed(seed: &Bound<'_, PyAny>) -> PyResult<u64> {
    let whole = if seed.is_instance_of::<PyBool>() { None } else { seed.extract().ok() };
    match whole {
        Some(seed) => Ok(seed),
        None => Err(invalid(&InvalidPolicy {
            path: "seed".into(),
            value: raw(seed)?.to_string(),
            rule: format!("must be a whole number from 0 to {}", u64::MAX),
        })),
    }
}
