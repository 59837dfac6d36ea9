//! A policy, a breaker and a retry around a call.

#[cfg(any(feature = "toml", feature = "json"))]
use std::path::Path;
use std::sync::Arc;

use super::{
    breaker::{Asking, Breaker},
    budget::Budget,
    clock::{Clock, Timer},
    counts::GuardCounts,
    current::caller,
    events::{About, Filter, Source, tell},
    stream::Stream,
};
use crate::kernel::{
    call::{Call, Pass, Rejection, Surroundings},
    error::{AttemptTimeout, BreakerOpen, DeadlineExceeded, InvalidPolicy},
    event::Notice,
    explain::Calls,
    name::Name,
    outcome::{Ending, Outcome, Position},
    policy::{BreakerPolicy, Dialect, GuardPolicy, WhenOpen},
    random,
    retry::Resources,
    time::{Instant, Span},
};

/// Surrounds calls of one dependency: `deadline( retry( breaker( attempt timeout( fn ))))`, decided
/// jointly.
///
/// ```
/// use overcurrent::Guard;
///
/// let guard = Guard::builder("payments").build()?;
/// let receipt = guard.call(|_| Ok::<_, std::io::Error>("paid"));
/// assert_eq!(receipt.unwrap(), "paid");
/// # Ok::<(), overcurrent::InvalidPolicy>(())
/// ```
#[derive(Debug)]
pub struct Guard {
    name: Name,
    policy: GuardPolicy,
    breaker: Option<Arc<Breaker>>,
    budget: Option<Arc<Budget>>,
    /// How much longer the breaker and the budget have existed than the guard.
    breaker_ahead: Span,
    budget_ahead: Span,
    stream: Stream,
    timer: Timer,
    source: Source,
    counts: GuardCounts,
}

impl Guard {
    /// A guard of a validated policy on the monotonic clock.
    pub fn new(name: impl Into<Name>, policy: GuardPolicy) -> Self {
        Self::on(name.into(), policy, Surrounds::default())
    }

    /// A guard of a validated policy, with what the caller brings along. The policy of a shared
    /// breaker or budget takes the place of the guard's own.
    ///
    /// # Errors
    /// [`InvalidPolicy`] where the shared breaker does not fit this guard's timeouts.
    pub fn with(
        name: impl Into<Name>,
        mut policy: GuardPolicy,
        brought: Surrounds,
        dialect: Dialect,
    ) -> Result<Self, InvalidPolicy> {
        if let Some(breaker) = &brought.breaker {
            let own = breaker.policy();
            policy.breaker = Some(own.within(policy.attempt_timeout, policy.deadline, "breaker", dialect)?);
        }
        if let (Some(budget), Some(retry)) = (&brought.budget, &mut policy.retry) {
            retry.budget = Some(*budget.policy());
        }
        Ok(Self::on(name.into(), policy, brought))
    }

    fn on(name: Name, policy: GuardPolicy, brought: Surrounds) -> Self {
        let Surrounds { clock, seed, breaker, budget, durations } = brought;
        let timer = match (clock, &breaker) {
            (None, Some(breaker)) => breaker.timer().restarted(),
            (clock, _) => Timer::start(clock),
        };
        let breaker = policy.breaker.as_ref().map(|own| {
            breaker.unwrap_or_else(|| {
                Arc::new(Breaker::on(name.clone(), Arc::new(own.clone()), timer.clone(), seed))
            })
        });
        let budget = policy
            .retry
            .as_ref()
            .and_then(|retry| retry.budget)
            .map(|own| budget.unwrap_or_else(|| Arc::new(Budget::on(own, timer.clone()))));
        Self {
            breaker_ahead: breaker.as_ref().map_or(Span::ZERO, |breaker| timer.behind(breaker.timer())),
            budget_ahead: budget.as_ref().map_or(Span::ZERO, |budget| timer.behind(&budget.timer)),
            stream: Stream::new(seed.map(random::mix)),
            name,
            policy,
            breaker,
            budget,
            timer,
            source: Source::new(),
            counts: GuardCounts::new(durations),
        }
    }

    /// A guard of the policy `name` in a policy file, whose ending says what it is written in.
    ///
    /// # Errors
    /// [`LoadError`] where the file cannot be read or holds no such valid policy.
    #[cfg(any(feature = "toml", feature = "json"))]
    pub fn from_file(path: impl AsRef<Path>, name: &str) -> Result<Self, LoadError> {
        Self::from_file_with(path, name, Surrounds::default())
    }

