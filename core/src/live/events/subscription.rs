//! What a listener holds.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

use super::{filter::Filter, hub, place::Ear, queue::Queue};
use crate::kernel::event::Event;

/// Listens until the subscription is dropped: events wait in a queue of at most `capacity`. When that is
/// full, each event that arrives takes the place of the oldest one, which is counted.
pub fn subscribe(filter: impl Into<Filter>, capacity: usize) -> Subscription {
    let queue = Arc::new(Queue::new(filter.into(), capacity));
    hub::enter(Arc::clone(&queue));
    Subscription { queue }
}

/// Listens until what comes back is dropped: calls `listener` with each event, in a thread of its own. So a
/// slow one delays nobody (what does not fit into a queue of `capacity` is forgotten and counted), and a
/// panic in it costs one event.
///
/// ```
/// use overcurrent::{Breaker, BreakerPolicy, subscribe_with};
/// use std::sync::mpsc;
///
/// let (sender, names) = mpsc::channel();
/// let breaker = Breaker::new("payments", BreakerPolicy::consecutive_failures(1).build()?);
/// let listening = subscribe_with(&breaker, 100, move |event| drop(sender.send(event.name())))?;
/// breaker.acquire().unwrap().failure();
/// listening.finish();
/// assert_eq!(names.iter().collect::<Vec<_>>(), ["state_change"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The operating system's, where it has no thread to give.
pub fn subscribe_with(
    filter: impl Into<Filter>,
    capacity: usize,
    mut listener: impl FnMut(Event) + Send + 'static,
) -> io::Result<Listening> {
    let subscription = subscribe(filter, capacity);
    let panics = Arc::new(AtomicU64::new(0));
    let (queue, panicked) = (Arc::clone(&subscription.queue), Arc::clone(&panics));
    let thread = Builder::new().name("overcurrent events".into()).spawn(move || {
        while let Some(event) = queue.await_next(None) {
            // What the listener left behind when it panicked is for the listener to make sense of.
            if catch_unwind(AssertUnwindSafe(|| listener(event))).is_err() {
                panicked.fetch_add(1, Ordering::Relaxed);
            }
        }
    })?;
    Ok(Listening { subscription, panics, thread: Some(thread) })
}

/// Listens until what comes back is dropped: calls `listener` with each event in the thread that decided,
/// right after the decision and before the call goes on. For what belongs where the decision was made, as a
/// line of a log belongs into the span of the moment; everyone else does better with [`subscribe`].
///
/// Its time is the caller's. A panic in it goes no further, and is counted. What is decided while it runs, also
/// by itself, is told once it has returned; so one that fails a call on each failure that it hears of has no
/// end. It must not wait for a lock that its program holds while it makes calls or drops permits.
///
/// ```
/// use overcurrent::{Breaker, BreakerPolicy, subscribe_in_place};
/// use std::{sync::mpsc, thread};
///
/// let (sender, heard) = mpsc::channel();
/// let breaker = Breaker::new("payments", BreakerPolicy::consecutive_failures(1).build()?);
/// let listening = subscribe_in_place(&breaker, move |event| {
///     drop(sender.send((event.name(), thread::current().id())));
/// });
/// breaker.acquire().unwrap().failure();
/// assert_eq!(heard.recv()?, ("state_change", thread::current().id()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn subscribe_in_place(
    filter: impl Into<Filter>,
    listener: impl Fn(&Event) + Send + Sync + 'static,
) -> InPlace {
    let ear = Ear::new(filter.into(), listener);
    hub::enter_in_place(Arc::clone(&ear));
    InPlace { ear }
}

/// A listener in the threads that decide. Dropping it ends it; in other threads it may still be running.
#[must_use = "dropping it ends it"]
#[derive(Debug)]
pub struct InPlace {
    ear: Arc<Ear>,
}

impl InPlace {
    /// How often the listener panicked.
    pub fn panics(&self) -> u64 {
        self.ear.panics()
    }
}

impl Drop for InPlace {
    fn drop(&mut self) {
        hub::leave_in_place(&self.ear);
    }
}

/// A bounded queue of events; dropping it ends it.
#[must_use = "dropping a subscription ends it"]
#[derive(Debug)]
pub struct Subscription {
    queue: Arc<Queue>,
}

impl Subscription {
    /// Has `mark` set, too, whenever an event arrives: for a runtime that looks for events at moments of its
    /// own. To be asked before anything is expected.
    pub fn marking(self, mark: &'static AtomicBool) -> Self {
        self.queue.mark(mark);
        self
    }

    /// The oldest event that waits.
    pub fn try_next(&self) -> Option<Event> {
        self.queue.take()
    }

    /// All events that wait, the oldest first.
    pub fn drain(&self) -> impl Iterator<Item = Event> + use<> {
        self.queue.take_all().into_iter()
    }

    /// The oldest event; waits for one, at most `timeout`.
    pub fn next_timeout(&self, timeout: Duration) -> Option<Event> {
        self.queue.await_next(Some(timeout))
    }

    /// How many events made room for others before they were taken.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        hub::leave(&self.queue);
        self.queue.close();
    }
}

/// A listener with a thread of its own. Dropping it ends it: what was told before is still heard.
#[must_use = "dropping it ends it"]
#[derive(Debug)]
pub struct Listening {
    subscription: Subscription,
    panics: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    /// How many events made room for others before they were heard.
    pub fn dropped(&self) -> u64 {
        self.subscription.dropped()
    }

    /// How often the listener panicked.
    pub fn panics(&self) -> u64 {
        // ORDERING: relaxed; a counter that is only read.
        self.panics.load(Ordering::Relaxed)
    }

    /// Ends it and waits until all that was told before has been heard. Not for the listener itself.
    pub fn finish(mut self) {
        let thread = self.thread.take();
        drop(self);
        if let Some(thread) = thread {
            // It catches every panic of the listener.
            let _ = thread.join();
        }
    }
}
