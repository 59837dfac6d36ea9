//! One guarded call under way: drives a machine of the core for the loops in Python.
//!
//! | method | tells | answers |
//! | --- | --- | --- |
//! | `resume()` | nothing; asks for the first attempt, or for the next after a wait | what follows |
//! | `returned(value)` | the attempt returned | what follows |
//! | `raised(error)` | it raised; what is no `Exception` is a cancellation | what follows |
//! | `cut()` | its time was up; `raised(Cut())` then answers what follows | nothing |
//! | `cancelled()` | the caller gave up | nothing |
//!
//! What follows is `True`: make an attempt; `False`: it is over, hand over what the last attempt
//! returned or raised; a number: sleep so many seconds, then `resume()`. Where something else is to be
//! raised (a rejection, a timeout), it is raised here. A blocking call waits here and answers no
//! numbers.
//!
//! A call that began while calls are switched off asks no machine and no hook: it makes one attempt and is
//! over.
//!
//! INVARIANT: no Python code runs, and nothing of Python's is dropped, while the run is locked.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use overcurrent::{
    Span, StopReason, Verdict, idempotency_key,
    kernel::call::{Rejection, Settled, Step},
};
use pyo3::{
    BoundObject, PyTraverseError, PyVisit,
    exceptions::{PyBaseException, PyException, PyRuntimeError},
    prelude::*,
    types::{PyBool, PyFloat, PyList, PyString},
};

use crate::{
    error::{Cut, attempt_timeout, breaker_open, deadline_exceeded},
    events::{deliver, deliver_quietly},
    explain::keep,
    hooks::Settings,
    machine::Machine,
    value::secs,
};

/// What the last attempt came to.
enum Last {
    None,
    Value,
    Raised(Py<PyBaseException>),
    TimedOut,
}

struct Run {
    machine: Machine,
    last: Last,
    /// What follows an attempt that was cut, until its loop asks.
    cut: Option<Settled>,
    /// What an event loop is sleeping.
    pause: Option<Span>,
    stop: Option<StopReason>,
    /// Whether it waits here.
    blocking: bool,
    /// Whether it is over; or lent, and over for the borrower.
    over: bool,
}

/// What follows.
pub(crate) enum Next {
    Attempt,
    Over,
    Sleep(f64),
}

impl<'py> IntoPyObject<'py> for Next {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    #[inline]
    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self {
            Self::Attempt => PyBool::new(py, true).into_any().into_bound(),
            Self::Over => PyBool::new(py, false).into_any().into_bound(),
            Self::Sleep(seconds) => PyFloat::new(py, seconds).into_any(),
        })
    }
}

/// One call under way.
#[pyclass(frozen, module = "overcurrent._core")]
pub(crate) struct Call {
    settings: Py<Settings>,
    run: Mutex<Run>,
    key: OnceLock<String>,
    off: bool,
}

impl Call {
    /// A call as its machine has it; `blocking` if it waits here.
    pub(crate) const fn new(settings: Py<Settings>, machine: Machine, blocking: bool) -> Self {
        let off = machine.is_off();
        let run =
            Run { machine, last: Last::None, cut: None, pause: None, stop: None, blocking, over: false };
        Self { settings, run: Mutex::new(run), key: OnceLock::new(), off }
    }

    /// A call that has waited for its first attempt.
    pub(crate) fn waiting(
        py: Python<'_>,
        settings: Py<Settings>,
        machine: Machine,
    ) -> PyResult<Bound<'_, Self>> {
        let call = Self::new(settings, machine, true);
        call.resume(py)?;
        Bound::new(py, call)
    }

    /// A call whose attempt is recorded by somebody else, until it is taken back.
    pub(crate) fn lent(settings: Py<Settings>, machine: Machine) -> Self {
        let call = Self::new(settings, machine, false);
        call.run().over = true;
        call
    }

    /// Makes a call that was lent one that is under way.
    pub(crate) fn take_back(&self, blocking: bool) {
        let mut run = self.run();
        run.over = false;
        run.blocking = blocking;
    }
}

#[pymethods]
impl Call {
    fn resume(&self, py: Python<'_>) -> PyResult<Next> {
        let pause = self.run().pause.take();
        if let Some(span) = pause {
            self.settings.get().time.slept(py, span).inspect_err(|_| self.cancelled())?;
        }
        let step = self.run().machine.next();
        self.follow(py, step)
    }

    #[pyo3(signature = (value, /))]
    fn returned(&self, value: &Bound<'_, PyAny>) -> PyResult<Next> {
        let py = value.py();
        if self.off {
            return self.settle(py, Verdict::Success, Last::Value);
        }
        let verdict = self.settings.get().hooks.value(value).inspect_err(|_| self.cancelled())?;
        self.settle(py, verdict, Last::Value)
    }

