//! The blocking driver: runs the function on the caller's thread and sleeps on the guard's clock.

use super::{
    classify::{Classify, Standard},
    context::Context,
    error::Error,
    run::{Next, Run},
};
use crate::live::guard::Guard;

impl Guard {
    /// Calls `f` under this guard, retrying and waiting as the policy says.
    ///
    /// A blocking function cannot be interrupted: it is judged when it returns, by the same rules as
    /// one that can be, so what it returns after its time was up is an attempt timeout. Pass
    /// [`Context::remaining`] on to what it calls.
    ///
    /// # Errors
    /// [`Error`], which holds the function's own last error.
    pub fn call<T, E: 'static>(&self, f: impl FnMut(Context<'_>) -> Result<T, E>) -> Result<T, Error<E>> {
        self.call_with(&Standard, f)
    }

    /// [`Self::call`] with a classification of the caller's own.
    ///
    /// ```
    /// use overcurrent::{Failure, Guard, Verdict};
    ///
    /// let guard = Guard::builder("search").no_retry().build()?;
    /// let classify = |status: &Result<u16, ()>| match status {
    ///     Ok(503) => Verdict::Failure(Failure::RETRYABLE),
    ///     Ok(_) => Verdict::Success,
    ///     Err(()) => Verdict::Failure(Failure::FINAL),
    /// };
    /// // Where retries end on a failing value, that value is returned.
    /// assert_eq!(guard.call_with(&classify, |_| Ok(503)).unwrap(), 503);
    /// # Ok::<(), overcurrent::InvalidPolicy>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn call_with<T, E>(
        &self,
        classify: &impl Classify<T, E>,
        mut f: impl FnMut(Context<'_>) -> Result<T, E>,
    ) -> Result<T, Error<E>> {
        let (mut run, mut next) = Run::begin(self);
        loop {
            next = match next {
                Next::Attempt(attempt) => {
                    let context = Context { guard: self, told: run.told(attempt) };
                    let result = run.within(|| f(context));
                    run.settled(result, classify)
                }
                Next::Wait(span) => {
                    self.clock().sleep(span);
                    run.next()
                }
                Next::Return(result) => return result,
            };
        }
    }
}
