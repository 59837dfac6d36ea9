//! How a call begins, and how a healthy one ends: what the loops in Python keep of a call, as long as
//! nothing is wrong, in the place of a [`Call`].
//!
//! ```text
//!  begin ─┬─▶ a first attempt ─┬─ ended ─▶ true: it is over
//!         │                    └─ full ──▶ Call
//!         └─▶ Call, where something stands in its way
//! ```
//!
//! A first attempt is a number where half of it says all: an epoch as an `int`, an instant as a `float`;
//! else a [`First`]. It is only given where its breaker is closed. To let go of it says nothing, which is
//! what a call means there that was cancelled before it began; a loop that ends otherwise asks for the call
//! first.
//!
//! Whoever wants to know of the attempt is lent its call. The loop's own dictionary of keyword arguments
//! keeps it, under the class `Call`, so that the loop finds it when it needs the call itself.
//!
//! INVARIANT: the attempt is recorded once: by `ended`, or by the call, but not while that is lent.

use overcurrent::{First as Core, Instant};
use pyo3::{
    prelude::*,
    types::{PyDict, PyFloat, PyInt},
};

use crate::{
    call::Call,
    error::breaker_open,
    events::deliver,
    hooks::Settings,
    machine::{Machine, Short, Subject},
    switch,
};

/// A first attempt.
#[pyclass(frozen, freelist = 64, module = "overcurrent._core")]
pub(crate) struct First {
    core: Core,
}

impl First {
    /// The first attempt that `begin` gave, if it did.
    #[inline]
    fn of(begun: &Bound<'_, PyAny>) -> PyResult<Option<Core>> {
        if begun.is_exact_instance_of::<PyInt>() {
            return Ok(Some(Short::Epoch(begun.extract()?).into()));
        }
        if let Ok(nanos) = begun.cast_exact::<PyFloat>() {
            return Ok(Some(Short::Started(instant(nanos.value())).into()));
        }
        Ok(begun.cast_exact::<Self>().ok().map(|first| first.get().core))
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

/// Begins a call that waits here: its first attempt, which may be made; or a call that has waited for its
/// first attempt.
#[inline]
pub(crate) fn begin<'py>(
    py: Python<'py>,
    subject: &impl Subject,
    settings: &Py<Settings>,
) -> PyResult<Bound<'py, PyAny>> {
    if let Some(first) = attempt(py, subject, settings)? {
        return Ok(first);
    }
    refuse(py, subject)?;
    Ok(Call::waiting(py, settings.clone_ref(py), Machine::begin(subject))?.into_any())
}

/// Begins a call that leaves the waiting to its caller: its first attempt, which may be made; or a call
/// that is to be resumed.
#[inline]
pub(crate) fn begin_async<'py>(
    py: Python<'py>,
    subject: &impl Subject,
    settings: &Py<Settings>,
) -> PyResult<Bound<'py, PyAny>> {
    // What may have to be cut runs in a task of its own, and that needs the call.
    if !subject.is_bounded()
        && let Some(first) = attempt(py, subject, settings)?
    {
        return Ok(first);
    }
    refuse(py, subject)?;
    Ok(Bound::new(py, Call::new(settings.clone_ref(py), Machine::begin(subject), false))?.into_any())
}

/// Raises the rejection of a call that needs no machine to be rejected.
fn refuse(py: Python<'_>, subject: &impl Subject) -> PyResult<()> {
    if !switch::is_disabled()
        && let Some(rejection) = subject.refused()
    {
        deliver(py)?;
        return Err(breaker_open(py, rejection));
    }
    Ok(())
}

/// The first attempt, where nothing stands in its way.
#[inline]
fn attempt<'py>(
    py: Python<'py>,
    subject: &impl Subject,
    settings: &Py<Settings>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    if switch::is_disabled() || !settings.get().hooks.pass_values() {
        return Ok(None);
    }
    let Some(core) = subject.first() else { return Ok(None) };
    Ok(Some(match subject.short(core) {
        Some(Short::Epoch(epoch)) => epoch.into_pyobject(py)?.into_any(),
        Some(Short::Started(started)) => PyFloat::new(py, nanos(started)).into_any(),
        None => Bound::new(py, First { core })?.into_any(),
    }))
}

/// Whether the attempt of what `begin` gave, which has returned, is over with that: as a first attempt that
/// is a success. Where not, ask the call.
#[inline]
pub(crate) fn ended(py: Python<'_>, subject: &impl Subject, begun: &Bound<'_, PyAny>) -> PyResult<bool> {
    match First::of(begun)? {
        Some(first) if subject.succeeded(first) => deliver(py).map(|()| true),
        _ => Ok(false),
    }
}

/// The call of what `begin` gave, for its loop, whose keyword arguments may keep it.
pub(crate) fn full<'py>(
    subject: &impl Subject,
    settings: &Py<Settings>,
    begun: &Bound<'py, PyAny>,
    kwargs: &Bound<'py, PyDict>,
    blocking: bool,
) -> PyResult<Bound<'py, Call>> {
    let py = begun.py();
    let Some(first) = First::of(begun)? else { return Ok(begun.cast::<Call>()?.clone()) };
    let key = py.get_type::<Call>();
    if let Some(lent) = kwargs.get_item(&key)? {
        kwargs.del_item(&key)?;
        let call = lent.cast_into::<Call>()?;
        call.get().take_back(blocking);
        return Ok(call);
    }
    Bound::new(py, Call::new(settings.clone_ref(py), subject.adopt(first), blocking))
}

/// The call of what `begin` gave, for somebody else.
pub(crate) fn lend<'py>(
    subject: &impl Subject,
    settings: &Py<Settings>,
    begun: &Bound<'py, PyAny>,
    kwargs: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, Call>> {
    let py = begun.py();
    let Some(first) = First::of(begun)? else { return Ok(begun.cast::<Call>()?.clone()) };
    let key = py.get_type::<Call>();
    if let Some(lent) = kwargs.get_item(&key)? {
        return Ok(lent.cast_into::<Call>()?);
    }
    let call = Bound::new(py, Call::lent(settings.clone_ref(py), subject.adopt(first)))?;
    kwargs.set_item(key, &call)?;
    Ok(call)
}