    /// As `returned`, where there is no value that could mean anything else.
    fn succeeded(&self, py: Python<'_>) -> PyResult<Next> {
        self.settle(py, Verdict::Success, Last::Value)
    }

    #[pyo3(signature = (error, /))]
    fn raised(&self, error: &Bound<'_, PyBaseException>) -> PyResult<Next> {
        let py = error.py();
        if self.off {
            return self.settle(py, Verdict::Ignored, Last::None);
        }
        if !error.is_instance_of::<PyException>() && !error.is_instance_of::<Cut>() {
            self.cancelled();
            return Ok(Next::Over);
        }
        let was_cut = self.run().cut.is_some();
        if was_cut {
            return self.settle(py, Verdict::Ignored, Last::None);
        }
        let verdict = self.settings.get().hooks.error(error).inspect_err(|_| self.cancelled())?;
        self.settle(py, verdict, Last::Raised(error.clone().unbind()))
    }

    fn cut(&self) {
        let mut run = self.run();
        let settled = run.machine.cut();
        run.cut = Some(settled);
        drop(run);
        deliver_quietly();
    }

    fn cancelled(&self) {
        let mut run = self.run();
        if !std::mem::replace(&mut run.over, true) {
            run.machine.cancelled();
        }
        let last = std::mem::replace(&mut run.last, Last::None);
        drop(run);
        drop(last);
        deliver_quietly();
    }

    /// Has `callback` run by `event_loop` when the time of the attempt is up; `None` if nothing bounds
    /// it.
    fn arm<'py>(
        &self,
        event_loop: &Bound<'py, PyAny>,
        callback: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(left) = self.run().machine.remaining() else { return Ok(None) };
        self.settings.get().time.alarm(event_loop, callback, left).map(Some)
    }

    /// The seconds that the running attempt had when it began, by the machine's clock; `None` where
    /// nothing bounds it, or a clock of a test does.
    #[getter]
    fn limit(&self) -> Option<f64> {
        let limit = self.run().machine.limit();
        limit.filter(|_| !self.settings.get().time.is_manual()).map(secs)
    }

    /// How many attempts have begun.
    #[getter]
    fn attempts(&self) -> u32 {
        self.run().machine.attempts()
    }

    /// The seconds left for the running attempt.
    #[getter]
    fn remaining(&self) -> Option<f64> {
        self.run().machine.remaining().map(secs)
    }

    /// The seconds since the call began; `None` where that is not measured.
    #[getter]
    fn elapsed(&self) -> Option<f64> {
        self.run().machine.elapsed().map(secs)
    }

    /// Why the call was not retried, once that is so.
    #[getter]
    fn stop(&self) -> Option<&'static str> {
        self.run().stop.map(StopReason::as_str)
    }

    /// Whether the call is over.
    #[getter]
    fn over(&self) -> bool {
        self.run().over
    }

    /// The same on every attempt of the call, different for every call.
    #[getter]
    fn idempotency_key(&self) -> &str {
        self.key.get_or_init(idempotency_key)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(run) = self.run.try_lock() else { return Ok(()) };
        if let Last::Raised(error) = &run.last {
            visit.call(error)?;
        }
        visit.call(&self.settings)
    }
}

impl Call {
    #[inline]
    fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The attempt has ended and means `verdict`; or was cut before, which then is what counts.
    #[inline]
    fn settle(&self, py: Python<'_>, verdict: Verdict, own: Last) -> PyResult<Next> {
        let mut run = self.run();
        if run.over {
            return Ok(Next::Over);
        }
        let settled = match run.cut.take() {
            Some(settled) => settled,
            None => run.machine.settled(verdict),
        };
        let last = match settled {
            Settled { timed_out: true, .. } => Last::TimedOut,
            Settled { step: Step::Done, .. } => {
                run.over = true;
                Last::None
            }
            Settled { step: Step::Exceeded, .. } => {
                drop(run);
                drop(own);
                return self.follow(py, Step::Exceeded);
            }
            Settled { .. } => own,
        };
        let dropped = std::mem::replace(&mut run.last, last);
        drop(run);
        drop(dropped);
        if settled.step == Step::Done {
            deliver(py).map(|()| Next::Over)
        } else {
            self.follow(py, settled.step)
        }
    }

    /// Does what the machine says, up to the next attempt, the end or, in an event loop, a sleep.
    #[inline]
    fn follow(&self, py: Python<'_>, step: Step) -> PyResult<Next> {
        deliver(py).inspect_err(|_| self.cancelled())?;
        match step {
            Step::Attempt(_) => Ok(Next::Attempt),
            Step::Wait(span) => self.wait(py, span),
            step => self.end(py, step),
        }
    }

