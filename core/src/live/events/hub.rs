//! The one place where decisions are told: to the queues of all who listen now, and to those who listen in the
//! thread that decides.
//!
//! INVARIANT: a queue's lock is taken last, and no foreign code runs under any lock.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicUsize, Ordering},
};

use super::{
    filter::{About, Filter},
    place::{self, Ear},
    queue::Queue,
};
use crate::kernel::event::Event;

static LISTENERS: Listeners = Listeners::none();
static QUEUES: RwLock<Vec<Arc<Queue>>> = RwLock::new(Vec::new());

/// How many listen, and how many of them to rejections that are not the first ones.
struct Listeners {
    all: AtomicUsize,
    to_repeated: AtomicUsize,
}

// ORDERING: relaxed, both; who begins to listen while a decision is being made may miss it.
impl Listeners {
    const fn none() -> Self {
        Self { all: AtomicUsize::new(0), to_repeated: AtomicUsize::new(0) }
    }

    fn enter(&self, filter: Filter) {
        self.to_repeated.fetch_add(usize::from(filter.takes_repeated()), Ordering::Relaxed);
        self.all.fetch_add(1, Ordering::Relaxed);
    }

    fn leave(&self, filter: Filter) {
        self.all.fetch_sub(1, Ordering::Relaxed);
        self.to_repeated.fetch_sub(usize::from(filter.takes_repeated()), Ordering::Relaxed);
    }

    #[inline]
    fn any(&self) -> bool {
        self.all.load(Ordering::Relaxed) != 0
    }

    /// Whether any may want the rejection of this number. Which breakers they listen to is not looked at.
    fn any_to(&self, nth: u64) -> bool {
        !is_repeated(nth) || self.to_repeated.load(Ordering::Relaxed) != 0
    }
}

/// Whether a rejection is not the first one since the last change of state.
const fn is_repeated(nth: u64) -> bool {
    nth > 1
}

/// Whether anybody listens: all that a decision costs where nobody does.
#[inline]
pub(super) fn is_heard() -> bool {
    LISTENERS.any()
}

pub(super) fn enter(queue: Arc<Queue>) {
    let filter = queue.filter;
    QUEUES.write().unwrap_or_else(PoisonError::into_inner).push(queue);
    LISTENERS.enter(filter);
}

pub(super) fn leave(queue: &Arc<Queue>) {
    let mut queues = QUEUES.write().unwrap_or_else(PoisonError::into_inner);
    let place = queues.iter().position(|other| Arc::ptr_eq(other, queue));
    let gone = place.map(|place| queues.swap_remove(place));
    drop(queues);
    if gone.is_some() {
        LISTENERS.leave(queue.filter);
    }
}

pub(super) fn enter_in_place(ear: Arc<Ear>) {
    let filter = ear.filter;
    place::enter(ear);
    LISTENERS.enter(filter);
}

pub(super) fn leave_in_place(ear: &Arc<Ear>) {
    if place::leave(ear) {
        LISTENERS.leave(ear.filter);
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

/// Tells of a rejection: only where anybody listens is it counted, by `nth`, and only where somebody may want that one is
/// the event made.
#[inline]
pub(crate) fn tell_rejection(nth: impl FnOnce() -> u64, event: impl FnOnce(u64) -> (About, Event)) {
    if is_heard() {
        let nth = nth();
        if LISTENERS.any_to(nth) {
            let (about, event) = event(nth);
            spread(about, &event);
            told();
        }
    }
}

/// After [`spread`], once no lock is held any more.
pub(super) fn told() {
    place::tell();
}

/// Puts an event into the queues of those who want it; [`told`] is to follow.
#[cold]
pub(super) fn spread(about: About, event: &Event) {
    let repeated = matches!(event, Event::Reject { nth, .. } if is_repeated(*nth));
    let queues = QUEUES.read().unwrap_or_else(PoisonError::into_inner);
    for queue in queues.iter().filter(|queue| queue.filter.takes(about, repeated)) {
        queue.put(event.clone());
    }
    drop(queues);
    place::note(about, repeated, event);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_that_is_not_the_first_is_for_who_wants_each() {
        let (each, first) = (Filter::everything(), Filter::everything().first_rejections());
        let listeners = Listeners::none();
        let heard = || (listeners.any(), listeners.any_to(1), listeners.any_to(2));
        listeners.enter(first);
        assert_eq!(heard(), (true, true, false));
        listeners.enter(each);
        listeners.enter(each);
        listeners.leave(each);
        assert_eq!(heard(), (true, true, true));
        listeners.leave(each);
        assert_eq!(heard(), (true, true, false));
        listeners.leave(first);
        assert!(!listeners.any());
    }
}
