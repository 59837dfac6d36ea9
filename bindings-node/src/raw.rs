//! Bare Node-API: the hot functions, and the cells as memory of JavaScript's.
//!
//! A hot function takes up to six numbers and gives one. It is registered as a bare callback, a third
//! of the cost of a derived one; its data pointer leads to a row of [`HOT`], which is static, so no
//! function outlives what it points to.
#![expect(unsafe_code, reason = "the one place that speaks Node-API without the safe layer")]

use std::{
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::Arc,
};

use napi::{
    Env,
    bindgen_prelude::{JsObjectValue, Object, Unknown},
};
use napi_derive::napi;
use napi_sys as sys;
use overcurrent::{Breaker, Budget, CallLane, Guard};

use crate::{
    breaker, budget, call, clock, events,
    registry::Keyed,
    retry,
    slab::{Gone, with},
    trace,
};

/// The arguments of a hot function; one that was not given is no number.
pub(crate) type Args = [f64; 6];

struct Hot {
    name: &'static str,
    run: fn(Args) -> Result<f64, Gone>,
    /// Whether it makes a decision that is told of, so on somebody's behalf.
    decides: bool,
}

impl Hot {
    const fn plain(name: &'static str, run: fn(Args) -> Result<f64, Gone>) -> Self {
        Self { name, run, decides: false }
    }

    const fn deciding(name: &'static str, run: fn(Args) -> Result<f64, Gone>) -> Self {
        Self { name, run, decides: true }
    }

    fn outcome(&self, numbers: Args) -> Result<f64, Gone> {
        if self.decides { trace::on_behalf(|| (self.run)(numbers)) } else { (self.run)(numbers) }
    }
}

static HOT: [Hot; 19] = [
    Hot::plain("heard", events::heard),
    Hot::plain("told", trace::told),
    Hot::plain("behalf", trace::behalf),
    Hot::plain("anchor", clock::anchor),
    Hot::plain("enter", call::enter),
    Hot::plain("deposit", budget::deposit),
    Hot::deciding("record", call::record),
    Hot::deciding("begin", call::begin),
    Hot::plain("adopt", call::adopt),
    Hot::deciding("next", call::next),
    Hot::deciding("settled", call::settled),
    Hot::deciding("cut", call::cut),
    Hot::deciding("cancelled", call::cancelled),
    Hot::plain("release", call::release),
    Hot::plain("sleep", call::sleep),
    Hot::plain("payload", call::payload),
    Hot::plain("series", retry::series),
    Hot::deciding("acquire", breaker::acquire),
    Hot::deciding("settle", breaker::settle),
];

#[napi(module_exports)]
pub(crate) fn register(mut exports: Object<'_>, env: Env) -> napi::Result<()> {
    for hot in &HOT {
        let function = function(env, hot.name, invoke, ptr::from_ref(hot).cast_mut().cast())?;
        exports.set_named_property(hot.name, function)?;
    }
    let refusal = function(env, "refusal", refusal, ptr::null_mut())?;
    exports.set_named_property("refusal", refusal)?;
    let words = function(env, "words", words, ptr::null_mut())?;
    exports.set_named_property("words", words)
}

fn function(
    env: Env,
    name: &str,
    callback: unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value,
    data: *mut c_void,
) -> napi::Result<Unknown<'static>> {
    let mut function = ptr::null_mut();
    // SAFETY: `env` is the one that registers this module, the name lives through the call, and the
    // callback takes `data` for what it is.
    let status = unsafe {
        let length = name.len().cast_signed();
        sys::napi_create_function(
            env.raw(),
            name.as_ptr().cast(),
            length,
            Some(callback),
            data,
            &raw mut function,
        )
    };
    if status != sys::Status::napi_ok {
        return Err(napi::Error::new(napi::Status::from(status), "a function was refused"));
    }
    // SAFETY: the value was made just now in this `env`.
    Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), function) })
}

/// The arguments and the data of a callback.
///
/// # Safety
/// `env` and `info` are those of the running callback.
unsafe fn arguments(env: sys::napi_env, info: sys::napi_callback_info) -> (Args, *mut c_void) {
    let mut raw = [ptr::null_mut(); 6];
    let (mut count, mut data) = (raw.len(), ptr::null_mut());
    // SAFETY: as the caller says; the arrays are as long as `count`, and what is not given reads as
    // undefined.
    unsafe {
        sys::napi_get_cb_info(env, info, &raw mut count, raw.as_mut_ptr(), ptr::null_mut(), &raw mut data);
    }
    let mut numbers = [f64::NAN; 6];
    for (number, raw) in numbers.iter_mut().zip(&raw[..count.min(6)]) {
        // SAFETY: a value of the running callback. What is no number is refused and stays NaN.
        unsafe { sys::napi_get_value_double(env, *raw, number) };
    }
    (numbers, data)
}