    #[cold]
    fn wait(&self, py: Python<'_>, mut span: Span) -> PyResult<Next> {
        let Settings { time, hooks } = self.settings.get();
        hooks.discard(py).inspect_err(|_| self.cancelled())?;
        loop {
            if span != Span::ZERO {
                let skipped = time.skips();
                if self.pauses(span, skipped) {
                    return Ok(Next::Sleep(if skipped { 0.0 } else { time.pause(span) }));
                }
                if !skipped {
                    time.sleep(py, span).inspect_err(|_| self.cancelled())?;
                }
            }
            let step = self.run().machine.next();
            match step {
                Step::Wait(next) => {
                    deliver(py).inspect_err(|_| self.cancelled())?;
                    span = next;
                }
                step => return self.follow(py, step),
            }
        }
    }

    /// Leaves the wait to the caller, if that is its part.
    fn pauses(&self, span: Span, skipped: bool) -> bool {
        let mut run = self.run();
        if skipped {
            run.machine.skip(span);
        } else if !run.blocking {
            run.pause = Some(span);
        }
        !run.blocking
    }

    fn end(&self, py: Python<'_>, step: Step) -> PyResult<Next> {
        let mut run = self.run();
        run.over = true;
        if let Step::Stop(reason) = step {
            run.stop = Some(reason);
        }
        let last = std::mem::replace(&mut run.last, Last::None);
        drop(run);
        match step {
            Step::Stop(reason) => match last {
                Last::Raised(error) => {
                    self.annotate(error.bind(py), reason);
                    Ok(Next::Over)
                }
                Last::TimedOut => {
                    let error = self.timed_out(py);
                    self.annotate(error.value(py), reason);
                    Err(error)
                }
                Last::None | Last::Value => Ok(Next::Over),
            },
            Step::Reject(rejection) => Err(self.refused(py, rejection)),
            Step::Exceeded => {
                let error = self.exceeded(py);
                match last {
                    Last::Raised(cause) => {
                        error.set_cause(py, Some(PyErr::from_value(cause.into_bound(py).into_any())));
                    }
                    Last::TimedOut => error.set_cause(py, Some(self.timed_out(py))),
                    Last::None | Last::Value => {}
                }
                Err(error)
            }
            _ => Ok(Next::Over),
        }
    }

    fn refused(&self, py: Python<'_>, rejection: Rejection) -> PyErr {
        let refusal = self.run().machine.refusal(rejection);
        refusal.map_or_else(impossible, |refusal| breaker_open(py, refusal))
    }

    fn timed_out(&self, py: Python<'_>) -> PyErr {
        let error = self.run().machine.attempt_timeout();
        error.map_or_else(impossible, |error| attempt_timeout(py, error))
    }

    fn exceeded(&self, py: Python<'_>) -> PyErr {
        let error = self.run().machine.deadline_exceeded();
        error.map_or_else(impossible, |error| deadline_exceeded(py, error))
    }

    /// Leaves an account of the call with the error that comes out of it, where the error takes notes.
    fn annotate(&self, error: &Bound<'_, PyBaseException>, reason: StopReason) {
        let (who, attempts, elapsed) = {
            let run = self.run();
            (run.machine.who(), run.machine.attempts(), run.machine.elapsed())
        };
        let head = format!("{who} gave up after ");
        keep(error, attempts, elapsed.unwrap_or_default(), reason);
        let attempts = if attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
        let elapsed = secs(elapsed.unwrap_or_default());
        // An error that refuses the note is handed over without one.
        let _ = note(error, &head, &format!("{head}{attempts} in {elapsed:.3}s: {}", reason.as_str()));
    }
}

/// Adds a note to an error, in the place of one with the same head: an error object that is raised
/// again and again does not collect them.
fn note(error: &Bound<'_, PyBaseException>, head: &str, text: &str) -> PyResult<()> {
    let same = |note: &Bound<'_, PyAny>| {
        note.cast::<PyString>().is_ok_and(|note| note.to_cow().is_ok_and(|note| note.starts_with(head)))
    };
    if let Ok(notes) = error.getattr("__notes__")
        && let Ok(notes) = notes.cast::<PyList>()
        && let Some(index) = notes.iter().position(|note| same(&note))
    {
        notes.del_item(index)?;
    }
    error.call_method1("add_note", (text,))?;
    Ok(())
}

/// The error where a machine asks for one that only a guard can raise.
fn impossible() -> PyErr {
    PyRuntimeError::new_err("only a guard has time limits")
}

impl Drop for Call {
    fn drop(&mut self) {
        let run = self.run.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !run.over {
            run.machine.cancelled();
        }
    }
}
