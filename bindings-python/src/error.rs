//! The core's errors as Python exceptions. The classes are in `overcurrent._errors`; their messages
//! are the core's.

use overcurrent::{
    AttemptTimeout, BreakerOpen, Cut as Limit, DeadlineExceeded, Dialect, InvalidPolicy, RegistryFull,
    RejectReason, Span, Value,
};
use pyo3::{
    create_exception,
    exceptions::{PyBaseException, PyBaseExceptionGroup, PyValueError},
    prelude::*,
    types::{PyTuple, PyType},
};

use crate::{
    imported::{Imported, NameText, Word},
    stay,
    unmade::unmade,
    value::secs,
};

create_exception!(
    overcurrent._core,
    Cut,
    PyBaseException,
    "Tells a call that its attempt was cut by the guard; never leaves this package."
);

/// An exception class of the package.
macro_rules! class {
    ($py:expr, $name:literal) => {{
        static CLASS: Imported = Imported::new("overcurrent._errors", $name);
        CLASS.get($py)
    }};
}
pub(crate) use class;

fn raise<'py, A>(class: PyResult<Bound<'py, PyAny>>, args: A) -> PyErr
where
    A: IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error: Into<PyErr>>,
{
    let raised = class.and_then(|class| {
        let made = stay::call1(&class, args)?;
        // With its class it gets a context when it is raised.
        Ok(PyErr::from_type(class.cast_into::<PyType>()?, made.unbind()))
    });
    raised.unwrap_or_else(|error| error)
}

/// `InvalidPolicy`.
pub(crate) fn invalid(error: &InvalidPolicy) -> PyErr {
    let args = (error.path.clone(), error.value.clone(), error.rule.clone());
    Python::attach(|py| raise(class!(py, "InvalidPolicy"), args))
}

/// `BreakerOpen`. It is made on each rejection, tens of thousands of times a second in an outage, so no
/// Python runs for it: its class keeps everything in `args`.
///
/// `name` keeps the name of the breaker that is asked most.
pub(crate) fn breaker_open(py: Python<'_>, error: &BreakerOpen, name: &NameText) -> PyErr {
    static REASONS: [Word; 3] = [const { Word::unmade() }; 3];
    let BreakerOpen { breaker, reason, retry_after } = error;
    let kept = match reason {
        RejectReason::Open => &REASONS[0],
        RejectReason::HalfOpen => &REASONS[1],
        RejectReason::ForcedOpen => &REASONS[2],
    };
    let args = (name.of(py, breaker), kept.of(py, reason.as_str()), retry_after.map(secs));
    let made = class!(py, "BreakerOpen").and_then(|class| unmade(class.cast()?, &args.into_pyobject(py)?));
    made.map_or_else(|error| error, PyErr::from_value)
}

/// `AttemptTimeout`.
pub(crate) fn attempt_timeout(py: Python<'_>, error: AttemptTimeout) -> PyErr {
    let args = (String::from(error.guard), error.attempt, secs(error.timeout));
    without_cut(py, raise(class!(py, "AttemptTimeout"), args))
}

/// `DeadlineExceeded`.
pub(crate) fn deadline_exceeded(py: Python<'_>, error: DeadlineExceeded) -> PyErr {
    let args = (String::from(error.guard), error.attempts, secs(error.deadline));
    without_cut(py, raise(class!(py, "DeadlineExceeded"), args))
}

/// The class of the error of an attempt that was cut.
pub(crate) fn of_cut(py: Python<'_>, which: Limit) -> PyResult<Bound<'_, PyAny>> {
    match which {
        Limit::Attempt => class!(py, "AttemptTimeout"),
        Limit::Deadline => class!(py, "DeadlineExceeded"),
    }
}

/// `RegistryFull`.
pub(crate) fn registry_full(py: Python<'_>, error: RegistryFull) -> PyErr {
    raise(class!(py, "RegistryFull"), (String::from(error.name), error.capacity))
}

/// The error without the mark of a cut as its context, which would tell nobody anything.
fn without_cut(py: Python<'_>, error: PyErr) -> PyErr {
    if error.context(py).is_some_and(|context| context.is_instance_of::<Cut>(py)) {
        error.set_context(py, None);
    }
    error
}

/// Whether an exception is a rejection by a breaker, or was raised from one; or a group of nothing else, as
/// it comes out of tasks that ran side by side.
pub(crate) fn is_rejection(error: &Bound<'_, PyBaseException>) -> PyResult<bool> {
    /// A group may hold groups, but none nests so deep by itself.
    const DEEPEST: usize = 16;
    rejects(error.clone().into_any(), DEEPEST)
}

fn rejects(error: Bound<'_, PyAny>, depth: usize) -> PyResult<bool> {
    /// A chain of causes may be a circle.
    const FARTHEST: usize = 100;
    let py = error.py();
    let class = class!(py, "BreakerOpen")?;
    let mut next = Some(error);
    for _ in 0..FARTHEST {
        let Some(error) = next else { return Ok(false) };
        if error.is_instance(&class)? {
            return Ok(true);
        }
        if depth != 0 && error.is_instance_of::<PyBaseExceptionGroup>() {
            let inside = error.getattr("exceptions")?.try_iter()?;
            let others = inside.map(|one| rejects(one?, depth - 1)).find(|one| !matches!(one, Ok(true)));
            match others {
                None => return Ok(true),
                Some(Err(error)) => return Err(error),
                Some(Ok(_)) => {}
            }
        }
        next = Some(error.getattr("__cause__")?).filter(|cause| !cause.is_none());
    }
    Ok(false)
}

/// The message of an `InvalidPolicy`.
#[pyfunction]
pub(crate) fn invalid_policy_text(path: String, value: String, rule: String) -> String {
    InvalidPolicy { path, value, rule }.to_string()
}

/// The message of a `BreakerOpen`.
#[pyfunction]
pub(crate) fn breaker_open_text(breaker: String, reason: &str, retry_after: Option<f64>) -> PyResult<String> {
    open(breaker, reason, retry_after).map(|error| error.to_string())
}

/// A rejection from what an exception holds.
pub(crate) fn open(breaker: String, reason: &str, retry_after: Option<f64>) -> PyResult<BreakerOpen> {
    let reason = RejectReason::from_word(reason)
        .ok_or_else(|| PyValueError::new_err(format!("`{reason}` is no reason of a rejection")))?;
    let retry_after = retry_after.map(|seconds| duration(seconds, "retry_after")).transpose()?;
    Ok(BreakerOpen { breaker: breaker.into(), reason, retry_after })
}

/// The message of an `AttemptTimeout`.
#[pyfunction]
pub(crate) fn attempt_timeout_text(guard: String, attempt: u32, timeout: f64) -> PyResult<String> {
    Ok(AttemptTimeout { guard: guard.into(), attempt, timeout: duration(timeout, "timeout")? }.to_string())
}

/// The message of a `DeadlineExceeded`.
#[pyfunction]
pub(crate) fn deadline_exceeded_text(guard: String, attempts: u32, deadline: f64) -> PyResult<String> {
    Ok(DeadlineExceeded { guard: guard.into(), attempts, deadline: duration(deadline, "deadline")? }
        .to_string())
}

/// The message of a `RegistryFull`.
#[pyfunction]
pub(crate) fn registry_full_text(name: String, capacity: usize) -> String {
    RegistryFull { name: name.into(), capacity }.to_string()
}

/// A duration from what an exception holds.
pub(crate) fn duration(seconds: f64, path: &str) -> PyResult<Span> {
    Span::from_value(&Value::from(seconds), path, Dialect::Python).map_err(|error| invalid(&error))
}
