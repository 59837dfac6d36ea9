//! Who hears of decisions in Python: callbacks, and the log.
//!
//! The core puts events into queues while a decision is made, which may be anywhere below a lock. They are
//! given to Python at the places where a method of this module is about to return: by the thread that made
//! the decision, after it, with no lock held. One thread delivers at a time, so a callback never runs twice
//! at once and hears of what comes in order; what is told while it runs, also by itself, waits for its end.
//! An outcome that is told by letting go of a permit or a call is delivered with the next decision.
//!
//! INVARIANT: no lock is held while Python runs or while something of Python's is dropped.

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use overcurrent::{Event, Fact, Filter, Severity, Subscription as Core, subscribe as listen};
use pyo3::{
    exceptions::{PyException, PyTypeError},
    prelude::*,
    types::{PyDict, PyString, PyTuple},
};

use crate::{behalf, hooks::forgiven, imported::Imported, stay, value::secs};

/// How many events may wait for one listener, while another thread is busy delivering.
pub(crate) const CAPACITY: usize = 1024;

/// Whether any event waits.
pub(crate) static WAITING: AtomicBool = AtomicBool::new(false);

/// Whether a thread is delivering.
static DELIVERING: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether it is this one.
    static HERE: Cell<bool> = const { Cell::new(false) };
}

static LISTENERS: Mutex<Vec<Arc<Listener>>> = Mutex::new(Vec::new());

/// The levels of Python's logging.
const DEBUG: u8 = 10;
const INFO: u8 = 20;
const WARNING: u8 = 30;

struct Listener {
    ear: Ear,
    queue: Mutex<Queue>,
}

/// Who hears an event.
enum Ear {
    Log,
    Callback(Py<PyAny>),
}

enum Queue {
    Open(Core),
    /// How many events it had dropped.
    Closed(u64),
}

impl Listener {
    fn enter(filter: Filter, ear: Ear) -> Arc<Self> {
        let queue = Mutex::new(Queue::Open(listen(filter, CAPACITY).marking(&WAITING)));
        let listener = Arc::new(Self { ear, queue });
        listeners().push(Arc::clone(&listener));
        listener
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Event> {
        match &*self.queue() {
            Queue::Open(core) => core.try_next(),
            Queue::Closed(_) => None,
        }
    }

    fn hear(&self, py: Python<'_>, event: &Event) -> PyResult<()> {
        match &self.ear {
            Ear::Log => log(py, event),
            Ear::Callback(callback) => {
                let heard = object(py, event).and_then(|event| stay::call1(callback.bind(py), (event,)));
                forgiven(py, "subscriber", heard.map(drop), ())
            }
        }
    }
}

fn listeners() -> MutexGuard<'static, Vec<Arc<Listener>>> {
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the log hear of every decision from now on.
pub(crate) fn listen_for_the_log() {
    Listener::enter(Filter::everything().first_rejections(), Ear::Log);
}

/// Gives the events that wait to those who listen.
///
/// # Errors
/// Only what is no `Exception`, raised in a callback.
#[inline]
pub(crate) fn deliver(py: Python<'_>) -> PyResult<()> {
    // ORDERING: relaxed; whoever made a decision sees the mark that he himself has set.
    if WAITING.load(Ordering::Relaxed) { deliver_waiting(py) } else { Ok(()) }
}

/// The same where nothing can be raised: there what is no `Exception` is shown as Python shows what a
/// destructor raises.
pub(crate) fn deliver_quietly() {
    if WAITING.load(Ordering::Relaxed) {
        Python::attach(|py| {
            if let Err(error) = deliver_waiting(py) {
                error.write_unraisable(py, None);
            }
        });
    }
}

#[cold]
fn deliver_waiting(py: Python<'_>) -> PyResult<()> {
    behalf::tell_current(py)?;
    while WAITING.load(Ordering::Acquire) && !DELIVERING.swap(true, Ordering::AcqRel) {
        HERE.set(true);
        let delivered = deliver_all(py);
        HERE.set(false);
        DELIVERING.store(false, Ordering::Release);
        delivered?;
        // What came just before the end was left to this thread, so it looks again.
    }
    Ok(())
}

fn deliver_all(py: Python<'_>) -> PyResult<()> {
    while WAITING.swap(false, Ordering::AcqRel) {
        let all: Vec<Arc<Listener>> = listeners().clone();
        for listener in all {
            while let Some(event) = listener.next() {
                // The others go on when the next decision is made.
                listener.hear(py, &event).inspect_err(|_| WAITING.store(true, Ordering::Release))?;
            }
        }
    }
    Ok(())
}

/// Forgets what waits, in the child of a fork: it is the parent's to deliver. Nobody delivers here, unless it
/// was a callback that forked.
pub(crate) fn forget_waiting() {
    behalf::forget_told();
    let all: Vec<Arc<Listener>> = listeners().clone();
    for listener in all {
        if let Queue::Open(core) = &*listener.queue() {
            drop(core.drain());
        }
    }
    WAITING.store(false, Ordering::Release);
    DELIVERING.store(HERE.get(), Ordering::Release);
}

/// An event as an object of `overcurrent.events`.
pub(crate) fn object<'py>(py: Python<'py>, event: &Event) -> PyResult<Bound<'py, PyAny>> {
    static CLASSES: Imported = Imported::new("overcurrent.events", "CLASSES");
    let classes = CLASSES.get(py)?;
    let facts: Vec<Bound<'py, PyAny>> =
        event.fields().map(|(_, fact)| value(py, fact)).collect::<PyResult<_>>()?;
    stay::call(&classes.get_item(event.name())?, &PyTuple::new(py, facts)?, None)
}

