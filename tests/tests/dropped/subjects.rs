//! Everything that makes a guarded future.

use std::{future::Future, pin::Pin, sync::Arc};

use async_trait::async_trait;
use http::Extensions;
use overcurrent::{
    Guard,
    reqwest_middleware::GuardMiddleware,
    tower::{BreakerLayer, GuardLayer, HttpRules},
};
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, Error, Middleware, Next};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::script::Script;

/// A way to make a guarded call.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) call: fn(Arc<Guard>, Arc<Script>) -> Call,
}

type Call = Pin<Box<dyn Future<Output = ()>>>;

pub(crate) const SUBJECTS: &[Subject] = &[
    Subject { name: "Guard::run", call: run },
    Subject { name: "tower, a guard", call: guard_service },
    Subject { name: "tower, a guard by the rules of HTTP", call: http_service },
    Subject { name: "tower, a breaker", call: breaker_service },
    Subject { name: "reqwest-middleware", call: middleware },
];

fn run(guard: Arc<Guard>, script: Arc<Script>) -> Call {
    Box::pin(async move { guard.run(|_| script.attempt()).await.expect("the second attempt succeeds") })
}

fn guard_service(guard: Arc<Guard>, script: Arc<Script>) -> Call {
    let service = service_fn(move |_: u8| {
        let script = Arc::clone(&script);
        async move { script.attempt().await }
    });
    let service = GuardLayer::new(guard).layer(service);
    Box::pin(async move { service.oneshot(0).await.expect("the second attempt succeeds") })
}

fn http_service(guard: Arc<Guard>, script: Arc<Script>) -> Call {
    let service = service_fn(move |_: http::Request<()>| {
        let script = Arc::clone(&script);
        async move { script.attempt().await.map(http::Response::new) }
    });
    let service = GuardLayer::http(guard, HttpRules::new()).layer(service);
    Box::pin(async move {
        service.oneshot(http::Request::new(())).await.expect("the second attempt succeeds");
    })
}

/// Its caller is the one who tries again.
fn breaker_service(guard: Arc<Guard>, script: Arc<Script>) -> Call {
    let breaker = Arc::clone(guard.breaker().expect("it has one"));
    drop(guard);
    let service = service_fn(move |_: u8| {
        let script = Arc::clone(&script);
        async move { script.attempt().await }
    });
    let mut service = BreakerLayer::new(breaker).layer(service);
    Box::pin(async move {
        while service.ready().await.expect("its service is always ready").call(0).await.is_err() {}
    })
}

fn middleware(guard: Arc<Guard>, script: Arc<Script>) -> Call {
    let client = ClientBuilder::new(reqwest::Client::new())
        .with(GuardMiddleware::shared(guard))
        .with(Scripted(script))
        .build();
    Box::pin(async move {
        client.get("http://scripted.example/").send().await.expect("the second attempt succeeds");
    })
}

/// Answers in place of a server.
struct Scripted(Arc<Script>);

#[async_trait]
impl Middleware for Scripted {
    async fn handle(
        &self,
        _: Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let status = if self.0.attempt().await.is_ok() { 200 } else { 503 };
        let response = http::Response::builder().status(status).body("").map_err(Error::middleware)?;
        Ok(response.into())
    }
}
