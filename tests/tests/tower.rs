//! The layers for tower: what readiness says, whose a permit is, what is sent again. On tokio's paused time
//! or by polling by hand; the breakers' clock is moved by hand.

#[path = "tower/breaker.rs"]
mod breaker;
#[path = "tower/guard.rs"]
mod guard;
#[path = "tower/http.rs"]
mod http;

use std::{
    future::Future,
    io,
    marker::PhantomData,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
};

use tower::Service;

/// What `future` gives if it is there at once.
fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// What a service says of its readiness at once; `None` while it is pending.
fn readiness<S: Service<R>, R>(service: &mut S) -> Option<Result<(), S::Error>> {
    match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(ready) => Some(ready),
        Poll::Pending => None,
    }
}

/// A service whose readiness and answers are said from outside. Clones share what is said and counted.
#[derive(Debug)]
struct Inner<R = u8> {
    said: Arc<Said>,
    /// Whether this very instance has said that it is ready, as `call` requires.
    is_ready: bool,
    request: PhantomData<fn(R) -> R>,
}

impl<R> Clone for Inner<R> {
    /// A clone has said nothing yet.
    fn clone(&self) -> Self {
        Self { said: Arc::clone(&self.said), is_ready: false, request: PhantomData }
    }
}

#[derive(Debug, Default)]
struct Said {
    /// How many calls fail, from now on.
    failing: AtomicU32,
    /// How often readiness is an error, from now on.
    broken: AtomicU32,
    /// How often readiness is pending, from now on.
    pending: AtomicU32,
    asked: AtomicU32,
    called: AtomicU32,
}

/// Whether there was one left, which is taken.
fn take(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

impl<R> Inner<R> {
    fn new() -> Self {
        Self { said: Arc::default(), is_ready: false, request: PhantomData }
    }

    fn failing(times: u32) -> Self {
        let inner = Self::new();
        inner.said.failing.store(times, Ordering::Relaxed);
        inner
    }

    fn asked(&self) -> u32 {
        self.said.asked.load(Ordering::Relaxed)
    }

    fn called(&self) -> u32 {
        self.said.called.load(Ordering::Relaxed)
    }
}

impl<R> Service<R> for Inner<R> {
    type Response = R;
    type Error = io::Error;
    type Future = std::future::Ready<Result<R, io::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        self.said.asked.fetch_add(1, Ordering::Relaxed);
        if take(&self.said.pending) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if take(&self.said.broken) {
            return Poll::Ready(Err(io::Error::other("not ready")));
        }
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without being ready");
        self.said.called.fetch_add(1, Ordering::Relaxed);
        let fails = take(&self.said.failing);
        std::future::ready(if fails { Err(io::Error::other("failed")) } else { Ok(request) })
    }
}
