//! Listeners in the thread that decides: who must know which code a decision was made in, as a log does that
//! writes into the span of the moment.
//!
//! A decision is noted for them while it is told, which may be below the lock that keeps changes of state in
//! order, and they run once that is released. What is decided while one runs, by itself or by what it calls,
//! waits until it has returned; so none runs inside another in one thread.
//!
//! INVARIANT: no lock is held while a listener runs or is dropped, and what it panics with goes no further.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use super::filter::{About, Filter};
use crate::kernel::event::Event;

/// How many there are.
static COUNT: AtomicUsize = AtomicUsize::new(0);
static EARS: RwLock<Vec<Arc<Ear>>> = RwLock::new(Vec::new());

thread_local! {
    /// What this thread has decided and not yet told.
    static NOTED: RefCell<VecDeque<(Arc<Ear>, Event)>> = const { RefCell::new(VecDeque::new()) };
    /// Whether it is telling.
    static TELLING: Cell<bool> = const { Cell::new(false) };
}

/// A listener, and what it wants to hear.
pub(super) struct Ear {
    pub(super) filter: Filter,
    listener: Box<dyn Fn(&Event) + Send + Sync>,
    panics: AtomicU64,
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ear").field("filter", &self.filter).finish_non_exhaustive()
    }
}

impl Ear {
    pub(super) fn new(filter: Filter, listener: impl Fn(&Event) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { filter, listener: Box::new(listener), panics: AtomicU64::new(0) })
    }

    pub(super) fn panics(&self) -> u64 {
        // ORDERING: relaxed; a counter that is only read.
        self.panics.load(Ordering::Relaxed)
    }
}

pub(super) fn enter(ear: Arc<Ear>) {
    EARS.write().unwrap_or_else(PoisonError::into_inner).push(ear);
    // ORDERING: relaxed, as its other accesses; who begins to listen while a decision is being made may miss it.
    COUNT.fetch_add(1, Ordering::Relaxed);
}

/// Whether it was there.
pub(super) fn leave(ear: &Arc<Ear>) -> bool {
    let mut ears = EARS.write().unwrap_or_else(PoisonError::into_inner);
    let place = ears.iter().position(|other| Arc::ptr_eq(other, ear));
    let gone = place.map(|place| ears.swap_remove(place));
    drop(ears);
    if gone.is_some() {
        COUNT.fetch_sub(1, Ordering::Relaxed);
    }
    gone.is_some()
}

/// Notes an event for those who want it; [`tell`] is to follow, without a lock.
pub(super) fn note(about: About, repeated: bool, event: &Event) {
    if COUNT.load(Ordering::Relaxed) == 0 {
        return;
    }
    let ears = EARS.read().unwrap_or_else(PoisonError::into_inner);
    let wanting = ears.iter().filter(|ear| ear.filter.takes(about, repeated));
    // A thread that is about to end tells nobody.
    let _ = NOTED.try_with(|noted| {
        noted.borrow_mut().extend(wanting.map(|ear| (Arc::clone(ear), event.clone())));
    });
}

/// Tells what this thread has noted, unless it is just telling.
pub(super) fn tell() {
    let _ = TELLING.try_with(|telling| {
        if telling.replace(true) {
            return;
        }
        while let Some((ear, event)) = NOTED.try_with(|noted| noted.borrow_mut().pop_front()).ok().flatten() {
            // What the listener left behind when it panicked is for the listener to make sense of.
            if catch_unwind(AssertUnwindSafe(|| (ear.listener)(&event))).is_err() {
                ear.panics.fetch_add(1, Ordering::Relaxed);
            }
            // The last one to hold it may be this thread, and foreign code is dropped with it.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(ear)));
        }
        telling.set(false);
    });
}
