//! How a guarded call can fail. The caller's own error is inside, not behind.

use std::{fmt, time::Duration};

use crate::kernel::{
    error::{AttemptTimeout, BreakerOpen, DeadlineExceeded, ErrorCode},
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
