//! On whose behalf decisions are made, and who traces the attempts.
//!
//! | | is | asked |
//! | --- | --- | --- |
//! | the scope | a context variable of `overcurrent._trace` | in slow steps, once there was a scope |
//! | the tracer | an object of `overcurrent.opentelemetry` | about each call and attempt, while it is on |
//!
//! Where neither is in use, one load says so. The core is told for the time of a step, in the thread that takes
//! it. What ends a call may run elsewhere (a timer, the garbage collector), so a call keeps what it found when
//! its object was made.
//!
//! The tracer hears what was decided from a queue of its own, which each thread empties itself, right after its
//! step: the GIL is held in between, so it finds its own decisions there.
//!
//! INVARIANT: no lock is held while Python runs or while something of Python's is dropped.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU8, Ordering},
};

use overcurrent::{Ending, Event, Filter, Subscription, TraceContext as Core, subscribe as listen};
use pyo3::{
    PyTraverseError, PyVisit,
    prelude::*,
    types::{PyInt, PyList, PyTuple},
};

use crate::{
    events::{CAPACITY, WAITING, object},
    hooks::forgiven,
    imported::Imported,
    stay,
    trace::{TraceContext, carried},
};

const SCOPED: u8 = 1;
const TRACED: u8 = 2;

/// Whether a scope was ever entered, and whether there is a tracer.
static IN_USE: AtomicU8 = AtomicU8::new(0);

static TRACER: Mutex<Option<Tracer>> = Mutex::new(None);

struct Tracer {
    object: Py<PyAny>,
    told: Subscription,
}

fn tracer() -> MutexGuard<'static, Option<Tracer>> {
    TRACER.lock().unwrap_or_else(PoisonError::into_inner)
}

// ORDERING: relaxed, here and below; it is written and read with the GIL held.
#[inline]
fn in_use() -> u8 {
    IN_USE.load(Ordering::Relaxed)
}

/// Whether anybody has said, or may say, on whose behalf calls are made.
#[inline]
pub(crate) fn is_known() -> bool {
    in_use() != 0
}

/// Whether attempts are traced.
#[inline]
pub(crate) fn is_traced() -> bool {
    in_use() & TRACED != 0
}

/// From now on the context variable is looked at.
pub(crate) fn will_be_scoped() {
    IN_USE.fetch_or(SCOPED, Ordering::Relaxed);
}

/// Has attempts traced, or no more. `False`, and nothing is changed, where there is a tracer already.
#[pyfunction]
pub(crate) fn turn_tracing(tracer: Option<Py<PyAny>>) -> bool {
    if tracer.is_some() && is_traced() {
        return false;
    }
    let new = tracer.map(|object| {
        let told = listen(Filter::everything(), CAPACITY).marking(&WAITING);
        Tracer { object, told }
    });
    if new.is_some() {
        IN_USE.fetch_or(TRACED, Ordering::Relaxed);
    } else {
        IN_USE.fetch_and(!TRACED, Ordering::Relaxed);
    }
    let old = std::mem::replace(&mut *self::tracer(), new);
    drop(old);
    true
}

/// The tracer, if there is one.
fn known_tracer(py: Python<'_>) -> Option<Py<PyAny>> {
    if !is_traced() {
        return None;
    }
    tracer().as_ref().map(|tracer| tracer.object.clone_ref(py))
}

/// What was decided since the last look.
fn told() -> Vec<Event> {
    if !is_traced() {
        return Vec::new();
    }
    tracer().as_ref().map(|tracer| tracer.told.drain().collect()).unwrap_or_default()
}

/// Forgets what was decided before a fork.
pub(crate) fn forget_told() {
    drop(told());
}

/// On whose behalf the running code makes calls: in the span that is current, where they are traced, else in
/// the scope.
///
/// # Errors
/// Only what is no `Exception`, raised in the tracer.
#[inline]
pub(crate) fn current(py: Python<'_>) -> PyResult<Option<Core>> {
    if is_known() { look(py) } else { Ok(None) }
}

#[cold]
fn look(py: Python<'_>) -> PyResult<Option<Core>> {
    static CURRENT: Imported = Imported::new("overcurrent._trace", "current");
    let scope = stay::method(&CURRENT.get(py)?, "get", (py.None(),))?;
    let scope = context(&scope);
    let Some(tracer) = known_tracer(py) else { return Ok(scope) };
    let span = stay::method(tracer.bind(py), "current", PyTuple::empty(py)).map(|span| context(&span));
    let span = forgiven(py, "tracer", span, None)?;
    Ok(match (span, scope) {
        (Some(span), Some(scope)) => Some(known_as(span, &scope)),
        (span, scope) => span.or(scope),
    })
}

fn context(object: &Bound<'_, PyAny>) -> Option<Core> {
    object.cast::<TraceContext>().ok().map(|context| context.get().core.clone())
}

/// A span, with the correlation id of a scope.
fn known_as(span: Core, scope: &Core) -> Core {
    match scope.correlation_id() {
        // One that was read once is valid.
        Some(id) => span.clone().with_correlation_id(id).unwrap_or(span),
        None => span,
    }
}

/// Takes a step on behalf of a context, if there is one.
#[inline]
pub(crate) fn within<R>(context: Option<&Core>, step: impl FnOnce() -> R) -> R {
    match context {
        Some(context) => context.scope(step),
        None => step(),
    }
}

