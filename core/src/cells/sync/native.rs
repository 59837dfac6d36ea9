//! The standard library's.

pub(crate) use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};
use std::{cell::Cell, sync::atomic::AtomicUsize};

/// A number of this thread's own, small and the same for as long as it lives.
#[inline]
pub(crate) fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    }
    NUMBER.get().unwrap_or_else(|| {
        // ORDERING: relaxed; threads need different numbers and nothing else.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        NUMBER.set(Some(number));
        number
    })
}
