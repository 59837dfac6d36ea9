//! The events that wait for one listener.
//!
//! INVARIANT: never more than `capacity` wait; the oldest make room, and are counted. Nothing but plain data
//! is moved, made or dropped while the queue is locked.

use std::{
    collections::VecDeque,
    sync::{
        Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::filter::Filter;
use crate::kernel::event::Event;

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) filter: Filter,
    capacity: usize,
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    dropped: AtomicU64,
    mark: OnceLock<&'static AtomicBool>,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Event>,
    /// How many threads wait for one; to wake nobody would still be a system call.
    sleepers: u32,
    closed: bool,
}

impl Queue {
    pub(super) fn new(filter: Filter, capacity: usize) -> Self {
        Self {
            filter,
            capacity,
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            dropped: AtomicU64::new(0),
            mark: OnceLock::new(),
        }
    }

    // Nothing panics under the lock.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, event: Event) {
        let mut waiting = self.waiting();
        let full = waiting.events.len() >= self.capacity;
        let gone = if full { waiting.events.pop_front() } else { None };
        if self.capacity > 0 {
            waiting.events.push_back(event);
        }
        let awaited = waiting.sleepers > 0;
        drop(waiting);
        drop(gone);
        if full {
            // ORDERING: relaxed; a counter that is only read.
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        if awaited {
            self.arrived.notify_one();
        }
        if let Some(mark) = self.mark.get() {
            // ORDERING: release pairs with the acquire of who finds the mark set, so that the event is
            // there for him.
            mark.store(true, Ordering::Release);
        }
    }

    /// Has `mark` set with each arrival.
    pub(super) fn mark(&self, mark: &'static AtomicBool) {
        // Asked for once, by who makes the subscription.
        let _ = self.mark.set(mark);
    }

    pub(super) fn take(&self) -> Option<Event> {
        self.waiting().events.pop_front()
    }

    pub(super) fn take_all(&self) -> VecDeque<Event> {
        std::mem::take(&mut self.waiting().events)
    }

    /// The next event; waits for it until `deadline`, or without end. `None` where time is up, or where the
    /// queue is closed and empty.
    pub(super) fn await_next(&self, timeout: Option<Duration>) -> Option<Event> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut waiting = self.waiting();
        loop {
            if let Some(event) = waiting.events.pop_front() {
                return Some(event);
            }
            if waiting.closed {
                return None;
            }
            waiting.sleepers += 1;
            waiting = match deadline {
                None => self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        waiting.sleepers -= 1;
                        return None;
                    }
                    self.arrived.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            waiting.sleepers -= 1;
        }
    }

    /// What waits is still given out; who waits for more is let go.
    pub(super) fn close(&self) {
        self.waiting().closed = true;
        self.arrived.notify_all();
    }

    pub(super) fn dropped(&self) -> u64 {
        // ORDERING: relaxed; a counter that is only read.
        self.dropped.load(Ordering::Relaxed)
    }
}
