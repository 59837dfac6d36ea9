//! The asynchronous driver: needs nothing of a runtime but a way to sleep.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use super::{
    classify::Classify,
    context::{Context, Told},
    error::Error,
    run::{Next, Run},
};
use crate::live::guard::Guard;

/// How a runtime sleeps.
pub trait Sleep {
    /// Resolves once `duration` is over.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

impl Guard {
    /// Calls the asynchronous `f` under this guard, sleeping by `sleep`. Dropping the future cancels
    /// the call: it frees its probe and counts as nothing.
    ///
    /// # Errors
    /// [`Error`], which holds the function's own last error.
    pub async fn run_on<'g, T, E, F>(
        &'g self,
        sleep: &impl Sleep,
        classify: &impl Classify<T, E>,
        mut f: impl FnMut(Context<'g>) -> F,
    ) -> Result<T, Error<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        drive(self, sleep, classify, |told| Made { future: f(Context { guard: self, told }), last: false })
            .await
    }
}

/// An attempt to run.
pub(crate) struct Made<F> {
    /// What it is.
    pub(crate) future: F,
    /// Whether none can follow it, whatever becomes of it.
    pub(crate) last: bool,
}

/// Runs attempts, made by `make`, under `guard`.
pub(crate) async fn drive<T, E, F>(
    guard: &Guard,
    sleep: &impl Sleep,
    classify: &impl Classify<T, E>,
    mut make: impl FnMut(Told) -> Made<F>,
) -> Result<T, Error<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let (mut run, mut next) = Run::begin(guard);
    loop {
        next = match next {
            Next::Attempt(attempt) => {
                let told = run.told(attempt);
                let Made { future, last } = run.within(|| make(told));
                if last {
                    run.once();
                }
                let future = run.around(future);
                let result = match attempt.cut {
                    None => Some(future.await),
                    Some((_, limit)) => first(future, sleep.sleep(limit.into())).await,
                };
                match result {
                    Some(result) => run.settled(result, classify),
                    None => run.cut(),
                }
            }
            Next::Wait(span) => {
                sleep.sleep(span.into()).await;
                run.next()
            }
            Next::Return(result) => return result,
        };
    }
}

/// What `future` gives, if it does before `limit` is over.
async fn first<T>(future: impl Future<Output = T>, limit: impl Future<Output = ()>) -> Option<T> {
    let (mut future, mut limit) = (pin!(future), pin!(limit));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => limit.as_mut().poll(cx).map(|()| None),
    })
    .await
}

#[cfg(feature = "tokio")]
mod on_tokio {
    use super::{super::classify::Standard, Classify, Context, Duration, Error, Future, Guard, Sleep};

    /// Sleeps on tokio's timer.
    #[derive(Clone, Copy, Debug, Default)]
    pub struct TokioSleep;

    impl Sleep for TokioSleep {
        fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
            tokio::time::sleep(duration)
        }
    }

    impl Guard {
        /// Calls the asynchronous `f` under this guard, sleeping on tokio's timer. Dropping the future
        /// cancels the call: it frees its probe and counts as nothing.
        ///
        /// ```
        /// # #[tokio::main(flavor = "current_thread")]
        /// # async fn main() -> Result<(), overcurrent::InvalidPolicy> {
        /// use overcurrent::Guard;
        ///
        /// let guard = Guard::builder("payments").build()?;
        /// let receipt = guard.run(|cx| async move { Ok::<_, std::io::Error>(cx.attempt()) }).await;
        /// assert_eq!(receipt.unwrap(), 1);
        /// # Ok(())
        /// # }
        /// ```
        ///
        /// # Errors
        /// [`Error`], which holds the function's own last error.
        pub async fn run<'g, T, E: 'static, F>(
            &'g self,
            f: impl FnMut(Context<'g>) -> F,
        ) -> Result<T, Error<E>>
        where
            F: Future<Output = Result<T, E>>,
        {
            self.run_on(&TokioSleep, &Standard, f).await
        }

        /// [`Self::run`] with a classification of the caller's own.
        ///
        /// # Errors
        /// As [`Self::run`].
        pub async fn run_with<'g, T, E, F>(
            &'g self,
            classify: &impl Classify<T, E>,
            f: impl FnMut(Context<'g>) -> F,
        ) -> Result<T, Error<E>>
        where
            F: Future<Output = Result<T, E>>,
        {
            self.run_on(&TokioSleep, classify, f).await
        }
    }
}

#[cfg(feature = "tokio")]
pub use on_tokio::TokioSleep;
