//! A middleware for [reqwest-middleware](https://docs.rs/reqwest-middleware): a guard for each server;
//! feature `reqwest-middleware`, on tokio's timer.
//!
//! | result | to the breaker | trying again |
//! | --- | --- | --- |
//! | 408, 425, 429, 500, 502, 503, 504 | failure | can cure it |
//! | any other 5xx | failure | cannot |
//! | any other status | success: the server has answered | |
//! | the connection fails, or the time is up | failure | can cure it |
//! | a request that cannot be built, too many redirects, an error of another middleware | ignored | |

use std::{
    borrow::Cow,
    fmt,
    future::pending,
    sync::{Arc, Mutex, PoisonError},
};

use ::http::Extensions;
use async_trait::async_trait;
use reqwest::{Request, Response, Url};
use reqwest_middleware::{Error, Middleware, Next, Result};

use super::sendings::Sendings;
use crate::{
    drive::{
        classify::{Classify, Standard},
        error::Error as GuardError,
        future::{Made, TokioSleep, drive},
    },
    kernel::{call::Verdict, http::authority, name::Name, policy::GuardPolicy, retry::Failure},
    live::{
        guard::Guard,
        registry::{Registry, RegistryFull},
    },
};

pub use super::{attempt::Attempt, http_rules::HttpRules};

/// How many guards a middleware's own registry holds.
const CAPACITY: usize = 10_000;

/// What is asked first what a result means.
type Hook = dyn Fn(&Result<Response>) -> Option<Verdict> + Send + Sync;

/// Sends requests through guards, each server's own, by host and port.
///
/// Only requests whose method is idempotent or that carry an idempotency key are sent again, timeouts
/// included, and none whose body cannot be copied, such as a stream. An attempt is over with the head of the
/// response; its body is read by whoever asked for it.
///
/// The last response comes back as it is, where retries end on one; else the client's own error. What the
/// guard itself says is an [`Error::Middleware`] that holds an [`overcurrent::Error`](crate::Error), or a
/// [`RegistryFull`]. Middlewares added after this one are inside of each attempt, and find the [`Attempt`] in
/// their extensions.
///
/// ```
/// use overcurrent::{GuardDraft, reqwest_middleware::GuardMiddleware};
/// use reqwest_middleware::ClientBuilder;
/// use std::time::Duration;
///
/// let policy = GuardDraft::default().attempt_timeout(Duration::from_secs(2)).build()?;
/// let client = ClientBuilder::new(reqwest::Client::new()).with(GuardMiddleware::new(policy)).build();
/// # let _ = client;
/// # Ok::<(), overcurrent::InvalidPolicy>(())
/// ```
///
/// What the guard says, as from a breaker that is open:
///
/// ```
/// fn is_open(error: &reqwest_middleware::Error) -> bool {
///     use reqwest_middleware::Error;
///     let Error::Middleware(error) = error else { return false };
///     matches!(error.downcast_ref(), Some(overcurrent::Error::<Error>::BreakerOpen(_)))
/// }
/// # let _ = is_open;
/// ```
pub struct GuardMiddleware {
    guards: Guards,
    rules: HttpRules,
    hook: Option<Box<Hook>>,
}

/// Which guard a request goes through.
enum Guards {
    One(Arc<Guard>),
    Each(Arc<Registry<Guard>>, Box<dyn Fn(Name) -> Guard + Send + Sync>),
}

impl GuardMiddleware {
    /// A guard of this policy for each server, in a registry of its own of 10,000.
    pub fn new(policy: GuardPolicy) -> Self {
        let registry = Arc::new(Registry::new(CAPACITY));
        Self::keyed(registry, move |name| Guard::new(name, policy.clone()))
    }

    /// The guards of a registry that others can share, by host and port, whatever the scheme:
    /// `api.example:443`. One that is not there is made by `create`, as for [`Registry::get_or_create`].
    pub fn keyed(
        registry: Arc<Registry<Guard>>,
        create: impl Fn(Name) -> Guard + Send + Sync + 'static,
    ) -> Self {
        Self::of(Guards::Each(registry, Box::new(create)))
    }

