//! On whose behalf the running code makes its calls: the context that the thread is in at the moment.
//!
//! It is looked at when an event is made, in the thread that decided, and nowhere else; so it costs nothing
//! where nobody listens.
//!
//! INVARIANT: what a scope finds, it leaves behind, also when its code panics; a future brings its context
//! along for as long as it is polled, or dropped, and no longer.

use std::{
    cell::RefCell,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use super::stream::from_system;
use crate::kernel::{
    caller::Caller,
    name::Name,
    trace::{SpanId, TraceContext},
};

thread_local! {
    static CURRENT: RefCell<Option<TraceContext>> = const { RefCell::new(None) };
}

/// Changes the thread's context for another one. Nothing, in a thread that is about to end.
fn swap(context: &mut Option<TraceContext>) {
    let _ = CURRENT.try_with(|current| mem::swap(&mut *current.borrow_mut(), context));
}

/// While it lives, the thread's context is what was there, and the other way round.
struct Entered<'c>(&'c mut Option<TraceContext>);

impl<'c> Entered<'c> {
    fn enter(context: &'c mut Option<TraceContext>) -> Self {
        swap(context);
        Self(context)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        swap(self.0);
    }
}

/// The caller of what is decided now, in this thread.
pub(crate) fn caller(guard: Option<&Name>, attempt: Option<u32>) -> Caller {
    let in_context = |context: Option<&TraceContext>| Caller::new(guard, attempt, context);
    let caller = CURRENT.try_with(|current| in_context(current.borrow().as_ref()));
    let caller = caller.unwrap_or_else(|_| in_context(None));
    #[cfg(feature = "opentelemetry")]
    if let Some(span) = super::spans::current() {
        return Caller { trace_id: span.trace_id(), span_id: span.span_id(), ..caller };
    }
    caller
}

impl TraceContext {
    /// The context on whose behalf this thread makes calls at the moment; `None` outside every scope.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
    }

    /// Runs `f` on behalf of this context: the events of the calls that it makes in this thread carry its
    /// identifiers. For asynchronous code there is [`Self::in_scope`].
    ///
    /// ```
    /// use overcurrent::{Guard, TraceContext, subscribe};
    ///
    /// let guard = Guard::builder("payments").no_retry().build()?;
    /// let events = subscribe(&guard, 100);
    /// let context = TraceContext::default().with_correlation_id("order-7")?;
    /// let _ = context.scope(|| guard.call(|_| Err::<(), _>("down")));
    ///
    /// let event = events.try_next().unwrap();
    /// let caller = event.caller().unwrap();
    /// assert_eq!(caller.correlation_id.as_deref(), Some("order-7"));
    /// # Ok::<(), overcurrent::InvalidPolicy>(())
    /// ```
    pub fn scope<R>(&self, f: impl FnOnce() -> R) -> R {
        let mut context = Some(self.clone());
        let _entered = Entered::enter(&mut context);
        f()
    }

    /// The future that does what `future` does, on behalf of this context, on whatever threads it is polled.
    /// What it hands to other tasks needs a scope of its own.
    pub fn in_scope<F: Future>(self, future: F) -> InScope<F> {
        InScope { context: Some(self), future: Some(future) }
    }

    /// A new trace, of random bytes of the operating system; *sampled*, see [`Self::root`].
    pub fn begin() -> Self {
        Self::root(random())
    }

    /// The same where it has a trace; else with a new one, as [`Self::begin`] makes it. For another one there is
    /// [`Self::or_else`].
    #[must_use]
    pub fn or_begin(self) -> Self {
        self.or_else(Self::begin)
    }

    /// The same trace, as seen from a new span of it, which has a random identifier.
    #[must_use]
    pub fn next_span(&self) -> Self {
        // Zero comes up once in 2^64 times, and is no identifier.
        SpanId::from_bytes(from_system().to_be_bytes()).map_or_else(|| self.clone(), |span| self.child(span))
    }
}