    /// [`Self::from_file`], with what the caller brings along, or wants measured. For a policy in a text there is
    /// [`Self::with`].
    ///
    /// ```
    /// use overcurrent::{Guard, Surrounds};
    ///
    /// # let path = std::env::temp_dir().join(format!("overcurrent-{}.toml", std::process::id()));
    /// # std::fs::write(&path, "[policy.payments]\ndeadline = '5s'")?;
    /// let measuring = Surrounds { durations: true, ..Surrounds::default() };
    /// let payments = Guard::from_file_with(&path, "payments", measuring)?;
    /// assert!(payments.measures_durations());
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::from_file`], and as [`Self::with`] where the shared breaker does not fit the policy.
    #[cfg(any(feature = "toml", feature = "json"))]
    pub fn from_file_with(path: impl AsRef<Path>, name: &str, brought: Surrounds) -> Result<Self, LoadError> {
        Ok(Self::with(name, Self::policy_in_file(path, name)?, brought, Dialect::Rust)?)
    }

    /// The policy that [`Self::from_file`] would take.
    ///
    /// # Errors
    /// As [`Self::from_file`].
    #[cfg(any(feature = "toml", feature = "json"))]
    pub fn policy_in_file(path: impl AsRef<Path>, name: &str) -> Result<GuardPolicy, LoadError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)?;
        Ok(crate::kernel::policy::PolicyDocument::parse(&path.to_string_lossy(), &text)?.guard(name)?)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn named(&self) -> &Name {
        &self.name
    }

    pub(crate) const fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) const fn counts(&self) -> &GuardCounts {
        &self.counts
    }

    /// Whether it measures how long its calls take.
    pub const fn measures_durations(&self) -> bool {
        self.counts.has_durations()
    }

    /// Its policy.
    pub const fn policy(&self) -> &GuardPolicy {
        &self.policy
    }

    /// Its breaker, if it has one.
    pub const fn breaker(&self) -> Option<&Arc<Breaker>> {
        self.breaker.as_ref()
    }

    /// Its breaker, for who has the guard to himself.
    pub(crate) const fn breaker_mut(&mut self) -> Option<&mut Arc<Breaker>> {
        self.breaker.as_mut()
    }

    /// Its budget, if it has one.
    pub const fn budget(&self) -> Option<&Arc<Budget>> {
        self.budget.as_ref()
    }

    /// The clock's reading since this guard's creation.
    pub fn now(&self) -> Instant {
        self.timer.now()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.timer.clock()
    }

    /// Begins a call at an instant since this guard's creation, for a driver of its own.
    pub fn begin(&self, now: Instant) -> Call {
        Call::begin(&self.policy, self, now)
    }

    /// Begins and ends a call that is rejected at once, its deposit made: the breaker is open for a while
    /// yet, and the policy fails such calls. `None`, and nothing has happened, where it is not so.
    #[inline]
    pub fn refused(&self) -> Option<BreakerOpen> {
        let breaker = self.breaker.as_ref().filter(|_| self.policy.when_open == WhenOpen::Fail)?;
        let rejection = breaker.held_off(Some(self.asking(1)))?;
        self.begun();
        self.call_ended(Ending::Rejected, Span::ZERO);
        Some(self.refusal(rejection))
    }

    const fn asking(&self, attempt: u32) -> Asking<'_> {
        Asking { name: &self.name, source: &self.source, attempt }
    }

    /// What its calls have come to, and what [`Breaker::explain`] says of its breaker: in words for people, the
    /// same in every language.
    ///
    /// ```
    /// use overcurrent::Guard;
    ///
    /// let guard = Guard::builder("payments").no_retry().build()?;
    /// let _ = guard.call(|_| Ok::<_, ()>("paid"));
    /// assert!(guard.explain().starts_with("guard `payments`: 1 call, of which 0 in flight: 1 success"));
    /// # Ok::<(), overcurrent::InvalidPolicy>(())
    /// ```
    pub fn explain(&self) -> String {
        let metrics = &self.metrics();
        let calls = Calls { metrics, capacity: self.budget.as_ref().map(|budget| budget.policy().capacity) };
        match self.seen() {
            None => calls.to_string(),
            Some((breaker, policy)) => format!("{calls}\n{}", breaker.explain_by(policy, breaker.now())),
        }
    }

    /// Whether its breaker is known to reject, without asking it.
    #[cfg(feature = "tower")]
    pub(crate) fn is_open(&self) -> bool {
        let closed = self.breaker.as_ref().is_none_or(|breaker| breaker.cells().pass().is_some());
        !closed && {
            let now = self.now();
            self.rejects(now, now)
        }
    }

    /// The breaker's policy as this guard sees it.
    fn seen(&self) -> Option<(&Breaker, &BreakerPolicy)> {
        Some((self.breaker.as_deref()?, self.policy.breaker.as_ref()?))
    }

