//! What the result of an attempt means: `on`, `ignore` and `classify`.
//!
//! | asked, in this order | an error is |
//! | --- | --- |
//! | `classify` | what it answers, unless that is `None` |
//! | a rejection by another breaker | ignored |
//! | `ignore` | ignored |
//! | `on`, where it does not take it | ignored: not of the kind that tells about the dependency |
//! | the rules of a protocol, where there are any | what they answer, unless that is `None` |
//! | else | a failure that may be retried |
//!
//! A value is asked about in the same order, by those that speak of values, and else is a success.
//!
//! A hook that raises is logged and taken for one that had nothing to say.

use overcurrent::{Failure as Failed, Span, Verdict};
use pyo3::{
    PyTraverseError, PyVisit,
    exceptions::{PyBaseException, PyException, PyTypeError, PyValueError},
    prelude::*,
    types::{PyString, PyTuple, PyType},
};

use crate::{
    clock::Time,
    error::is_rejection,
    imported::{Imported, NameText},
    stay,
    value::{secs, span},
};

/// What `classify` answers for a failure that is more than the word: whether trying again can cure it,
/// and how long the server asked to wait.
#[pyclass(frozen, eq, hash, module = "overcurrent")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Failure {
    #[pyo3(get)]
    retryable: bool,
    hint: Option<Span>,
}

#[pymethods]
impl Failure {
    #[new]
    #[pyo3(signature = (*, retryable=true, hint=None))]
    fn new(retryable: bool, hint: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        Ok(Self { retryable, hint: hint.map(|hint| span(hint, "hint")).transpose()? })
    }

    /// How long the server asked to wait, in seconds.
    #[getter]
    fn hint(&self) -> Option<f64> {
        self.hint.map(secs)
    }

    fn __repr__(&self) -> String {
        let retryable = if self.retryable { "True" } else { "False" };
        match self.hint {
            Some(hint) => format!("Failure(retryable={retryable}, hint='{hint}')"),
            None => format!("Failure(retryable={retryable})"),
        }
    }
}

/// What every call of a guard, breaker or retry has in common.
#[pyclass(frozen, module = "overcurrent._core")]
pub(crate) struct Settings {
    pub(crate) hooks: Hooks,
    pub(crate) time: Time,
    /// The name of the breaker, for its rejections.
    pub(crate) breaker: NameText,
}

impl Settings {
    pub(crate) const fn new(hooks: Hooks, time: Time) -> Self {
        Self { hooks, time, breaker: NameText::unmade() }
    }
}

#[pymethods]
impl Settings {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.hooks.traverse(&visit)?;
        self.time.traverse(&visit)
    }
}

/// The hooks of one guard, breaker or retry.
pub(crate) struct Hooks {
    on: Filter,
    ignore: Filter,
    classify: Option<Py<PyAny>>,
    /// A `Rules` of `overcurrent._adapted`.
    rules: Option<Py<PyAny>>,
}

/// `on`, `ignore` and `classify` as they were given.
pub(crate) type Raw<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Option<Bound<'py, PyAny>>);

/// Which errors a hook speaks of.
enum Filter {
    All,
    None,
    Types(Py<PyAny>),
    Predicate(Py<PyAny>),
}

impl Hooks {
    pub(crate) fn new((on, ignore, classify): Raw<'_>) -> PyResult<Self> {
        if let Some(classify) = &classify
            && !classify.is_callable()
        {
            let given = classify.repr()?;
            return Err(PyTypeError::new_err(format!("`classify` must be a callable, not `{given}`")));
        }
        Ok(Self {
            on: Filter::new(&on, "on")?,
            ignore: Filter::new(&ignore, "ignore")?,
            classify: classify.map(Bound::unbind),
            rules: None,
        })
    }

    /// The same hooks, and the rules of a protocol for what they leave open.
    pub(crate) fn with_rules(&self, rules: &Bound<'_, PyAny>) -> Self {
        Self { rules: Some(rules.clone().unbind()), ..self.clone_ref(rules.py()) }
    }

    /// Whether they are all as by default.
    pub(crate) const fn are_default(&self) -> bool {
        matches!((&self.on, &self.ignore, &self.classify), (Filter::All, Filter::None, None))
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            on: self.on.clone_ref(py),
            ignore: self.ignore.clone_ref(py),
            classify: self.classify.as_ref().map(|classify| classify.clone_ref(py)),
            rules: self.rules.as_ref().map(|rules| rules.clone_ref(py)),
        }
    }

    /// Whether every returned value is a success.
    #[inline]
    pub(crate) const fn pass_values(&self) -> bool {
        self.classify.is_none() && self.rules.is_none()
    }

    /// The meaning of a returned value.
    ///
    /// # Errors
    /// Only what is no `Exception`, raised in a hook.
    #[inline]
    pub(crate) fn value(&self, value: &Bound<'_, PyAny>) -> PyResult<Verdict> {
        if self.pass_values() {
            return Ok(Verdict::Success);
        }
        if let Some(verdict) = self.classified(value)? {
            return Ok(verdict);
        }
        Ok(self.ruled(value)?.unwrap_or(Verdict::Success))
    }

    /// The meaning of a raised error.
    ///
    /// # Errors
    /// Only what is no `Exception`, raised in a hook.
    pub(crate) fn error(&self, error: &Bound<'_, PyBaseException>) -> PyResult<Verdict> {
        if let Some(verdict) = self.classified(error.as_any())? {
            return Ok(verdict);
        }
        let ignored = is_rejection(error)? || self.ignore.takes(error, "ignore", false)?;
        if ignored || !self.on.takes(error, "on", true)? {
            return Ok(Verdict::Ignored);
        }
        Ok(self.ruled(error.as_any())?.unwrap_or(Verdict::Failure(Failed::RETRYABLE)))
    }

    /// Lets go of what the last attempt returned, as another one will follow.
    ///
    /// # Errors
    /// Only what is no `Exception`, raised in a hook.
    pub(crate) fn discard(&self, py: Python<'_>) -> PyResult<()> {
        let Some(rules) = &self.rules else { return Ok(()) };
        let done = stay::method(rules.bind(py), "discard", PyTuple::empty(py));
        forgiven(py, "discard", done.map(|_| ()), ())
    }

    fn classified(&self, result: &Bound<'_, PyAny>) -> PyResult<Option<Verdict>> {
        let Some(classify) = &self.classify else { return Ok(None) };
        let answer = stay::call1(classify.bind(result.py()), (result,)).and_then(|answer| verdict(&answer));
        forgiven(result.py(), "classify", answer, None)
    }

    fn ruled(&self, result: &Bound<'_, PyAny>) -> PyResult<Option<Verdict>> {
        let Some(rules) = &self.rules else { return Ok(None) };
        let py = result.py();
        let answer = stay::method(rules.bind(py), "classify", (result,));
        forgiven(py, "classify", answer.and_then(|answer| verdict(&answer)), None)
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.on.traverse(visit)?;
        self.ignore.traverse(visit)?;
        visit.call(&self.classify)?;
        visit.call(&self.rules)
    }
}

