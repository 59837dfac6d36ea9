//! A blocking call, from its first attempt to its end.
//!
//! ```text
//!  first ─┬─▶ attempt ─┬─ succeeded ─▶ over
//!         │            └─ else ──┐
//!         └─▶ Call, where something stands in its way ─▶ attempts, until it says that it is over
//! ```
//!
//! While nothing is wrong, the call has no object. Whoever wants to know of its attempt, from inside, finds it by
//! the one thing that it shares with the frame in Python that made it: the dictionary of keyword arguments, which no
//! other call has. They are listed by thread, and not on a stack, as greenlets of one thread take turns.
//!
//! No signal is handled between two steps here, so nothing comes between the end of an attempt and its record.
//!
//! INVARIANT: the attempt is recorded once: by its success, by its call, or, where neither came to be, as cancelled.

use std::cell::RefCell;

use overcurrent::First;
use pyo3::{
    exceptions::PyTypeError,
    prelude::*,
    types::{PyDict, PyTuple},
};

use crate::{
    call::{Call, Next},
    events::deliver,
    first::{attempt, refuse, succeeded},
    fork,
    handled::handling,
    hooks::Settings,
    imported::Imported,
    machine::{Machine, Subject},
    stay,
};

thread_local! {
    /// The calls under way in this thread.
    static UNDER_WAY: RefCell<Vec<Listed>> = const { RefCell::new(Vec::new()) };
}

/// A call as others find it.
struct Listed {
    /// Where its keyword arguments are.
    key: usize,
    state: State,
}

enum State {
    First(First),
    Call(Py<Call>),
}

/// What is called.
#[derive(Clone, Copy)]
struct Callee<'a, 'py> {
    function: &'a Bound<'py, PyAny>,
    args: &'a Bound<'py, PyTuple>,
    kwargs: &'a Bound<'py, PyDict>,
}

impl<'py> Callee<'_, 'py> {
    /// Calls it with keyword arguments of its own, as `function(*args, **kwargs)` does.
    #[inline]
    fn call(self) -> PyResult<Bound<'py, PyAny>> {
        if self.kwargs.is_empty() {
            return stay::call(self.function, self.args, None);
        }
        let kwargs = self.kwargs.copy()?;
        stay::call(self.function, self.args, Some(&kwargs))
    }
}

/// A call in the list.
struct Place<'a, S: Subject> {
    key: usize,
    subject: &'a S,
    /// The first attempt, until it is recorded or has become a `Call`.
    first: Option<First>,
    /// How many forks there had been when it began.
    forks: u32,
}

impl<'a, S: Subject> Place<'a, S> {
    #[inline]
    fn of_first(subject: &'a S, kwargs: &Bound<'_, PyDict>, first: First) -> Self {
        let key = key(kwargs);
        UNDER_WAY.with_borrow_mut(|list| list.push(Listed { key, state: State::First(first) }));
        Self { key, subject, first: Some(first), forks: fork::forks() }
    }

    fn of_call(subject: &'a S, kwargs: &Bound<'_, PyDict>, call: &Bound<'_, Call>) -> Self {
        let key = key(kwargs);
        let state = State::Call(call.clone().unbind());
        UNDER_WAY.with_borrow_mut(|list| list.push(Listed { key, state }));
        Self { key, subject, first: None, forks: fork::forks() }
    }

    /// Where it goes on in the child of a fork, it is counted there from here on.
    #[inline]
    fn go_on(&self) {
        if self.forks != fork::forks()
            && let Some(guard) = self.subject.counting()
        {
            guard.inherited();
        }
    }

    /// The call of the first attempt.
    #[cold]
    fn call<'py>(
        &mut self,
        py: Python<'py>,
        settings: &Py<Settings>,
        first: First,
    ) -> PyResult<Bound<'py, Call>> {
        let call = lend(self.subject, settings, self.key, first, py)?;
        self.first = None;
        call.get().take_back(py)?;
        Ok(call)
    }
}

impl<S: Subject> Drop for Place<'_, S> {
    #[inline]
    fn drop(&mut self) {
        let listed = UNDER_WAY.with_borrow_mut(|list| {
            let index = list.iter().rposition(|listed| listed.key == self.key)?;
            Some(list.swap_remove(index))
        });
        drop(listed);
        if let Some(first) = self.first {
            self.subject.adopt(first).cancelled();
        }
    }
}

fn key(kwargs: &Bound<'_, PyDict>) -> usize {
    kwargs.as_ptr().addr()
}

