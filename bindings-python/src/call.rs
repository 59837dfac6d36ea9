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
    Cut as Limit, Ending, Rounded, Span, StopReason, Verdict, idempotency_key,
    kernel::call::{Rejection, Settled, Step},
};
use pyo3::{
    BoundObject, PyTraverseError, PyVisit,
    exceptions::{PyBaseException, PyException, PyRuntimeError},
    prelude::*,
    types::{PyBool, PyFloat, PyList, PyString},
};

use crate::{
    behalf::Behalf,
    error::{Cut, attempt_timeout, breaker_open, deadline_exceeded, of_cut},
    events::{deliver, deliver_quietly},
    explain::keep,
    hooks::Settings,
    machine::Machine,
    stay,
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
    /// On whose behalf, where anybody says so.
    behalf: OnceLock<Box<Behalf>>,
    off: bool,
}

impl Call {
    /// A call of the running code, as its machine has it; `blocking` if it waits here.
    pub(crate) fn new(
        py: Python<'_>,
        settings: Py<Settings>,
        machine: Machine,
        blocking: bool,
    ) -> PyResult<Self> {
        let call = Self::of(settings, machine, blocking);
        call.belongs_here(py).map(|()| call)
    }

    const fn of(settings: Py<Settings>, machine: Machine, blocking: bool) -> Self {
        let off = machine.is_off();
        let run =
            Run { machine, last: Last::None, cut: None, pause: None, stop: None, blocking, over: false };
        Self { settings, run: Mutex::new(run), key: OnceLock::new(), behalf: OnceLock::new(), off }
    }

    /// It is made on behalf of the running code.
    #[inline]
    fn belongs_here(&self, py: Python<'_>) -> PyResult<()> {
        if !self.off
            && let Some(behalf) = Behalf::current(py)?
        {
            // It is said once.
            let _ = self.behalf.set(behalf);
        }
        Ok(())
    }

    /// A call that has waited for its first attempt.
    pub(crate) fn waiting(
        py: Python<'_>,
        settings: Py<Settings>,
        machine: Machine,
    ) -> PyResult<Bound<'_, Self>> {
        let call = Self::new(py, settings, machine, true)?;
        call.resume(py)?;
        Bound::new(py, call)
    }

    /// A call whose attempt is recorded by somebody else, until it is taken back.
    pub(crate) fn lent(settings: Py<Settings>, machine: Machine, blocking: bool) -> Self {
        let call = Self::of(settings, machine, blocking);
        call.run().over = true;
        call
    }

    /// Makes a call that was lent one that is under way.
    pub(crate) fn take_back(&self, py: Python<'_>) -> PyResult<()> {
        self.run().over = false;
        self.belongs_here(py)
    }
}

#[pymethods]
impl Call {
    fn resume(&self, py: Python<'_>) -> PyResult<Next> {
        let pause = self.run().pause.take();
        if let Some(span) = pause {
            self.settings.get().time.slept(py, span).or_else(|raised| self.gave_up(py).and(Err(raised)))?;
        }
        let step = self.step(|run| run.machine.next());
        self.follow(py, step)
    }

    #[pyo3(signature = (value, /))]
    pub(crate) fn returned(&self, value: &Bound<'_, PyAny>) -> PyResult<Next> {
        let py = value.py();
        if self.off {
            return self.settle(py, Verdict::Success, Ok(None));
        }
        let hooks = &self.settings.get().hooks;
        let verdict = hooks.value(value).or_else(|error| self.gave_up(py).and(Err(error)))?;
        self.settle(py, verdict, Ok(Some(value)))
    }

    /// As `returned`, where there is no value that could mean anything else.
    fn succeeded(&self, py: Python<'_>) -> PyResult<Next> {
        self.settle(py, Verdict::Success, Ok(None))
    }

    #[pyo3(signature = (error, /))]
    pub(crate) fn raised(&self, error: &Bound<'_, PyBaseException>) -> PyResult<Next> {
        let py = error.py();
        if self.off {
            return self.settle(py, Verdict::Ignored, Ok(None));
        }
        if !error.is_instance_of::<PyException>() && !error.is_instance_of::<Cut>() {
            self.gave_up(py)?;
            return Ok(Next::Over);
        }
        let was_cut = self.run().cut.is_some();
        if was_cut {
            return self.settle(py, Verdict::Ignored, Ok(None));
        }
        let hooks = &self.settings.get().hooks;
        let verdict = hooks.error(error).or_else(|raised| self.gave_up(py).and(Err(raised)))?;
        self.settle(py, verdict, Err(error))
    }

    fn cut(&self, py: Python<'_>) -> PyResult<()> {
        self.step(|run| run.cut = Some(run.machine.cut()));
        if let Some(behalf) = self.behalf.get() {
            behalf.tell(py)?;
        }
        deliver_quietly();
        Ok(())
    }

    pub(crate) fn cancelled(&self, py: Python<'_>) -> PyResult<()> {
        self.gave_up(py)
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
        if let Some(behalf) = self.behalf.get() {
            behalf.traverse(&visit)?;
        }
        visit.call(&self.settings)
    }
}

impl Call {
    #[inline]
    fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a step of the call, on whose behalf that is.
    #[inline]
    fn step<R>(&self, step: impl FnOnce(&mut Run) -> R) -> R {
        match self.behalf.get() {
            None => step(&mut self.run()),
            Some(behalf) => behalf.within(|| step(&mut self.run())),
        }
    }

