//! A breaker around a service.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::admission::{Admission, Gate};
use crate::{
    drive::{
        classify::{Classify, Standard, judge},
        error::{Account, Error},
    },
    kernel::{error::BreakerOpen, policy::WhenOpen, time::Instant},
    live::{breaker::Breaker, permit::Permit},
};

/// Puts a [`Breaker`] around a service.
///
/// The breaker is asked in `poll_ready`, and the service keeps the permit for the call. So a service that is
/// ready is not rejected for anything that was known then: only a breaker that opens between `poll_ready` and
/// `call` rejects. What it does while it is open is said by [`Self::when_open`]:
///
/// | | `poll_ready` of an open breaker | for |
/// | --- | --- | --- |
/// | [`WhenOpen::Wait`], the default | pending, until it admits | balancers, which then choose another; `load_shed` or a timeout outside |
/// | [`WhenOpen::Fail`] | ready, to answer: `call` gives the rejection, with its `retry_after` | a caller that is to get an answer at once |
///
/// Never is an error of `poll_ready` the rejection: to tower that would mean that the service is gone for good.
/// The two are the two ways that tower itself knows: its concurrency limit is pending while it is full, its
/// `load_shed` is always ready and answers with an error. Pending is the default because readiness is what
/// other layers choose by, and a layer outside can make an error of it, but none can make readiness of an error.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use overcurrent::{Breaker, BreakerPolicy, Error, WhenOpen, tower::BreakerLayer};
/// use tower::{Service, ServiceBuilder, ServiceExt};
///
/// let breaker = Breaker::new("search", BreakerPolicy::consecutive_failures(1).build()?);
/// let mut search = ServiceBuilder::new()
///     .layer(BreakerLayer::new(breaker).when_open(WhenOpen::Fail))
///     .service_fn(|_: &str| async { Err::<(), _>(std::io::Error::other("it is down")) });
///
/// let error = search.ready().await?.call("rust").await.unwrap_err();
/// assert_eq!(error.to_string(), "it is down");
/// let error = search.ready().await?.call("rust").await.unwrap_err();
/// assert!(matches!(error, Error::BreakerOpen(_)));
/// # Ok(())
/// # }
/// ```
pub struct BreakerLayer<C = Standard> {
    gate: Arc<Gate>,
    classify: Arc<C>,
}

impl BreakerLayer {
    /// A layer whose services share this breaker.
    pub fn new(breaker: impl Into<Arc<Breaker>>) -> Self {
        Self { gate: Arc::new(Gate::new(breaker.into(), WhenOpen::Wait)), classify: Arc::new(Standard) }
    }
}

impl<C> BreakerLayer<C> {
    /// What `poll_ready` does while the breaker rejects.
    #[must_use]
    pub fn when_open(self, when_open: WhenOpen) -> Self {
        let gate = Gate::new(Arc::clone(&self.gate.breaker), when_open);
        Self { gate: Arc::new(gate), ..self }
    }

    /// What a result means, in place of [`Standard`].
    #[must_use]
    pub fn classify<N>(self, classify: N) -> BreakerLayer<N> {
        BreakerLayer { gate: self.gate, classify: Arc::new(classify) }
    }
}

impl<C> Clone for BreakerLayer<C> {
    fn clone(&self) -> Self {
        Self { gate: Arc::clone(&self.gate), classify: Arc::clone(&self.classify) }
    }
}

impl<C> fmt::Debug for BreakerLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerLayer").field("gate", &self.gate).finish_non_exhaustive()
    }
}

impl<S, C> Layer<S> for BreakerLayer<C> {
    type Service = BreakerService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { gate, classify } = self.clone();
        BreakerService { inner, gate, classify, admission: Admission::default() }
    }
}

/// A service behind a [`Breaker`], as [`BreakerLayer`] makes it.
///
/// A permit that `poll_ready` took goes back when the service is dropped; a clone takes its own. A half-open
/// breaker lets only as many services be ready as it has probes, so one that is ready and never called keeps
/// a probe, at most until the breaker's `probe_timeout`.
pub struct BreakerService<S, C = Standard> {
    inner: S,
    gate: Arc<Gate>,
    classify: Arc<C>,
    admission: Admission,
}

impl<S: Clone, C> Clone for BreakerService<S, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            gate: Arc::clone(&self.gate),
            classify: Arc::clone(&self.classify),
            admission: Admission::default(),
        }
    }
}

impl<S: fmt::Debug, C> fmt::Debug for BreakerService<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerService")
            .field("inner", &self.inner)
            .field("gate", &self.gate)
            .field("admission", &self.admission)
            .finish_non_exhaustive()
    }
}

impl<S, Req, C> Service<Req> for BreakerService<S, C>
where
    S: Service<Req>,
    C: Classify<S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = BreakerFuture<S::Future, C>;

    /// Ready when the breaker has admitted the next call and the inner service is ready for it. The inner
    /// service is not asked while the breaker rejects; an error of its is counted, and comes back.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if !ready!(self.admission.poll(&self.gate, cx)) {
            return Poll::Ready(Ok(()));
        }
        self.inner.poll_ready(cx).map_err(|error| {
            let (verdict, _, error) = judge(&*self.classify, error);
            self.admission.spend(verdict.outcome());
            own(error, Instant::ZERO, Instant::ZERO)
        })
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let state = match self.admission.begin(&self.gate) {
            Ok(permit) => State::Calling {
                started: self.gate.breaker.now(),
                gate: Arc::clone(&self.gate),
                future: self.inner.call(request),
                permit: Some(permit),
            },
            Err(rejection) => State::Rejected { rejection: Some(rejection) },
        };
        BreakerFuture { state, classify: Arc::clone(&self.classify) }
    }
}

fn own<E>(error: E, started: Instant, now: Instant) -> Error<E> {
    Error::Failed { error, account: Account { attempts: 1, elapsed: now.since(started).into(), stop: None } }
}

pin_project! {
    /// A call of a [`BreakerService`]. Dropping it cancels the call: it frees its probe and counts as nothing.
    pub struct BreakerFuture<F, C> {
        #[pin]
        state: State<F>,
        classify: Arc<C>,
    }
}

pin_project! {
    #[project = Step]
    enum State<F> {
        Calling {
            #[pin]
            future: F,
            permit: Option<Permit<Arc<Breaker>>>,
            started: Instant,
            gate: Arc<Gate>,
        },
        Rejected { rejection: Option<BreakerOpen> },
    }
}

impl<F, C> fmt::Debug for BreakerFuture<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerFuture").finish_non_exhaustive()
    }
}

impl<F, T, E, C> Future for BreakerFuture<F, C>
where
    F: Future<Output = Result<T, E>>,
    C: Classify<T, E>,
{
    type Output = Result<T, Error<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.state.project() {
            Step::Calling { future, permit, started, gate } => {
                let result = ready!(future.poll(cx));
                if let Some(permit) = permit.take() {
                    permit.record(this.classify.classify(&result).outcome());
                }
                Poll::Ready(result.map_err(|error| own(error, *started, gate.breaker.now())))
            }
            Step::Rejected { rejection } => match rejection.take() {
                Some(rejection) => Poll::Ready(Err(Error::BreakerOpen(rejection))),
                None => Poll::Pending,
            },
        }
    }
}