/// Makes a call, and hands over what comes of it.
#[inline]
pub(crate) fn run<'py>(
    subject: &impl Subject,
    settings: &Py<Settings>,
    function: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, callee) = (function.py(), Callee { function, args, kwargs });
    let Some(first) = attempt(subject, settings) else {
        return slowly(py, subject, settings, callee);
    };
    let mut place = Place::of_first(subject, kwargs, first);
    let result = callee.call();
    place.go_on();
    if let Ok(value) = &result
        && !is_coroutine(value)?
        && succeeded(py, subject, first)?
    {
        place.first = None;
        deliver(py)?;
        return result;
    }
    let call = place.call(py, settings, first)?;
    attempts(&call, callee, result)
}

/// Makes a call in whose way something stands.
#[cold]
#[inline(never)]
fn slowly<'py>(
    py: Python<'py>,
    subject: &impl Subject,
    settings: &Py<Settings>,
    callee: Callee<'_, 'py>,
) -> PyResult<Bound<'py, PyAny>> {
    refuse(py, subject, settings)?;
    let call = Call::waiting(py, settings.clone_ref(py), Machine::begin(subject))?;
    let _place = Place::of_call(subject, callee.kwargs, &call);
    attempts(&call, callee, callee.call())
}

/// Makes more attempts, as long as the call says so of what the last one came to.
#[cold]
#[inline(never)]
fn attempts<'py>(
    call: &Bound<'py, Call>,
    callee: Callee<'_, 'py>,
    mut result: PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, call) = (call.py(), call.get());
    loop {
        match result {
            Ok(value) => {
                if is_coroutine(&value)? {
                    call.cancelled(py)?;
                    return refuse_coroutine(&value);
                }
                if !matches!(call.returned(&value)?, Next::Attempt) {
                    return Ok(value);
                }
            }
            Err(error) if !callee.function.is_callable() => {
                call.cancelled(py)?;
                return Err(error);
            }
            Err(error) => {
                let error = error.into_value(py).into_bound(py);
                if !matches!(handling(&error, || call.raised(&error))?, Next::Attempt) {
                    return Err(PyErr::from_value(error.into_any()));
                }
            }
        }
        result = callee.call();
    }
}

/// Whether somebody would have to await it.
#[inline]
fn is_coroutine(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    static COROUTINE: Imported = Imported::new("types", "CoroutineType");
    Ok(value.get_type_ptr().cast() == COROUTINE.get(value.py())?.as_ptr())
}

#[cold]
fn refuse_coroutine<'py>(coroutine: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    stay::method(coroutine, "close", PyTuple::empty(coroutine.py()))?;
    Err(PyTypeError::new_err("`call` is for blocking functions; await `acall` for a coroutine function"))
}

/// The call that a frame in Python makes with some keyword arguments, for somebody else; `None` where none is
/// under way.
pub(crate) fn find<'py>(
    subject: &impl Subject,
    settings: &Py<Settings>,
    kwargs: &Bound<'py, PyDict>,
) -> PyResult<Option<Bound<'py, Call>>> {
    let py = kwargs.py();
    match state(key(kwargs), py) {
        None => Ok(None),
        Some(State::Call(call)) => Ok(Some(call.into_bound(py))),
        Some(State::First(first)) => lend(subject, settings, key(kwargs), first, py).map(Some),
    }
}

fn state(key: usize, py: Python<'_>) -> Option<State> {
    UNDER_WAY.with_borrow(|list| {
        let listed = list.iter().rfind(|listed| listed.key == key)?;
        Some(match &listed.state {
            State::First(first) => State::First(*first),
            State::Call(call) => State::Call(call.clone_ref(py)),
        })
    })
}

/// The call of a first attempt, as whoever asked for it before has it.
fn lend<'py>(
    subject: &impl Subject,
    settings: &Py<Settings>,
    key: usize,
    first: First,
    py: Python<'py>,
) -> PyResult<Bound<'py, Call>> {
    if let Some(State::Call(call)) = state(key, py) {
        return Ok(call.into_bound(py));
    }
    let call = Bound::new(py, Call::lent(settings.clone_ref(py), subject.adopt(first), true))?;
    UNDER_WAY.with_borrow_mut(|list| {
        if let Some(listed) = list.iter_mut().rfind(|listed| listed.key == key) {
            listed.state = State::Call(call.clone().unbind());
        }
    });
    Ok(call)
}
