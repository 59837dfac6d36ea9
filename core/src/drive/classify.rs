//! What the result of an attempt means.

use std::{
    any::{Any, type_name},
    borrow::Cow,
    error::Error as StdError,
};

use super::error::Error;
use crate::kernel::{
    call::Verdict,
    error::{BreakerOpen, ErrorCode},
    error_type::error_type,
    retry::Failure,
};

/// Says what a result means to the breaker and the retry. Any `Fn(&Result<T, E>) -> Verdict` is one.
pub trait Classify<T, E> {
    /// The meaning of `result`.
    fn classify(&self, result: &Result<T, E>) -> Verdict;

    /// What a result that was no success is called where attempts are traced (`error.type`): one of a few words,
    /// and nothing of what the error says. `None` where nothing went wrong.
    ///
    /// By default the type of the error. A value that was judged as a failure is `_OTHER`. Where a status or a code says
    /// more, [`error_type`] chooses as the other languages do.
    fn error_type(&self, result: &Result<T, E>) -> Option<Cow<'static, str>> {
        result.as_ref().err().map(|_| type_name::<E>().into())
    }
}

impl<T, E, F: Fn(&Result<T, E>) -> Verdict> Classify<T, E> for F {
    fn classify(&self, result: &Result<T, E>) -> Verdict {
        self(result)
    }
}

/// What `error` means, and what it is called; it is given back.
#[cfg(feature = "tower")]
pub(crate) fn judge<T, E>(
    classify: &impl Classify<T, E>,
    error: E,
) -> (Verdict, Option<Cow<'static, str>>, E) {
    let result: Result<T, E> = Err(error);
    let (verdict, error_type) = (classify.classify(&result), classify.error_type(&result));
    match result {
        Err(error) => (verdict, error_type, error),
        Ok(_) => unreachable!("it is an error"),
    }
}

/// The default: a value is a success, an error a retryable failure, and a rejection by another
/// breaker is ignored, as it is no fault of this dependency.
///
/// A rejection is recognised where the error is a [`BreakerOpen`], or a boxed error (also one of
/// reqwest-middleware) that is one or has one among its sources.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standard;

impl<T, E: 'static> Classify<T, E> for Standard {
    fn classify(&self, result: &Result<T, E>) -> Verdict {
        match result {
            Ok(_) => Verdict::Success,
            Err(error) if is_rejection(error) => Verdict::Ignored,
            Err(_) => Verdict::Failure(Failure::RETRYABLE),
        }
    }

    /// The type of the error; of a rejection by another breaker its code.
    fn error_type(&self, result: &Result<T, E>) -> Option<Cow<'static, str>> {
        let error = result.as_ref().err()?;
        let code = is_rejection(error).then_some(ErrorCode::BreakerOpen.as_str());
        Some(error_type(None, code, Some(type_name::<E>())))
    }
}

fn is_rejection<E: 'static>(error: &E) -> bool {
    let error: &dyn Any = error;
    if error.is::<BreakerOpen>() || error.downcast_ref::<Error<BreakerOpen>>().is_some_and(rejected) {
        return true;
    }
    #[cfg(feature = "reqwest-middleware")]
    if let Some(reqwest_middleware::Error::Middleware(error)) = error.downcast_ref() {
        return error.chain().any(<dyn StdError>::is::<BreakerOpen>);
    }
    let boxed: Option<&(dyn StdError + 'static)> = error
        .downcast_ref::<Box<dyn StdError + Send + Sync>>()
        .map(|error| &**error as &(dyn StdError + 'static))
        .or_else(|| error.downcast_ref::<Box<dyn StdError>>().map(|error| &**error));
    std::iter::successors(boxed, |error| (*error).source()).any(<dyn StdError>::is::<BreakerOpen>)
}

const fn rejected<E>(error: &Error<E>) -> bool {
    matches!(error, Error::BreakerOpen(_))
}
