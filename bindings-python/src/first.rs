//! How a call begins, and how a healthy one ends: what the asynchronous loops in Python keep of a call, as long
//! as nothing is wrong, in the place of a [`Call`].
//!
//! ```text
//!  first ─┬─▶ a first attempt ─┬─ ended ─▶ true: it is over
//!         │                    └─ full ──▶ Call
//!         └─▶ None, where something stands in its way ─ begin_async ─▶ Call
//! ```
//!
//! A first attempt is a number where half of it says all: an epoch as an `int`, an instant as a `float`;
//! else a [`First`]. It is only given where its breaker is closed. To let go of a number says nothing, which is
//! what a call means there that was cancelled before it began; to let go of a [`First`], that it was cancelled. A
//! loop that ends otherwise asks for the call first.
//!
//! Whoever wants to know of the attempt is lent its call. The loop's own dictionary of keyword arguments
//! keeps it, under the class `Call`, so that the loop finds it when it needs the call itself.
//!
//! INVARIANT: the attempt is recorded once: by `ended`, or by the call, but not while that is lent.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use overcurrent::{First as Core, Guard, Instant};
use pyo3::{
    prelude::*,
    types::{PyDict, PyFloat, PyInt},
};

use crate::{
    behalf,
    call::Call,
    error::breaker_open,
    events::deliver,
    fork,
    hooks::Settings,
    machine::{Machine, Short, Subject},
    switch,
};

/// A first attempt.
#[pyclass(frozen, freelist = 64, module = "overcurrent._core")]
pub(crate) struct First {
    core: Core,
    /// The guard that counts the call, and is told if it is let go of.
    guard: Option<Arc<Guard>>,
    /// Whether it is recorded, or has become a `Call`.
    over: AtomicBool,
    /// How many forks there had been when it began, or went on.
    forks: AtomicU32,
}

impl First {
    /// The first attempt that `first` gave, if it did, and the object that it is.
    #[inline]
    fn of<'b>(begun: &'b Bound<'_, PyAny>) -> PyResult<Option<(Core, Option<&'b Self>)>> {
        if begun.is_exact_instance_of::<PyInt>() {
            return Ok(Some((Short::Epoch(begun.extract()?).into(), None)));
        }
        if let Ok(nanos) = begun.cast_exact::<PyFloat>() {
            return Ok(Some((Short::Started(instant(nanos.value())).into(), None)));
        }
        Ok(begun.cast_exact::<Self>().ok().map(|first| (first.get().core, Some(first.get()))))
    }

    /// Where it goes on in the child of a fork, it is counted there from here on.
    #[inline]
    fn go_on(&self) {
        // ORDERING: relaxed; only with the GIL held.
        if self.forks.load(Ordering::Relaxed) != fork::forks()
            && let Some(guard) = &self.guard
        {
            guard.inherited();
            self.forks.store(fork::forks(), Ordering::Relaxed);
        }
    }

    #[inline]
    fn end(&self) {
        // ORDERING: as above.
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Drop for First {
    /// Somebody interrupted the loop that had it: where a signal is handled, an exception can come between any two
    /// of its steps.
    fn drop(&mut self) {
        if !*self.over.get_mut()
            && *self.forks.get_mut() == fork::forks()
            && let Some(guard) = &self.guard
        {
            guard.adopt(self.core).cancelled();
        }
    }
}

/// An instant as a float, which is cheaper to make than an integer of its size. It is exact until a retry
/// is 104 days old, and to a few nanoseconds for years after.
#[expect(clippy::cast_precision_loss, reason = "so small a part of it")]
const fn nanos(instant: Instant) -> f64 {
    instant.as_nanos() as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was a u64")]
const fn instant(nanos: f64) -> Instant {
    Instant::from_nanos(nanos as u64)
}

/// Begins a call that waits here.
pub(crate) fn begin<'py>(
    py: Python<'py>,
    subject: &impl Subject,
    settings: &Py<Settings>,
) -> PyResult<Bound<'py, Call>> {
    refuse(py, subject, settings)?;
    Call::waiting(py, settings.clone_ref(py), Machine::begin(subject))
}

/// Begins a call that leaves the waiting to its caller: its first attempt, which may be made; or `None`, and
/// nothing is begun.
#[inline]
pub(crate) fn first<'py>(
    py: Python<'py>,
    subject: &impl Subject,
    settings: &Py<Settings>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    // What may have to be cut runs in a task of its own, and that needs the call.
    if !subject.is_bounded()
        && let Some(first) = attempt(subject, settings)
    {
        return shown(py, subject, first).map(Some);
    }
    refuse(py, subject, settings).map(|()| None)
}

