//! Calls of Python code from which a thread may not come back.
//!
//! While an interpreter ends, a daemon thread that asks for the GIL is taken away: before Python 3.14 by
//! `pthread_exit`, which with glibc unwinds its stack. Rust frames do not stand that: what they hold would be dropped
//! without the GIL, and the process ends by `abort`. So such a thread stays where it is, for the little that is left
//! of the process, as it does from 3.14 on.
//!
//! INVARIANT: whatever runs code of users, or waits, is called from here.

#![expect(unsafe_code, reason = "pyo3 declares its calls as ones that never unwind")]

use std::{mem, ptr, thread};

use pyo3::{
    ffi,
    prelude::*,
    types::{PyDict, PyTuple},
};

type Callee =
    unsafe extern "C" fn(*mut ffi::PyObject, *mut ffi::PyObject, *mut ffi::PyObject) -> *mut ffi::PyObject;
type Unwinding = unsafe extern "C-unwind" fn(
    *mut ffi::PyObject,
    *mut ffi::PyObject,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;

static CALL: Callee = ffi::PyObject_Call;

/// Keeps a thread that is taken away.
struct Stay;

impl Drop for Stay {
    fn drop(&mut self) {
        loop {
            thread::park();
        }
    }
}

/// `callable(*args, **kwargs)`
#[inline]
pub(crate) fn call<'py>(
    callable: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let kwargs = kwargs.map_or(ptr::null_mut(), Bound::as_ptr);
    // SAFETY: it is a pointer to a static. It is read so that nobody concludes from the declaration that it never unwinds.
    let call = unsafe { ptr::read_volatile(&raw const CALL) };
    // SAFETY: the two types differ in nothing but whether it may unwind.
    let call = unsafe { mem::transmute::<Callee, Unwinding>(call) };
    let stay = Stay;
    // SAFETY: the GIL is held, as `'py` says; the arguments are a tuple, and a dictionary or null.
    let result = unsafe { call(callable.as_ptr(), args.as_ptr(), kwargs) };
    mem::forget(stay);
    // SAFETY: what comes back is a reference of our own, or null with an error.
    unsafe { Bound::from_owned_ptr_or_err(callable.py(), result) }
}

/// `callable(*args)`
#[inline]
pub(crate) fn call1<'py, A>(callable: &Bound<'py, PyAny>, args: A) -> PyResult<Bound<'py, PyAny>>
where
    A: IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error: Into<PyErr>>,
{
    let args = args.into_pyobject(callable.py()).map_err(Into::into)?;
    call(callable, &args, None)
}

/// `object.name(*args)`
pub(crate) fn method<'py, A>(object: &Bound<'py, PyAny>, name: &str, args: A) -> PyResult<Bound<'py, PyAny>>
where
    A: IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error: Into<PyErr>>,
{
    call1(&object.getattr(name)?, args)
}
