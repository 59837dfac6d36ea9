//! On whose behalf a service answers.

use std::task::{Context, Poll};

use ::http::Request;
use tower_layer::Layer;
use tower_service::Service;

use crate::{kernel::trace::TraceContext, live::current::InScope};

/// Has a server answer each request on behalf of the [`TraceContext`] that its headers tell of: calls that it makes
/// through guards meanwhile carry the identifiers, and what the adapters of HTTP clients send tells of them.
///
/// For any service of `http::Request`, such as axum's routers. What it spawns needs a scope of its own:
/// [`TraceContext::in_scope`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use http::Request;
/// use overcurrent::{TraceContext, tower::TraceContextLayer};
/// use tower::{ServiceBuilder, ServiceExt};
///
/// let server = ServiceBuilder::new().layer(TraceContextLayer).service_fn(|_: Request<()>| async {
///     let context = TraceContext::current().unwrap();
///     Ok::<_, std::io::Error>(context.correlation_id().cloned())
/// });
/// let request = Request::builder().header("x-correlation-id", "order-7").body(())?;
/// assert_eq!(server.oneshot(request).await?.as_deref(), Some("order-7"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TraceContextLayer;

impl<S> Layer<S> for TraceContextLayer {
    type Service = TraceContextService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TraceContextService { inner }
    }
}

/// A service that answers on behalf of a context, as [`TraceContextLayer`] makes it.
#[derive(Clone, Debug)]
pub struct TraceContextService<S> {
    inner: S,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for TraceContextService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = InScope<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let context = TraceContext::extract(|name| request.headers().get_all(name));
        let future = context.scope(|| self.inner.call(request));
        context.in_scope(future)
    }
}
