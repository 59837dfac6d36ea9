//! The guarded clients, each with one guard for all of its requests.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::body::Bytes;
use http::Request;
use http_body_util::{BodyExt, combinators::BoxBody};
use hyper_util::{
    client::legacy::{Client as HyperClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use overcurrent::{
    Breaker, Error, ErrorCode, Guard, GuardBuilder, RetryPolicy,
    reqwest_middleware::GuardMiddleware,
    tower::{GuardLayer, GuardService, HttpRules},
};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tower::{Layer, ServiceExt};

use super::server::Server;

/// Which client.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// hyper's, behind the layer for tower.
    Tower,
    /// reqwest, with the middleware.
    Reqwest,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Tower, Self::Reqwest];
}

pub(crate) struct Client {
    pub(crate) guard: Arc<Guard>,
    sends: Sends,
}

enum Sends {
    Tower(GuardService<HyperClient<HttpConnector, String>, HttpRules, HttpRules>),
    Reqwest(ClientWithMiddleware),
}

/// The body of a response that is being read.
pub(crate) enum Body {
    Tower(BoxBody<Bytes, ()>),
    Reqwest(reqwest::Response),
}

/// A guard that retries at once.
pub(crate) fn builder() -> GuardBuilder {
    let retry = RetryPolicy::constant(Duration::from_millis(1)).max_attempts(3);
    Guard::builder("server").retry(retry).attempt_timeout(Duration::from_secs(20))
}

pub(crate) fn breaker(guard: &Guard) -> &Breaker {
    guard.breaker().expect("it has one")
}

impl Client {
    pub(crate) fn new(kind: Kind, builder: GuardBuilder) -> Self {
        let guard = Arc::new(builder.build().expect("the policy is valid"));
        let shared = Arc::clone(&guard);
        let sends = match kind {
            Kind::Tower => {
                let client = HyperClient::builder(TokioExecutor::new()).build_http();
                Sends::Tower(GuardLayer::http(shared, HttpRules::new()).layer(client))
            }
            Kind::Reqwest => {
                let client = ClientBuilder::new(reqwest::Client::new());
                Sends::Reqwest(client.with(GuardMiddleware::shared(shared)).build())
            }
        };
        Self { guard, sends }
    }

    /// Sends a request; gives the status, or the code of the error, which the client's own has none of.
    pub(crate) async fn send(&self, method: &str, server: &Server) -> Result<u16, Option<ErrorCode>> {
        self.send_to(method, server.address).await
    }

    pub(crate) async fn send_to(&self, method: &str, to: SocketAddr) -> Result<u16, Option<ErrorCode>> {
        match &self.sends {
            Sends::Tower(service) => match service.clone().oneshot(request(method, to)).await {
                Ok(response) => Ok(response.status().as_u16()),
                Err(error) => Err(error.code()),
            },
            Sends::Reqwest(client) => {
                let method = method.parse().expect("it is a method");
                match client.request(method, url(to)).body("order").send().await {
                    Ok(response) => Ok(response.status().as_u16()),
                    Err(error) => Err(code(&error)),
                }
            }
        }
    }

    /// Sends a GET; gives the body of the response.
    pub(crate) async fn body(&self, server: &Server) -> Body {
        match &self.sends {
            Sends::Tower(service) => {
                let response = service.clone().oneshot(request("GET", server.address)).await;
                let body = response.expect("the head comes at once").into_body();
                Body::Tower(body.map_err(|_| ()).boxed())
            }
            Sends::Reqwest(client) => {
                let response = client.get(url(server.address)).send().await;
                Body::Reqwest(response.expect("the head comes at once"))
            }
        }
    }
}

impl Body {
    /// The next part.
    pub(crate) async fn chunk(&mut self) -> Result<Vec<u8>, ()> {
        match self {
            Self::Tower(body) => {
                let frame = body.frame().await.expect("there is more")?;
                Ok(frame.into_data().expect("it is data").to_vec())
            }
            Self::Reqwest(response) => {
                let chunk = response.chunk().await.map_err(|_| ())?;
                Ok(chunk.expect("there is more").to_vec())
            }
        }
    }
}

fn url(to: SocketAddr) -> String {
    format!("http://{to}/")
}

fn request(method: &str, to: SocketAddr) -> Request<String> {
    Request::builder().method(method).uri(url(to)).body("order".to_owned()).expect("it is valid")
}

/// The code of what the guard says.
pub(crate) fn code(error: &reqwest_middleware::Error) -> Option<ErrorCode> {
    let reqwest_middleware::Error::Middleware(error) = error else { return None };
    error.downcast_ref::<Error<reqwest_middleware::Error>>()?.code()
}