/// A fact in Python: durations are seconds.
fn value(py: Python<'_>, fact: Fact) -> PyResult<Bound<'_, PyAny>> {
    Ok(match fact {
        Fact::Name(name) => PyString::new(py, &name).into_any(),
        Fact::Word(word) => PyString::intern(py, word).into_any(),
        Fact::Count(count) => count.into_pyobject(py)?.into_any(),
        Fact::Span(span) => secs(span).into_pyobject(py)?.into_any(),
        _ => py.None().into_bound(py),
    })
}

/// Has `overcurrent._log` write an event, where its level is enabled. Whoever has not loaded `logging` has
/// not asked for anything below a warning, and does not have it loaded for that.
fn log(py: Python<'_>, event: &Event) -> PyResult<()> {
    static ENABLED: Imported = Imported::new("overcurrent._log", "enabled");
    static WRITE: Imported = Imported::new("overcurrent._log", "write");
    let level = match event.severity() {
        Severity::Warning => WARNING,
        Severity::Debug => DEBUG,
        _ => INFO,
    };
    if !ENABLED.is_known(py) && level < WARNING && !is_logging_loaded(py)? {
        return Ok(());
    }
    let written = ENABLED.get(py).and_then(|enabled| {
        if !stay::call1(&enabled, (level,))?.is_truthy()? {
            return Ok(());
        }
        let fields = PyDict::new(py);
        for (name, fact) in event.fields() {
            fields.set_item(PyString::intern(py, name), value(py, fact)?)?;
        }
        stay::call1(&WRITE.get(py)?, (level, event.name(), fields))?;
        Ok(())
    });
    match written {
        // The log has its own way to tell that it does not work.
        Err(error) if error.is_instance_of::<PyException>(py) => Ok(()),
        written => written,
    }
}

fn is_logging_loaded(py: Python<'_>) -> PyResult<bool> {
    py.import("sys")?.getattr("modules")?.contains("logging")
}

/// What a listener holds.
#[pyclass(frozen, weakref, module = "overcurrent")]
pub(crate) struct Subscription {
    listener: Arc<Listener>,
}

#[pymethods]
impl Subscription {
    /// Ends it; does nothing where that is done.
    fn close(&self) {
        let mut all = listeners();
        let place = all.iter().position(|other| Arc::ptr_eq(other, &self.listener));
        let gone = place.map(|place| all.swap_remove(place));
        drop(all);
        drop(gone);
        let mut queue = self.listener.queue();
        if let Queue::Open(core) = &*queue {
            let closed = Queue::Closed(core.dropped());
            let open = std::mem::replace(&mut *queue, closed);
            drop(queue);
            drop(open);
        }
    }

    /// How many events were forgotten, as the callback was too slow.
    #[getter]
    fn dropped(&self) -> u64 {
        match &*self.listener.queue() {
            Queue::Open(core) => core.dropped(),
            Queue::Closed(dropped) => *dropped,
        }
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __exit__(
        &self,
        _class: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> bool {
        self.close();
        false
    }
}

/// A subscription to what passes `filter`.
pub(crate) fn subscribed(filter: Filter, callback: &Bound<'_, PyAny>) -> PyResult<Subscription> {
    if !callback.is_callable() {
        return Err(PyTypeError::new_err(format!("`callback` must be callable, not `{}`", callback.repr()?)));
    }
    Ok(Subscription { listener: Listener::enter(filter, Ear::Callback(callback.clone().unbind())) })
}
