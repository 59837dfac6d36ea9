//! The one place where decisions are told: to the queues of all who listen now, and to those who listen in the
//! thread that decides.
//!
//! INVARIANT: a queue's lock is taken last, and no foreign code runs under any lock.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicUsize, Ordering},
};

use super::{
    filter::About,
    place::{self, Ear},
    queue::Queue,
};
use crate::kernel::event::Event;

/// How many listen.
static LISTENERS: AtomicUsize = AtomicUsize::new(0);
static QUEUES: RwLock<Vec<Arc<Queue>>> = RwLock::new(Vec::new());

/// Whether anybody listens: all that a decision costs where nobody does.
#[inline]
pub(super) fn is_heard() -> bool {
    // ORDERING: relaxed; who begins to listen while a decision is being made may miss it.
    LISTENERS.load(Ordering::Relaxed) != 0
}

pub(super) fn enter(queue: Arc<Queue>) {
    QUEUES.write().unwrap_or_else(PoisonError::into_inner).push(queue);
    LISTENERS.fetch_add(1, Ordering::Relaxed);
}

pub(super) fn leave(queue: &Arc<Queue>) {
    let mut queues = QUEUES.write().unwrap_or_else(PoisonError::into_inner);
    let place = queues.iter().position(|other| Arc::ptr_eq(other, queue));
    let gone = place.map(|place| queues.swap_remove(place));
    drop(queues);
    if gone.is_some() {
        LISTENERS.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) fn enter_in_place(ear: Arc<Ear>) {
    place::enter(ear);
    LISTENERS.fetch_add(1, Ordering::Relaxed);
}

pub(super) fn leave_in_place(ear: &Arc<Ear>) {
    if place::leave(ear) {
        LISTENERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells of an event, and of whom it is, if anybody listens; only then is it made.
#[inline]
pub(crate) fn tell(event: impl FnOnce() -> (About, Event)) {
    if is_heard() {
        let (about, event) = event();
        spread(about, &event);
        told();
    }
}

/// After [`spread`], once no lock is held any more.
pub(super) fn told() {
    place::tell();
}

/// Puts an event into the queues of those who want it; [`told`] is to follow.
#[cold]
pub(super) fn spread(about: About, event: &Event) {
    let repeated = matches!(event, Event::Reject { nth, .. } if *nth > 1);
    let queues = QUEUES.read().unwrap_or_else(PoisonError::into_inner);
    for queue in queues.iter().filter(|queue| queue.filter.takes(about, repeated)) {
        queue.put(event.clone());
    }
    drop(queues);
    place::note(about, repeated, event);
}
