//! How a guarded call can fail. The caller's own error is inside, not behind.

use std::{fmt, time::Duration};

use crate::kernel::{
    error::{AttemptTimeout, BreakerOpen, DeadlineExceeded, ErrorCode},
    explain::given_up,
    outcome::StopReason,
};

/// What was done before a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// How many attempts began.
    pub attempts: u32,
    /// How long the call took in all.
    pub elapsed: Duration,
    /// Why it was not retried; `None` where retrying was not the question.
    pub stop: Option<StopReason>,
}

/// Why a guarded call failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error<E> {
    /// The function's own last error.
    Failed {
        /// The error.
        error: E,
        /// What was done before.
        account: Account,
    },
    /// The breaker admitted no attempt; the function never ran.
    BreakerOpen(BreakerOpen),
    /// The last attempt was cut by its timeout.
    AttemptTimeout {
        /// The error.
        error: AttemptTimeout,
        /// What was done before.
        account: Account,
    },
    /// The deadline of the call was over.
    DeadlineExceeded {
        /// The error.
        error: DeadlineExceeded,
        /// The last failure before, if there was one.
        cause: Option<Box<Error<E>>>,
        /// What was done before.
        account: Account,
    },
}

impl<E> Error<E> {
    /// The stable code; `None` for the function's own error.
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Failed { .. } => None,
            Self::BreakerOpen(_) => Some(ErrorCode::BreakerOpen),
            Self::AttemptTimeout { .. } => Some(ErrorCode::AttemptTimeout),
            Self::DeadlineExceeded { .. } => Some(ErrorCode::DeadlineExceeded),
        }
    }

    /// What was done before the call failed; `None` where the function never ran.
    pub const fn account(&self) -> Option<Account> {
        match self {
            Self::Failed { account, .. }
            | Self::AttemptTimeout { account, .. }
            | Self::DeadlineExceeded { account, .. } => Some(*account),
            Self::BreakerOpen(_) => None,
        }
    }

    /// What happened and why it was not tried again, in words for people, the same in every language; nothing of
    /// the function's own error.
    ///
    /// ```
    /// use overcurrent::Guard;
    ///
    /// let guard = Guard::builder("payments").no_retry().build()?;
    /// let error = guard.call(|_| Err::<(), _>("declined")).unwrap_err();
    /// assert!(error.explain().ends_with("not tried again: no more attempts are allowed"));
    /// # Ok::<(), overcurrent::InvalidPolicy>(())
    /// ```
    pub fn explain(&self) -> String {
        match self {
            Self::Failed { account, .. } => given_up(account.attempts, account.elapsed.into(), account.stop),
            Self::BreakerOpen(error) => error.explain(),
            Self::AttemptTimeout { error, account } => error.explain(account.stop),
            Self::DeadlineExceeded { error, .. } => error.explain(),
        }
    }

    /// The function's own last error, if there is one.
    pub fn into_own(self) -> Option<E> {
        match self {
            Self::Failed { error, .. } => Some(error),
            Self::DeadlineExceeded { cause, .. } => cause.and_then(|cause| cause.into_own()),
            Self::BreakerOpen(_) | Self::AttemptTimeout { .. } => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { error, .. } => error.fmt(f),
            Self::BreakerOpen(error) => error.fmt(f),
            Self::AttemptTimeout { error, .. } => error.fmt(f),
            Self::DeadlineExceeded { error, .. } => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed { error, .. } => Some(error),
            Self::BreakerOpen(error) => Some(error),
            Self::AttemptTimeout { error, .. } => Some(error),
            Self::DeadlineExceeded { cause, .. } => match cause {
                Some(cause) => Some(&**cause),
                None => None,
            },
        }
    }
}