impl Filter {
    fn new(hook: &Bound<'_, PyAny>, name: &str) -> PyResult<Self> {
        let py = hook.py();
        let is_error = |class: &Bound<'_, PyAny>| {
            class
                .cast::<PyType>()
                .is_ok_and(|class| class.is_subclass(&py.get_type::<PyBaseException>()).unwrap_or_default())
        };
        if hook.is(py.get_type::<PyException>()) {
            return Ok(Self::All);
        }
        if is_error(hook) {
            return Ok(Self::Types(hook.clone().unbind()));
        }
        if let Ok(classes) = hook.cast::<PyTuple>() {
            if classes.is_empty() {
                return Ok(Self::None);
            }
            if classes.iter().all(|class| is_error(&class)) {
                return Ok(Self::Types(hook.clone().unbind()));
            }
        } else if hook.is_callable() && !hook.is_instance_of::<PyType>() {
            return Ok(Self::Predicate(hook.clone().unbind()));
        }
        let expected = "must be an exception class, a tuple of them or a callable";
        Err(PyTypeError::new_err(format!("`{name}` {expected}, not `{}`", hook.repr()?)))
    }

    fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::All => Self::All,
            Self::None => Self::None,
            Self::Types(classes) => Self::Types(classes.clone_ref(py)),
            Self::Predicate(callable) => Self::Predicate(callable.clone_ref(py)),
        }
    }

    fn takes(&self, error: &Bound<'_, PyBaseException>, name: &str, otherwise: bool) -> PyResult<bool> {
        let py = error.py();
        let answer = match self {
            Self::All => return Ok(true),
            Self::None => return Ok(false),
            Self::Types(classes) => error.is_instance(classes.bind(py)),
            Self::Predicate(callable) => {
                stay::call1(callable.bind(py), (error,)).and_then(|yes| yes.is_truthy())
            }
        };
        forgiven(py, name, answer, otherwise)
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::All | Self::None => Ok(()),
            Self::Types(hook) | Self::Predicate(hook) => visit.call(hook),
        }
    }
}

/// What a hook answered, or `otherwise` where it raised, which is logged.
pub(crate) fn forgiven<T>(py: Python<'_>, hook: &str, answer: PyResult<T>, otherwise: T) -> PyResult<T> {
    static REPORT: Imported = Imported::new("overcurrent._log", "hook_failed");
    let error = match answer {
        Err(error) if error.is_instance_of::<PyException>(py) => error,
        answer => return answer,
    };
    let reported = stay::call1(&REPORT.get(py)?, (hook, error));
    match reported {
        Err(error) if !error.is_instance_of::<PyException>(py) => Err(error),
        _ => Ok(otherwise),
    }
}

/// A verdict as `classify` would answer it.
pub(crate) fn answer(py: Python<'_>, verdict: Verdict) -> PyResult<Bound<'_, PyAny>> {
    Ok(match verdict {
        Verdict::Success => PyString::intern(py, "success").into_any(),
        Verdict::Ignored => PyString::intern(py, "ignored").into_any(),
        Verdict::Failure(Failed { retryable, hint }) => {
            Bound::new(py, Failure { retryable, hint })?.into_any()
        }
    })
}

fn verdict(answer: &Bound<'_, PyAny>) -> PyResult<Option<Verdict>> {
    if answer.is_none() {
        return Ok(None);
    }
    if let Ok(failure) = answer.cast::<Failure>() {
        let Failure { retryable, hint } = *failure.get();
        return Ok(Some(Verdict::Failure(Failed { retryable, hint })));
    }
    let word = answer.cast::<PyString>().map(PyStringMethods::to_cow).ok().transpose()?;
    match word.as_deref() {
        Some("success") => Ok(Some(Verdict::Success)),
        Some("failure") => Ok(Some(Verdict::Failure(Failed::RETRYABLE))),
        Some("ignored") => Ok(Some(Verdict::Ignored)),
        _ => {
            let expected = "`classify` must answer success, failure, ignored, a `Failure` or None";
            Err(PyValueError::new_err(format!("{expected}, not `{}`", answer.repr()?)))
        }
    }
}