fn random() -> [u8; 24] {
    let mut bytes = [0; 24];
    for place in bytes.chunks_exact_mut(8) {
        place.copy_from_slice(&from_system().to_be_bytes());
    }
    bytes
}

pin_project! {
    /// A future on behalf of a context; made by [`TraceContext::in_scope`].
    #[must_use = "futures do nothing unless they are polled"]
    #[derive(Debug)]
    pub struct InScope<F> {
        context: Option<TraceContext>,
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for InScope<F> {
        fn drop(this: Pin<&mut Self>) {
            this.end();
        }
    }
}

impl<F> InScope<F> {
    /// Drops the future in its context: a call that it had under way is cancelled by that.
    fn end(self: Pin<&mut Self>) {
        let mut this = self.project();
        let _entered = Entered::enter(this.context);
        this.future.set(None);
    }
}

impl<F: Future> Future for InScope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = Entered::enter(this.context);
        // It is there until this is dropped.
        this.future.as_pin_mut().map_or(Poll::Pending, |future| future.poll(cx))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        task::Waker,
    };

    use super::*;

    fn of(id: &str) -> TraceContext {
        TraceContext::default().with_correlation_id(id).expect("it is one")
    }

    fn here() -> Option<String> {
        caller(None, None).correlation_id.map(String::from)
    }

    #[test]
    fn a_scope_leaves_behind_what_it_found() {
        assert_eq!((here(), TraceContext::current()), (None, None));
        of("outer").scope(|| {
            assert_eq!(TraceContext::current(), Some(of("outer")));
            of("inner").scope(|| assert_eq!(here().as_deref(), Some("inner")));
            let panicked = catch_unwind(AssertUnwindSafe(|| of("inner").scope(|| panic!("in it"))));
            assert!(panicked.is_err());
            assert_eq!(here().as_deref(), Some("outer"));
            TraceContext::default().scope(|| assert_eq!(here(), None));
        });
        assert_eq!(here(), None);
    }

    /// Notes where it is dropped.
    struct Dropped<'n>(&'n RefCell<Vec<Option<String>>>);

    impl Drop for Dropped<'_> {
        fn drop(&mut self) {
            self.0.borrow_mut().push(here());
        }
    }

    #[test]
    fn a_future_is_polled_and_dropped_in_its_context_and_only_it() {
        let seen = RefCell::new(Vec::new());
        let mut cx = Context::from_waker(Waker::noop());
        let polls = |kept: bool| {
            let (seen, mut polled) = (&seen, 0);
            let dropped = Dropped(seen);
            of("its-own").in_scope(std::future::poll_fn(move |_| {
                let _kept = &dropped;
                polled += 1;
                seen.borrow_mut().push(here());
                if polled == 2 && !kept { Poll::Ready(()) } else { Poll::Pending }
            }))
        };
        let its = || Some("its-own".to_owned());

        let mut future = Box::pin(polls(false));
        of("outer").scope(|| {
            assert!(future.as_mut().poll(&mut cx).is_pending());
            assert_eq!(here().as_deref(), Some("outer"));
        });
        assert!(future.as_mut().poll(&mut cx).is_ready());
        drop(future);
        assert_eq!(seen.take(), [its(), its(), its()]);

        let mut future = Box::pin(polls(true));
        assert!(future.as_mut().poll(&mut cx).is_pending());
        drop(future);
        assert_eq!(seen.take(), [its(), its()]);
        assert_eq!(here(), None);
    }

    #[test]
    fn what_is_begun_is_random() {
        let (one, other) = (TraceContext::begin(), TraceContext::begin());
        assert!(
            one.is_random()
                && one.is_sampled()
                && one.trace_id().is_some()
                && one.trace_id() != other.trace_id()
        );
        assert_ne!(one.span_id(), other.span_id());
        let next = one.next_span();
        assert!(next.trace_id() == one.trace_id() && next.span_id() != one.span_id());
        assert_eq!(one.clone().or_begin(), one);
        let rooted = of("order-7").or_begin();
        assert!(rooted.trace_id().is_some() && rooted.correlation_id() == of("order-7").correlation_id());
    }
}