    /// The error of a rejected call.
    pub fn refusal(&self, rejection: Rejection) -> BreakerOpen {
        let breaker = self.breaker.as_ref().map_or(&self.name, |breaker| breaker.named());
        BreakerOpen { breaker: breaker.clone(), reason: rejection.reason, retry_after: rejection.retry_after }
    }

    /// The error of the last attempt that its timeout cut.
    pub fn attempt_timeout(&self, call: &Call) -> AttemptTimeout {
        AttemptTimeout {
            guard: self.name.clone(),
            attempt: call.last_timed_out(),
            timeout: self.policy.attempt_timeout.unwrap_or_default(),
        }
    }

    /// The error of a call whose deadline is over.
    pub fn deadline_exceeded(&self, call: &Call) -> DeadlineExceeded {
        DeadlineExceeded {
            guard: self.name.clone(),
            attempts: call.attempts(),
            deadline: self.policy.deadline.unwrap_or_default(),
        }
    }
}

impl Resources for Guard {
    fn draw(&self) -> u64 {
        self.stream.draw()
    }

    fn withdraw(&self, now: Instant) -> bool {
        self.budget.as_ref().is_none_or(|budget| budget.withdraw_at(now.after(self.budget_ahead)))
    }

    fn rejects(&self, now: Instant, then: Instant) -> bool {
        self.seen().is_some_and(|(breaker, policy)| {
            let reading = breaker.cells().read(policy, now.after(self.breaker_ahead));
            match reading.state.position {
                Position::ForcedOpen => true,
                Position::Open => reading.deadline > then.after(self.breaker_ahead),
                Position::Closed | Position::HalfOpen | Position::ForcedClosed => false,
            }
        })
    }
}

impl Surroundings for Guard {
    fn begun(&self) {
        self.counts.begun();
        if let Some(budget) = &self.budget {
            budget.deposit();
        }
    }

    fn acquire(&self, attempt: u32, now: Instant) -> Result<Pass, Rejection> {
        match self.seen() {
            None => Ok(Pass { epoch: 0 }),
            Some((breaker, policy)) => match breaker.cells().pass() {
                Some(pass) => Ok(pass),
                None => breaker
                    .acquire_by(policy, now.after(self.breaker_ahead), Some(self.asking(attempt)))
                    .inspect_err(|rejection| breaker.rejected(*rejection, Some(self.asking(attempt)))),
            },
        }
    }

    fn record(&self, attempt: u32, pass: Pass, outcome: Outcome, took: Span, now: Instant) {
        if let Some((breaker, policy)) = self.seen() {
            let now = now.after(self.breaker_ahead);
            let quick = outcome == Outcome::Success && !policy.is_slow(took);
            if !(quick && breaker.cells().record_quickly(pass, || now)) {
                breaker.record_by(policy, pass, outcome, took, now, Some(self.asking(attempt)));
            }
        }
    }

    fn attempt_ended(&self, ending: Ending) {
        self.counts.attempt_ended(ending);
    }

    fn tell(&self, notice: Notice) {
        self.counts.told(notice.news);
        tell(|| {
            let caller = caller(Some(&self.name), Some(notice.attempt));
            (About { guard: self.source.known(), breaker: 0 }, notice.by(caller))
        });
    }

    fn call_ended(&self, ending: Ending, took: Span) {
        self.counts.call_ended(ending, took);
    }
}

impl From<&Guard> for Filter {
    /// The events of this guard and of its breaker.
    fn from(guard: &Guard) -> Self {
        let breaker = guard.breaker.as_ref().map_or(0, |breaker| breaker.source().number());
        Self::only(About { guard: guard.source.number(), breaker })
    }
}

/// What a guard is given instead of making its own.
#[derive(Debug, Default)]
pub struct Surrounds {
    /// The clock; by default that of a shared breaker, else the monotonic one.
    pub clock: Option<Arc<dyn Clock>>,
    /// The seed of the breaker's draws, and mixed once more of the retry's.
    pub seed: Option<u64>,
    /// A breaker shared with others, on the same clock.
    pub breaker: Option<Arc<Breaker>>,
    /// A budget shared with others, on the same clock.
    pub budget: Option<Arc<Budget>>,
    /// Whether to measure how long calls take, for `overcurrent_call_duration_seconds`, which reads a precise clock twice
    /// a call.
    pub durations: bool,
}

/// Why a policy could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("the policy file cannot be read")]
    Unreadable(#[from] std::io::Error),
    /// The policy is invalid, or not there.
    #[error(transparent)]
    Invalid(#[from] InvalidPolicy),
}
