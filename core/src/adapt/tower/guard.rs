//! A guard around a service.

use std::{
    fmt,
    future::{Future, pending, poll_fn},
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::replay::{Cloned, Once, Replay};
use crate::{
    adapt::{attempt::Attempt, sendings::Sendings},
    drive::{
        classify::{Classify, Standard},
        error::Error,
        future::{Made, TokioSleep, drive},
        run::failed_before,
    },
    live::guard::Guard,
};

/// Puts a [`Guard`] around a service: deadline, retries, breaker, and a timeout for each attempt.
///
/// The inner service must be `Clone`, as an attempt may be cut while it runs. By default requests are cloned, each
/// may be sent again, and results mean what [`Standard`] says. [`Self::replay`] and [`Self::classify`] say
/// otherwise, [`GuardLayer::http`] both at once.
///
/// `poll_ready` asks the inner service, so that what holds its callers back holds these back too; but while
/// the breaker is open it is ready at once, and the policy's `when_open` decides within the call, in its
/// deadline. Before a further attempt the inner service is asked within that attempt: that takes of its
/// time, and an error there is one of the attempt. An error in `poll_ready` itself comes back as it is, counted
/// as a call of one attempt.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use overcurrent::{Guard, RetryPolicy, tower::GuardLayer};
/// use std::{sync::atomic::{AtomicU32, Ordering}, time::Duration};
/// use tower::{Service, ServiceBuilder, ServiceExt};
///
/// let guard = Guard::builder("search")
///     .retry(RetryPolicy::constant(Duration::from_millis(1)).max_attempts(3))
///     .build()?;
/// let mut search = ServiceBuilder::new().layer(GuardLayer::new(guard)).service_fn(|word: String| async move {
///     static CALLS: AtomicU32 = AtomicU32::new(0);
///     match CALLS.fetch_add(1, Ordering::Relaxed) {
///         0 => Err(std::io::Error::other("it was busy")),
///         _ => Ok(word.len()),
///     }
/// });
/// assert_eq!(search.ready().await?.call("rust".to_owned()).await?, 4);
/// # Ok(())
/// # }
/// ```
pub struct GuardLayer<R = Cloned, C = Standard> {
    guard: Arc<Guard>,
    replay: Arc<R>,
    classify: Arc<C>,
}

impl GuardLayer {
    /// A layer whose services share this guard.
    pub fn new(guard: impl Into<Arc<Guard>>) -> Self {
        Self { guard: guard.into(), replay: Arc::new(Cloned), classify: Arc::new(Standard) }
    }
}

#[cfg(feature = "http")]
mod http {
    use super::{Arc, Guard, GuardLayer};
    use crate::adapt::http_rules::HttpRules;

    impl GuardLayer<HttpRules, HttpRules> {
        /// A layer for an HTTP client, with the [rules of HTTP](HttpRules): only requests that may be are
        /// sent again, `Retry-After` is heeded, and the request's extensions have the
        /// [`Attempt`](crate::tower::Attempt).
        #[cfg_attr(docsrs, doc(cfg(feature = "http")))]
        pub fn http(guard: impl Into<Arc<Guard>>, rules: HttpRules) -> Self {
            let rules = Arc::new(rules);
            Self { guard: guard.into(), replay: Arc::clone(&rules), classify: rules }
        }
    }
}

impl<R, C> GuardLayer<R, C> {
    /// How requests are sent again, in place of [`Cloned`]: a [`Replay`], such as a function that clones a
    /// request or refuses to.
    #[must_use]
    pub fn replay<N>(self, replay: N) -> GuardLayer<N, C> {
        GuardLayer { guard: self.guard, replay: Arc::new(replay), classify: self.classify }
    }

    /// No request is sent again, and none needs to be cloned.
    #[must_use]
    pub fn once(self) -> GuardLayer<Once, C> {
        self.replay(Once)
    }

    /// What a result means, in place of [`Standard`].
    #[must_use]
    pub fn classify<N>(self, classify: N) -> GuardLayer<R, N> {
        GuardLayer { guard: self.guard, replay: self.replay, classify: Arc::new(classify) }
    }
}

impl<R, C> Clone for GuardLayer<R, C> {
    fn clone(&self) -> Self {
        Self {
            guard: Arc::clone(&self.guard),
            replay: Arc::clone(&self.replay),
            classify: Arc::clone(&self.classify),
        }
    }
}

impl<R, C> fmt::Debug for GuardLayer<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardLayer").field("guard", &self.guard.name()).finish_non_exhaustive()
    }
}

impl<S, R, C> Layer<S> for GuardLayer<R, C> {
    type Service = GuardService<S, R, C>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService { inner, layer: self.clone(), is_ready: false }
    }
}

/// A service behind a [`Guard`], as [`GuardLayer`] makes it.
pub struct GuardService<S, R = Cloned, C = Standard> {
    inner: S,
    layer: GuardLayer<R, C>,
    /// Whether the inner service has said that it is ready for the next call.
    is_ready: bool,
}

impl<S: Clone, R, C> Clone for GuardService<S, R, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone(), is_ready: false }
    }
}

impl<S: fmt::Debug, R, C> fmt::Debug for GuardService<S, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardService")
            .field("inner", &self.inner)
            .field("layer", &self.layer)
            .finish_non_exhaustive()
    }
}

/// A call of a [`GuardService`]. Dropping it cancels the call: it frees its probe and counts as nothing.
pub type GuardFuture<T, E> = Pin<Box<dyn Future<Output = Result<T, Error<E>>> + Send>>;

impl<S, Req, R, C> Service<Req> for GuardService<S, R, C>
where
    S: Service<Req> + Clone + Send + 'static,
    S::Response: Send,
    S::Error: Send,
    S::Future: Send,
    Req: Send + 'static,
    R: Replay<Req> + Send + Sync + 'static,
    C: Classify<S::Response, S::Error> + Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = GuardFuture<S::Response, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let GuardLayer { guard, classify, .. } = &self.layer;
        if guard.is_open() {
            self.is_ready = false;
            return Poll::Ready(Ok(()));
        }
        self.inner.poll_ready(cx).map(|ready| {
            self.is_ready = ready.is_ok();
            ready.map_err(|error| failed_before(guard, error, &**classify))
        })
    }

    fn call(&mut self, request: Req) -> Self::Future {
        // The instance that was asked whether it is ready is the one to call.
        let other = self.inner.clone();
        let inner = mem::replace(&mut self.inner, other);
        let mut is_ready = mem::take(&mut self.is_ready);
        let GuardLayer { guard, replay, classify } = self.layer.clone();
        Box::pin(async move {
            let mut sendings = Sendings::of((request, inner), &guard);
            let copy = |(request, inner): &(Req, S)| Some((replay.copy(request)?, inner.clone()));
            drive(&guard, &TokioSleep, &*classify, |told| {
                let (sending, last) = sendings.next(told, copy);
                let is_ready = mem::take(&mut is_ready);
                let (replay, attempt) = (&*replay, Attempt::of(&guard, told));
                let future = async move {
                    let Some((mut request, mut inner)) = sending else { return pending().await };
                    if !is_ready {
                        poll_fn(|cx| inner.poll_ready(cx)).await?;
                    }
                    replay.prepare(&mut request, &attempt);
                    inner.call(request).await
                };
                Made { future, last }
            })
            .await
        })
    }
}
