//! Exceptions as their class makes them, before any `__init__` runs.

#![expect(
    unsafe_code,
    reason = "a call of `__new__` as a method makes two more tuples, which is a tenth of a rejection"
)]

use std::{mem, ptr};

use pyo3::{
    exceptions::PyTypeError,
    ffi,
    prelude::*,
    types::{PyTuple, PyType},
};

/// What `class.__new__(class, *args)` makes.
pub(crate) fn unmade<'py>(
    class: &Bound<'py, PyType>,
    args: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    // SAFETY: the GIL is held, as `py` says; every class that can be called has this slot, and it has this signature.
    let new: Option<ffi::newfunc> =
        unsafe { mem::transmute(ffi::PyType_GetSlot(class.as_type_ptr(), ffi::Py_tp_new)) };
    let new = new.ok_or_else(|| PyTypeError::new_err("the class has no instances"))?;
    // SAFETY: it is called as `type.__call__` does; what comes back is a reference of our own, or null with an error.
    unsafe { Bound::from_owned_ptr_or_err(py, new(class.as_type_ptr(), args.as_ptr(), ptr::null_mut())) }
}