/// Begins the same, to be resumed.
pub(crate) fn begin_async<'py>(
    py: Python<'py>,
    subject: &impl Subject,
    settings: &Py<Settings>,
) -> PyResult<Bound<'py, Call>> {
    let call = Call::new(py, settings.clone_ref(py), Machine::begin(subject), false)?;
    Bound::new(py, call)
}

/// Raises the rejection of a call that needs no machine to be rejected.
#[inline(never)]
pub(crate) fn refuse(py: Python<'_>, subject: &impl Subject, settings: &Py<Settings>) -> PyResult<()> {
    if !switch::is_disabled()
        && let Some(rejection) = behalf::within_current(py, || subject.refused())?
    {
        deliver(py)?;
        return Err(breaker_open(py, &rejection, &settings.get().breaker));
    }
    Ok(())
}

/// The first attempt, where nothing stands in its way.
#[inline]
pub(crate) fn attempt(subject: &impl Subject, settings: &Py<Settings>) -> Option<Core> {
    // What is traced is begun and ended by the call.
    if switch::is_disabled() || !settings.get().hooks.pass_values() || behalf::is_traced() {
        return None;
    }
    subject.first()
}

/// A first attempt as Python keeps it.
#[inline]
fn shown<'py>(py: Python<'py>, subject: &impl Subject, core: Core) -> PyResult<Bound<'py, PyAny>> {
    Ok(match subject.short(core) {
        Some(Short::Epoch(epoch)) => epoch.into_pyobject(py)?.into_any(),
        Some(Short::Started(started)) => PyFloat::new(py, nanos(started)).into_any(),
        None => {
            let (guard, over, forks) = (subject.counting(), AtomicBool::new(false), fork::forks().into());
            Bound::new(py, First { core, guard, over, forks })?.into_any()
        }
    })
}

/// Whether the attempt of what `first` gave, which has returned, is over with that: as a first attempt that
/// is a success. Where not, ask the call.
#[inline]
pub(crate) fn ended(py: Python<'_>, subject: &impl Subject, begun: &Bound<'_, PyAny>) -> PyResult<bool> {
    let Some((first, object)) = First::of(begun)? else { return Ok(false) };
    if let Some(object) = object {
        object.go_on();
    }
    if !succeeded(py, subject, first)? {
        return Ok(false);
    }
    if let Some(object) = object {
        object.end();
    }
    deliver(py).map(|()| true)
}

/// Records that a first attempt has succeeded; `false` where that needs the machine.
#[inline]
pub(crate) fn succeeded(py: Python<'_>, subject: &impl Subject, first: Core) -> PyResult<bool> {
    if behalf::is_known() { succeeded_for(py, subject, first) } else { Ok(subject.succeeded(first)) }
}

/// The same, on behalf of the running code where that may tell anything.
#[cold]
#[inline(never)]
fn succeeded_for(py: Python<'_>, subject: &impl Subject, first: Core) -> PyResult<bool> {
    let context = if subject.is_quiet(first) { None } else { behalf::current(py)? };
    Ok(behalf::within(context.as_ref(), || subject.succeeded(first)))
}

/// The call of what `first` gave, for its loop, whose keyword arguments may keep it.
pub(crate) fn full<'py>(
    subject: &impl Subject,
    settings: &Py<Settings>,
    begun: &Bound<'py, PyAny>,
    kwargs: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, Call>> {
    let py = begun.py();
    let Some((first, object)) = First::of(begun)? else { return Ok(begun.cast::<Call>()?.clone()) };
    let key = py.get_type::<Call>();
    let call = if let Some(lent) = kwargs.get_item(&key)? {
        kwargs.del_item(&key)?;
        let call = lent.cast_into::<Call>()?;
        call.get().take_back(py)?;
        call
    } else {
        if let Some(object) = object {
            object.go_on();
        }
        Bound::new(py, Call::new(py, settings.clone_ref(py), subject.adopt(first), false)?)?
    };
    if let Some(object) = object {
        object.end();
    }
    Ok(call)
}

/// The call of what `first` gave, for somebody else.
pub(crate) fn lend<'py>(
    subject: &impl Subject,
    settings: &Py<Settings>,
    begun: &Bound<'py, PyAny>,
    kwargs: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, Call>> {
    let py = begun.py();
    let Some((first, object)) = First::of(begun)? else { return Ok(begun.cast::<Call>()?.clone()) };
    let key = py.get_type::<Call>();
    if let Some(lent) = kwargs.get_item(&key)? {
        return Ok(lent.cast_into::<Call>()?);
    }
    if let Some(object) = object {
        object.go_on();
    }
    let call = Bound::new(py, Call::lent(settings.clone_ref(py), subject.adopt(first), false))?;
    kwargs.set_item(key, &call)?;
    Ok(call)
}
