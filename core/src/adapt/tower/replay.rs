//! How a request is sent more than once.

use crate::adapt::attempt::Attempt;

/// Makes the requests of further attempts out of the first one. Any `Fn(&Req) -> Option<Req>` is one.
pub trait Replay<Req> {
    /// Another request like this one; `None` where it is to be sent only once. It is asked before each
    /// attempt that another may follow.
    fn copy(&self, request: &Req) -> Option<Req>;

    /// Tells the request of the attempt that sends it; does nothing unless said otherwise.
    fn prepare(&self, request: &mut Req, attempt: &Attempt) {
        let _ = (request, attempt);
    }
}

impl<Req, F: Fn(&Req) -> Option<Req>> Replay<Req> for F {
    fn copy(&self, request: &Req) -> Option<Req> {
        self(request)
    }
}

/// Every request is cloned: for requests of which each may be sent again. The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cloned;

impl<Req: Clone> Replay<Req> for Cloned {
    fn copy(&self, request: &Req) -> Option<Req> {
        Some(request.clone())
    }
}

/// No request is sent again, not even after a timeout: for those that cannot or must not be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Once;

impl<Req> Replay<Req> for Once {
    fn copy(&self, _: &Req) -> Option<Req> {
        None
    }
}

#[cfg(feature = "http")]
mod http {
    use std::borrow::Cow;

    use ::http::{Request, Response};

    use super::{Attempt, Replay};
    use crate::{
        adapt::http_rules::HttpRules,
        drive::classify::{Classify, Standard},
        kernel::call::Verdict,
    };

    /// The [`Attempt`] is put into the request's extensions.
    impl<B: Clone> Replay<Request<B>> for HttpRules {
        fn copy(&self, request: &Request<B>) -> Option<Request<B>> {
            self.repeats(request.method(), request.headers()).then(|| request.clone())
        }

        fn prepare(&self, request: &mut Request<B>, attempt: &Attempt) {
            HttpRules::prepare(self, request.headers_mut(), attempt.context());
            request.extensions_mut().insert(attempt.clone());
        }
    }

    /// Errors as by [`Standard`].
    impl<B, E: 'static> Classify<Response<B>, E> for HttpRules {
        fn classify(&self, result: &Result<Response<B>, E>) -> Verdict {
            match result {
                Ok(response) => Self::answered(response.status(), response.headers()),
                Err(_) => Standard.classify(result),
            }
        }

        fn error_type(&self, result: &Result<Response<B>, E>) -> Option<Cow<'static, str>> {
            match result {
                Ok(response) => Some(Self::error_type(response.status())),
                Err(_) => Standard.error_type(result),
            }
        }
    }
}