    /// The attempt has ended, with what it returned or raised, and means `verdict`; or was cut before, which
    /// then is what counts.
    #[inline]
    fn settle(&self, py: Python<'_>, verdict: Verdict, came: Came<'_, '_>) -> PyResult<Next> {
        let mut last = came.map_or_else(|error| Last::Raised(error.clone().unbind()), |_| Last::Value);
        let settled = self.step(|run| {
            if run.over {
                return None;
            }
            let settled = match run.cut.take() {
                Some(settled) => settled,
                None => run.machine.settled(verdict),
            };
            match settled {
                Settled { timed_out: true, .. } => last = Last::TimedOut,
                Settled { step: Step::Done, .. } => {
                    run.over = true;
                    last = Last::None;
                }
                Settled { .. } => {}
            }
            if settled.step != Step::Exceeded {
                std::mem::swap(&mut run.last, &mut last);
            }
            Some(settled)
        });
        drop(last);
        let Some(settled) = settled else { return Ok(Next::Over) };
        if let Some(behalf) = self.behalf.get() {
            let (ending, result) = ended(py, settled, verdict, came)?;
            behalf.end(py, ending, result)?;
        }
        match settled.step {
            Step::Done => deliver(py).map(|()| Next::Over),
            step => self.follow(py, step),
        }
    }

    /// The caller gave up.
    fn gave_up(&self, py: Python<'_>) -> PyResult<()> {
        let last = self.step(|run| {
            if !std::mem::replace(&mut run.over, true) {
                run.machine.cancelled();
            }
            std::mem::replace(&mut run.last, Last::None)
        });
        drop(last);
        if let Some(behalf) = self.behalf.get() {
            behalf.end(py, Ending::Cancelled, None)?;
        }
        deliver_quietly();
        Ok(())
    }

    /// Does what the machine says, up to the next attempt, the end or, in an event loop, a sleep.
    #[inline]
    fn follow(&self, py: Python<'_>, step: Step) -> PyResult<Next> {
        deliver(py).or_else(|raised| self.gave_up(py).and(Err(raised)))?;
        match step {
            Step::Attempt(_) => {
                if let Some(behalf) = self.behalf.get() {
                    behalf.begin(py, || self.run().machine.made())?;
                }
                Ok(Next::Attempt)
            }
            Step::Wait(span) => self.wait(py, span),
            step => self.end(py, step),
        }
    }

    #[cold]
    fn wait(&self, py: Python<'_>, mut span: Span) -> PyResult<Next> {
        let Settings { time, hooks, .. } = self.settings.get();
        hooks.discard(py).or_else(|error| self.gave_up(py).and(Err(error)))?;
        loop {
            if span != Span::ZERO {
                let skipped = time.skips();
                if self.pauses(span, skipped) {
                    return Ok(Next::Sleep(if skipped { 0.0 } else { time.pause(span) }));
                }
                if !skipped {
                    time.sleep(py, span).or_else(|raised| self.gave_up(py).and(Err(raised)))?;
                }
            }
            let step = self.step(|run| run.machine.next());
            match step {
                Step::Wait(next) => {
                    deliver(py).or_else(|raised| self.gave_up(py).and(Err(raised)))?;
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
        refusal.map_or_else(impossible, |refusal| breaker_open(py, &refusal, &self.settings.get().breaker))
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
        let elapsed = Rounded(elapsed.unwrap_or_default());
        // An error that refuses the note is handed over without one.
        let _ = note(error, &head, &format!("{head}{attempts} in {elapsed}: {}", reason.as_str()));
    }
}

/// What an attempt returned, if anybody wants to know, or raised.
type Came<'a, 'py> = Result<Option<&'a Bound<'py, PyAny>>, &'a Bound<'py, PyBaseException>>;

/// How an attempt ended, and the error that it ended with (of a cut its class), else the value.
fn ended<'py>(
    py: Python<'py>,
    settled: Settled,
    verdict: Verdict,
    came: Came<'_, 'py>,
) -> PyResult<(Ending, Option<Bound<'py, PyAny>>)> {
    let ending = match (settled, verdict) {
        (Settled { timed_out: true, .. }, _) => {
            return Ok((Ending::Timeout, Some(of_cut(py, Limit::Attempt)?)));
        }
        (Settled { step: Step::Exceeded, .. }, _) => {
            return Ok((Ending::Timeout, Some(of_cut(py, Limit::Deadline)?)));
        }
        (_, Verdict::Success) => Ending::Success,
        (_, Verdict::Ignored) => Ending::Ignored,
        (_, Verdict::Failure(_)) => Ending::Failure,
    };
    let result = match came {
        Ok(value) => value.cloned(),
        Err(error) => Some(error.clone().into_any()),
    };
    Ok((ending, result))
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
    stay::method(error.as_any(), "add_note", (text,))?;
    Ok(())
}

/// The error where a machine asks for one that only a guard can raise.
fn impossible() -> PyErr {
    PyRuntimeError::new_err("only a guard has time limits")
}

impl Drop for Call {
    fn drop(&mut self) {
        let behalf = self.behalf.take();
        let run = self.run.get_mut().unwrap_or_else(PoisonError::into_inner);
        match behalf {
            None if run.over => {}
            None => run.machine.cancelled(),
            Some(behalf) => {
                if !run.over {
                    behalf.within(|| run.machine.cancelled());
                }
                Python::attach(|py| {
                    if let Err(error) = behalf.end(py, Ending::Cancelled, None) {
                        error.write_unraisable(py, None);
                    }
                });
            }
        }
    }
}