/// Takes a step on behalf of the running code.
///
/// # Errors
/// As [`current`].
#[inline]
pub(crate) fn within_current<R>(py: Python<'_>, step: impl FnOnce() -> R) -> PyResult<R> {
    let context = current(py)?;
    Ok(within(context.as_ref(), step))
}

/// Tells the span that is current what was decided in it, beside all attempts.
///
/// # Errors
/// As [`current`].
pub(crate) fn tell_current(py: Python<'_>) -> PyResult<()> {
    let events = told();
    match known_tracer(py) {
        Some(tracer) if !events.is_empty() => {
            let told =
                objects(py, &events).and_then(|events| stay::method(tracer.bind(py), "tell", (events,)));
            forgiven(py, "tracer", told.map(drop), ())
        }
        _ => Ok(()),
    }
}

fn objects<'py>(py: Python<'py>, events: &[Event]) -> PyResult<Bound<'py, PyList>> {
    let events = events.iter().map(|event| object(py, event)).collect::<PyResult<Vec<_>>>()?;
    PyList::new(py, events)
}

/// What a failure is called, given the status of HTTP that it tells of, the code that it carries, and the class of the
/// error.
#[pyfunction]
#[pyo3(signature = (status, code, class_, /))]
pub(crate) fn error_type(
    status: Option<&Bound<'_, PyInt>>,
    code: Option<&str>,
    class_: Option<&str>,
) -> String {
    // One that is too large for the core is none.
    let status = status.and_then(|status| status.extract().ok());
    overcurrent::error_type(status, code, class_).into_owned()
}

/// The headers by which a server learns on whose behalf it is asked, for one attempt.
#[pyfunction]
pub(crate) fn onward_headers(py: Python<'_>) -> PyResult<Vec<(String, String)>> {
    if !is_known() {
        return Ok(Vec::new());
    }
    if let Some(tracer) = known_tracer(py) {
        let headers = stay::method(tracer.bind(py), "headers", PyTuple::empty(py))
            .and_then(|headers| headers.extract());
        return forgiven(py, "tracer", headers, Vec::new());
    }
    let context = current(py)?;
    let headers = context.map(|context| carried(&context.next_span())).unwrap_or_default();
    Ok(headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// On whose behalf a call is made, and the span of its attempt.
pub(crate) struct Behalf {
    caller: Option<Core>,
    tracer: Option<Py<PyAny>>,
    span: Mutex<Option<Span>>,
}

/// An attempt as it is traced.
struct Span {
    object: Py<PyAny>,
    context: Option<Core>,
}

/// Whose attempt it is.
pub(crate) struct Made {
    pub(crate) guard: Option<String>,
    pub(crate) breaker: Option<(String, &'static str)>,
    pub(crate) attempt: u32,
}

impl Behalf {
    /// Of a call that the running code makes; `None` where that is nobody's business.
    ///
    /// # Errors
    /// As [`current`].
    #[inline]
    pub(crate) fn current(py: Python<'_>) -> PyResult<Option<Box<Self>>> {
        if !is_known() {
            return Ok(None);
        }
        let caller = look(py)?;
        Ok(Some(Box::new(Self { caller, tracer: known_tracer(py), span: Mutex::new(None) })))
    }

    fn span(&self) -> MutexGuard<'_, Option<Span>> {
        self.span.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a step of the call.
    pub(crate) fn within<R>(&self, step: impl FnOnce() -> R) -> R {
        let span = self.span().as_ref().and_then(|span| span.context.clone());
        within(span.as_ref().or(self.caller.as_ref()), step)
    }

    /// An attempt begins.
    ///
    /// # Errors
    /// As [`current`].
    pub(crate) fn begin(&self, py: Python<'_>, made: impl FnOnce() -> Made) -> PyResult<()> {
        let Some(tracer) = &self.tracer else { return Ok(()) };
        let Made { guard, breaker, attempt } = made();
        let begun = stay::method(tracer.bind(py), "begin", (guard, breaker, attempt)).and_then(|object| {
            let context = context(&object.getattr("context")?);
            let context = match (context, &self.caller) {
                (Some(span), Some(caller)) => Some(known_as(span, caller)),
                (span, _) => span,
            };
            Ok(Some(Span { object: object.unbind(), context }))
        });
        let span = forgiven(py, "tracer", begun, None)?;
        let before = std::mem::replace(&mut *self.span(), span);
        drop(before);
        Ok(())
    }

    /// Tells the span of the attempt what was decided in it.
    ///
    /// # Errors
    /// As [`current`].
    pub(crate) fn tell(&self, py: Python<'_>) -> PyResult<()> {
        let Some(span) = self.span().as_ref().map(|span| span.object.clone_ref(py)) else { return Ok(()) };
        let told = objects(py, &told()).and_then(|events| stay::method(span.bind(py), "tell", (events,)));
        forgiven(py, "tracer", told.map(drop), ())
    }

    /// The attempt has ended, with an error or, of a cut, its class, or a value; or the call, and none was under way.
    ///
    /// # Errors
    /// As [`current`].
    pub(crate) fn end(
        &self,
        py: Python<'_>,
        ending: Ending,
        result: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let Some(Span { object, .. }) = self.span().take() else { return Ok(()) };
        let ended = objects(py, &told())
            .and_then(|events| stay::method(object.bind(py), "end", (events, ending.as_str(), result)));
        forgiven(py, "tracer", ended.map(drop), ())
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tracer)?;
        match self.span.try_lock() {
            Ok(span) => span.as_ref().map_or(Ok(()), |span| visit.call(&span.object)),
            Err(_) => Ok(()),
        }
    }
}