/// # Safety
/// For Node-API only, with a row of [`HOT`] as the function's data.
unsafe extern "C" fn invoke(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: they are those of this callback.
    let (numbers, data) = unsafe { arguments(env, info) };
    // SAFETY: the function was made with a row of `HOT` as its data, which is static.
    let hot = unsafe { &*data.cast::<Hot>() };
    let mut answer = ptr::null_mut();
    if let Some(number) = outcome(env, || hot.outcome(numbers)) {
        // SAFETY: `env` is the one of this callback.
        unsafe { sys::napi_create_double(env, number, &raw mut answer) };
    }
    answer
}

/// `refusal()`: the message of the rejection answered last.
///
/// # Safety
/// For Node-API only.
unsafe extern "C" fn refusal(env: sys::napi_env, _: sys::napi_callback_info) -> sys::napi_value {
    let mut answer = ptr::null_mut();
    let write = |text: &str| {
        let length = text.len().cast_signed();
        // SAFETY: `env` is the one of this callback; the text lives through the call.
        unsafe { sys::napi_create_string_utf8(env, text.as_ptr().cast(), length, &raw mut answer) };
    };
    outcome(env, || call::refusal(write));
    answer
}

/// What the work of the callback that runs in `env` came to; none where it throws into JavaScript.
fn outcome<T>(env: sys::napi_env, work: impl FnOnce() -> Result<T, Gone>) -> Option<T> {
    // A panic must not unwind into JavaScript's frames.
    let text = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => return Some(done),
        Ok(Err(Gone)) => c"the native object is gone",
        Err(_) => c"the native code panicked",
    };
    // SAFETY: `env` is the one of the running callback; the text ends with a zero.
    unsafe { sys::napi_throw_error(env, ptr::null(), text.as_ptr()) };
    None
}

/// `words(handle)`: the words of a breaker or a budget, or a lane of a guard, as an `ArrayBuffer` over the same memory;
/// undefined where the runtime refuses that, or where a registry may forget them. The buffer keeps the words alive.
///
/// # Safety
/// For Node-API only.
unsafe extern "C" fn words(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: they are those of this callback.
    let ([handle, ..], _) = unsafe { arguments(env, info) };
    if with(handle, |_: &mut Keyed| ()).is_ok() {
        return ptr::null_mut();
    }
    let guard = with(handle, |guard: &mut Arc<Guard>| Arc::new(CallLane::of(guard)));
    let breaker = with(handle, |breaker: &mut Arc<Breaker>| Arc::clone(breaker));
    let budget = with(handle, |budget: &mut Arc<Budget>| Arc::clone(budget));
    match (guard, breaker, budget) {
        (Ok(lane), ..) => {
            let words = lane.words();
            let (start, length) = (words.as_ptr().cast_mut().cast(), size_of_val(words));
            // SAFETY: the words do not move while their guard lives, which the owner holds.
            unsafe { external(env, start, length, lane) }
        }
        (_, Ok(breaker), _) => {
            let words = breaker.cells().words();
            let (start, length) = (words.as_ptr().cast_mut().cast(), size_of_val(words));
            // SAFETY: the words do not move while their breaker lives, and it is the owner.
            unsafe { external(env, start, length, breaker) }
        }
        (.., Ok(budget)) => {
            let cells = budget.cells();
            let (start, length) = (ptr::from_ref(cells).cast_mut().cast(), size_of_val(cells));
            // SAFETY: the words do not move while their budget lives, and it is the owner.
            unsafe { external(env, start, length, budget) }
        }
        _ => ptr::null_mut(),
    }
}

/// An `ArrayBuffer` over memory that `owner` keeps alive.
///
/// # Safety
/// The memory is valid and does not move as long as `owner` lives. It holds atomics, which JavaScript
/// reads and writes in lanes of 32 bits, or in lanes of 64 as doubles.
unsafe fn external<T>(
    env: sys::napi_env,
    start: *mut c_void,
    length: usize,
    owner: Arc<T>,
) -> sys::napi_value {
    /// # Safety
    /// For Node-API only, once, with the owner as the hint.
    unsafe extern "C" fn finalize<T>(_: sys::napi_env, _: *mut c_void, owner: *mut c_void) {
        // SAFETY: it came from `Arc::into_raw` below.
        drop(unsafe { Arc::from_raw(owner.cast_const().cast::<T>()) });
    }
    // On a big-endian machine the lanes of a word lie the other way round.
    if cfg!(target_endian = "big") {
        return ptr::null_mut();
    }
    let owner = Arc::into_raw(owner).cast_mut().cast::<c_void>();
    let mut buffer = ptr::null_mut();
    // SAFETY: the memory outlives the buffer, as the caller says and the finalizer sees to.
    let status = unsafe {
        sys::napi_create_external_arraybuffer(env, start, length, Some(finalize::<T>), owner, &raw mut buffer)
    };
    if status == sys::Status::napi_ok {
        return buffer;
    }
    // Whether another failure comes before or after the finalizer is taken in charge is not said; the
    // owner is given up then rather than freed twice.
    if status == sys::Status::napi_no_external_buffers_allowed {
        // SAFETY: a buffer that is not allowed never runs its finalizer.
        unsafe { finalize::<T>(env, start, owner) };
    }
    ptr::null_mut()
}
