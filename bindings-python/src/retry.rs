//! A retry without a breaker.

use std::sync::{Arc, Mutex, PoisonError};

use overcurrent::{
    Decision, Dialect, Failure as Failed, Instant, Retry as Core, RetryPolicy, Span, StopReason, Value,
    kernel::retry::Attempts,
};
use pyo3::{prelude::*, types::PyMapping};

use crate::{
    behalf::within_current,
    budget::Budget,
    caller::{Caller, Through},
    clock::{ManualClock, Time},
    error::invalid,
    events::deliver,
    hooks::{Hooks, Raw, Settings},
    lazy::{Lazy, LazyRetry},
    switch,
    value::{entries, raw, secs, seed, span},
};

/// The state of a retry; `overcurrent.Retry` is built on it.
///
/// Without a clock it comes to life with its first use alone: a guard that is given it only takes its
/// policy and its budget.
#[pyclass(frozen, subclass, extends = Caller, module = "overcurrent._core")]
pub(crate) struct Retry {
    pub(crate) fields: Value,
    lazy: Arc<LazyRetry>,
}

#[pymethods]
impl Retry {
    #[new]
    fn new(
        py: Python<'_>,
        fields: &Bound<'_, PyMapping>,
        hooks: Raw<'_>,
        clock: Option<Py<ManualClock>>,
        seed: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let (fields, budget) = retry_fields(fields)?;
        let policy =
            RetryPolicy::from_value(&fields, "", Dialect::Python).map_err(|error| invalid(&error))?;
        let time = match (clock, budget.as_ref().and_then(|budget| budget.get().time())) {
            (None, Some(time)) => time.clone_ref(py),
            (clock, _) => Time::new(clock),
        };
        let seed = seed.map(self::seed).transpose()?;
        let settings = Py::new(py, Settings::new(Hooks::new(hooks)?, time.clone_ref(py)))?;
        let is_timed = time.is_manual();
        let lazy = Arc::new(LazyRetry::new(policy, seed, time, budget));
        if is_timed {
            lazy.core();
        }
        Ok(Caller::new(Through::retry(Arc::clone(&lazy)), settings).of(Self { fields, lazy }))
    }

    /// Its retry budget, if it has one.
    #[getter]
    fn budget(&self, py: Python<'_>) -> PyResult<Option<Py<Budget>>> {
        match (&self.lazy.budget, self.lazy.policy.budget.and_then(|_| self.lazy.core().budget())) {
            (Some(budget), _) => Ok(Some(budget.clone_ref(py))),
            (None, None) => Ok(None),
            (None, Some(core)) => Py::new(py, Budget::of(core, self.lazy.time(), py)).map(Some),
        }
    }

    fn __repr__(&self) -> String {
        format!("<Retry: at most {} attempts>", self.lazy.policy.max_attempts)
    }

    /// Begins a call that must be over `deadline` from now, for a loop of one's own.
    #[pyo3(signature = (deadline=None))]
    fn start(&self, deadline: Option<&Bound<'_, PyAny>>) -> PyResult<RetryCall> {
        let deadline = deadline.map(|deadline| span(deadline, "deadline")).transpose()?;
        let core = self.lazy.core();
        if switch::is_disabled() {
            return Ok(RetryCall { retry: Arc::clone(core), deadline: None, attempts: None });
        }
        Ok(RetryCall {
            retry: Arc::clone(core),
            deadline: deadline.map(|deadline| core.now().after(deadline)),
            attempts: Some(Mutex::new(core.begin())),
        })
    }
}

impl Retry {
    pub(crate) fn given_budget(&self, py: Python<'_>) -> Option<Py<Budget>> {
        self.lazy.budget.as_ref().map(|budget| budget.clone_ref(py))
    }
}

/// The fields of a retry written in Python, and the budget in it, if that is a live one.
pub(crate) fn retry_fields(fields: &Bound<'_, PyMapping>) -> PyResult<(Value, Option<Py<Budget>>)> {
    let mut brought = None;
    let fields = entries(fields, |name, value| {
        if name == "budget"
            && let Ok(budget) = value.cast::<Budget>()
        {
            brought = Some(budget.clone().unbind());
            return Ok(Value::Bool(true));
        }
        raw(value)
    })?;
    Ok((Value::Table(fields), brought))
}

/// The decision to try again, after a wait.
#[pyclass(frozen, eq, hash, module = "overcurrent")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Wait {
    span: Span,
}

#[pymethods]
impl Wait {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str,) = ("delay",);

    /// The wait in seconds.
    #[getter]
    fn delay(&self) -> f64 {
        secs(self.span)
    }

    /// The wait in nanoseconds.
    #[getter]
    const fn delay_ns(&self) -> u64 {
        self.span.as_nanos()
    }

    fn __repr__(&self) -> String {
        format!("<Wait {}>", self.span)
    }
}

/// The decision not to try again.
#[pyclass(frozen, eq, hash, module = "overcurrent")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Stop {
    cause: StopReason,
}

#[pymethods]
impl Stop {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str,) = ("reason",);

    /// Why not.
    #[getter]
    const fn reason(&self) -> &'static str {
        self.cause.as_str()
    }

    fn __repr__(&self) -> String {
        format!("<Stop {}>", self.cause.as_str())
    }
}

/// The retries of one call, for a loop of one's own.
#[pyclass(frozen, module = "overcurrent")]
pub(crate) struct RetryCall {
    retry: Arc<Core>,
    deadline: Option<Instant>,
    /// None where calls were switched off when it began: it has one attempt.
    attempts: Option<Mutex<Attempts>>,
}

#[pymethods]
impl RetryCall {
    /// Decides what follows an attempt that failed now: a `Wait` or a `Stop`.
    #[pyo3(signature = (*, retryable=true, hint=None))]
    fn failed<'py>(
        &self,
        py: Python<'py>,
        retryable: bool,
        hint: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let hint = hint.map(|hint| span(hint, "hint")).transpose()?;
        let Some(attempts) = &self.attempts else {
            return Ok(Bound::new(py, Stop { cause: StopReason::AttemptsExhausted })?.into_any());
        };
        let core = &self.retry;
        let decision = within_current(py, || {
            let mut attempts = attempts.lock().unwrap_or_else(PoisonError::into_inner);
            core.failed_at(&mut attempts, Failed { retryable, hint }, core.now(), self.deadline)
        })?;
        deliver(py)?;
        match decision {
            Decision::Wait(span) => Ok(Bound::new(py, Wait { span })?.into_any()),
            Decision::Stop(cause) => Ok(Bound::new(py, Stop { cause })?.into_any()),
        }
    }

    /// The seconds left for the call.
    #[getter]
    fn remaining(&self) -> Option<f64> {
        self.deadline.map(|deadline| secs(deadline.since(self.retry.now())))
    }
}