    /// One guard for all requests.
    pub fn shared(guard: impl Into<Arc<Guard>>) -> Self {
        Self::of(Guards::One(guard.into()))
    }

    fn of(guards: Guards) -> Self {
        Self { guards, rules: HttpRules::new(), hook: None }
    }

    /// The rules, in place of the plain [`HttpRules::new`]: whether an idempotency key is sent, and in which
    /// header.
    #[must_use]
    pub fn rules(self, rules: HttpRules) -> Self {
        Self { rules, ..self }
    }

    /// Has `hook` be asked first what a result means; where it gives `None`, the rules say. It cannot make a
    /// request be sent again that may not be.
    #[must_use]
    pub fn classify(
        self,
        hook: impl Fn(&Result<Response>) -> Option<Verdict> + Send + Sync + 'static,
    ) -> Self {
        Self { hook: Some(Box::new(hook)), ..self }
    }

    fn guard(&self, url: &Url) -> std::result::Result<Arc<Guard>, RegistryFull> {
        match &self.guards {
            Guards::One(guard) => Ok(Arc::clone(guard)),
            Guards::Each(registry, create) => {
                let key = authority(url.scheme(), url.host_str().unwrap_or_default(), url.port());
                registry.get_or_create(&key, create)
            }
        }
    }

    fn copy(&self, request: &Request) -> Option<Request> {
        self.rules.repeats(request.method(), request.headers()).then(|| request.try_clone()).flatten()
    }
}

impl fmt::Debug for GuardMiddleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardMiddleware").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Classify<Response, Error> for GuardMiddleware {
    fn classify(&self, result: &Result<Response>) -> Verdict {
        let said = self.hook.as_ref().and_then(|hook| hook(result));
        said.unwrap_or_else(|| match result {
            Ok(response) => HttpRules::answered(response.status(), response.headers()),
            Err(Error::Reqwest(error)) => failed(error),
            Err(Error::Middleware(error)) => {
                error.chain().find_map(<dyn std::error::Error>::downcast_ref).map_or(Verdict::Ignored, failed)
            }
        })
    }

    fn error_type(&self, result: &Result<Response>) -> Option<Cow<'static, str>> {
        match result {
            Ok(response) => Some(HttpRules::error_type(response.status())),
            Err(_) => Standard.error_type(result),
        }
    }
}

/// What it means that there was no answer.
fn failed(error: &reqwest::Error) -> Verdict {
    if error.is_builder() || error.is_redirect() {
        Verdict::Ignored
    } else {
        Verdict::Failure(Failure::RETRYABLE)
    }
}

#[async_trait]
impl Middleware for GuardMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let guard = self.guard(request.url()).map_err(Error::middleware)?;
        let mut sendings = Sendings::of(request, &guard);
        // Each attempt begins with what the caller has put there; what the last one adds is handed on.
        let added = Arc::new(Mutex::new(None));
        let result = drive(&guard, &TokioSleep, self, |told| {
            let (request, last) = sendings.next(told, |request| self.copy(request));
            let (attempt, added) = (Attempt::of(&guard, told), Arc::clone(&added));
            let (next, mut extensions) = (next.clone(), extensions.clone());
            let future = async move {
                let Some(mut request) = request else { return pending().await };
                self.rules.prepare(request.headers_mut(), attempt.context());
                extensions.insert(attempt);
                let result = next.run(request, &mut extensions).await;
                *added.lock().unwrap_or_else(PoisonError::into_inner) = Some(extensions);
                result
            };
            Made { future, last }
        });
        let result = result.await;
        if let Some(added) = added.lock().unwrap_or_else(PoisonError::into_inner).take() {
            *extensions = added;
        }
        result.map_err(|error| match error {
            GuardError::Failed { error, .. } => error,
            own => Error::middleware(own),
        })
    }
}
