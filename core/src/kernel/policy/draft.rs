//! Policies written in Rust: a draft collects raw fields, `build` parses them like any document, so
//! there is one set of rules and words.

use std::time::Duration;

use super::{
    breaker::BreakerPolicy,
    budget::BudgetPolicy,
    decimal::decimal,
    dialect::Dialect,
    guard::{GuardPolicy, WhenOpen},
    retry::RetryPolicy,
    value::Value,
    waits::{Backoff, Jitter},
};
use crate::kernel::error::InvalidPolicy;

/// Declares a draft: its type, how it is built, and the setters that only put a value.
macro_rules! draft {
    (
        $(#[$meta:meta])* $draft:ident of $policy:ident;
        $($(#[$doc:meta])* $field:ident($argument:ident: $type:ty);)*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[must_use = "a draft does nothing until it is built"]
        pub struct $draft {
            fields: Vec<(String, Value)>,
        }

        impl $draft {
            $($(#[$doc])*
            pub fn $field(self, $argument: $type) -> Self {
                self.put(stringify!($field), $argument)
            })*

            /// Validates the draft.
            ///
            /// # Errors
            /// The first field that breaks a rule.
            pub fn build(self) -> Result<$policy, InvalidPolicy> {
                $policy::from_value(&self.into(), "", Dialect::Rust)
            }

            /// Sets a field; the last value given counts.
            fn put(mut self, name: &str, value: impl Into<Value>) -> Self {
                self.fields.retain(|(other, _)| other != name);
                self.fields.push((name.to_owned(), value.into()));
                self
            }
        }

        impl $policy {
            /// An empty draft: every field has its default.
            pub fn draft() -> $draft {
                $draft::default()
            }
        }

        impl From<$draft> for Value {
            fn from(draft: $draft) -> Self {
                Self::Table(draft.fields)
            }
        }
    };
}

draft! {
    /// A retry policy being written.
    ///
    /// ```
    /// use std::time::Duration;
    /// use overcurrent::kernel::policy::{BudgetPolicy, Jitter, RetryPolicy};
    ///
    /// let policy = RetryPolicy::exponential(Duration::from_millis(100), Duration::from_secs(5))
    ///     .max_attempts(4)
    ///     .jitter(Jitter::Equal)
    ///     .budget(BudgetPolicy::draft().ratio(0.1))
    ///     .build()?;
    /// assert_eq!(policy.max_attempts, 4);
    ///
    /// let error = RetryPolicy::draft().max_attempts(0).build().unwrap_err();
    /// assert_eq!(error.to_string(), "invalid policy at `max_attempts`: `0` must be 1 to 1000");
    /// # Ok::<(), overcurrent::kernel::error::InvalidPolicy>(())
    /// ```
    RetryDraft of RetryPolicy;
    /// How many attempts in all, the first one counted, 1 to 1000.
    max_attempts(attempts: u32);
    /// How the waits grow.
    backoff(backoff: Backoff);
    /// How each wait is drawn around its base.
    jitter(jitter: Jitter);
    /// The longest server hint that is waited for.
    max_hint(longest: Duration);
}

impl RetryDraft {
    /// The factor of exponential backoff, 1 to 100.
    pub fn multiplier(mut self, factor: f64) -> Self {
        let name = "multiplier".to_owned();
        let backoff = self.fields.iter_mut().find(|(name, _)| name == "backoff").map(|(_, value)| value);
        if let Some(Value::Table(shapes)) = backoff {
            for (_, shape) in shapes {
                if let Value::Table(fields) = shape {
                    fields.retain(|(other, _)| *other != name);
                    fields.push((name.clone(), factor.into()));
                }
            }
            return self;
        }
        self.backoff(super::waits::DEFAULT).multiplier(factor)
    }

    /// Jitter by this share of the base, up or down, above 0 and at most 1.
    pub fn proportional_jitter(self, share: f64) -> Self {
        self.put("jitter", Value::single("proportional", share))
    }

    /// The budget of all calls together.
    pub fn budget(self, budget: impl Into<BudgetDraft>) -> Self {
        self.put("budget", budget.into())
    }

    /// No budget, also within a guard.
    pub fn no_budget(self) -> Self {
        self.put("budget", false)
    }
}

impl RetryPolicy {
    /// A draft with exponential backoff, doubling from `initial` to `max`.
    pub fn exponential(initial: Duration, max: Duration) -> RetryDraft {
        shaped("exponential", [("initial", initial), ("max", max)])
    }

    /// A draft with linear backoff, from `initial` by `step` to `max`.
    pub fn linear(initial: Duration, step: Duration, max: Duration) -> RetryDraft {
        shaped("linear", [("initial", initial), ("step", step), ("max", max)])
    }

    /// A draft with the same wait each time.
    pub fn constant(delay: Duration) -> RetryDraft {
        shaped("constant", [("delay", delay)])
    }

    /// A draft with these waits one by one; the last one repeats.
    pub fn schedule(delays: impl IntoIterator<Item = Duration>) -> RetryDraft {
        let delays = Value::List(delays.into_iter().map(Value::from).collect());
        Self::draft().put("backoff", Value::single("schedule", Value::single("delays", delays)))
    }

    /// A draft without any wait.
    pub fn no_backoff() -> RetryDraft {
        Self::draft().put("backoff", "none")
    }
}

fn shaped<const N: usize>(shape: &str, fields: [(&str, Duration); N]) -> RetryDraft {
    let fields = fields.map(|(name, span)| (name.to_owned(), Value::from(span)));
    RetryPolicy::draft().put("backoff", Value::single(shape, Value::Table(fields.into())))
}

draft! {
    /// The policy of a retry budget being written.
    ///
    /// ```
    /// use overcurrent::kernel::policy::BudgetPolicy;
    ///
    /// let policy = BudgetPolicy::draft().ratio(0.1).min_per_second(0.5).burst(20).build()?;
    /// assert_eq!(policy.capacity, 20_000_000);
    /// # Ok::<(), overcurrent::kernel::error::InvalidPolicy>(())
    /// ```
    BudgetDraft of BudgetPolicy;
    /// Tokens deposited at the start of each call, 0 to 1.
    ratio(tokens: f64);
    /// Tokens refilled per second, 0 to 1000, at most 3 decimals.
    min_per_second(tokens: f64);
    /// The most tokens it holds, 1 to 1000.
    burst(tokens: u32);
}

draft! {
    /// A breaker policy being written.
    ///
    /// ```
    /// use std::time::Duration;
    /// use overcurrent::kernel::policy::BreakerPolicy;
    ///
    /// let policy = BreakerPolicy::failure_rate(0.25)
    ///     .call_window(100)
    ///     .slow_call(Duration::from_secs(1))
    ///     .cooldown(Duration::from_secs(2))
    ///     .build()?;
    /// assert_eq!(policy.consecutive_failures, None);
    /// # Ok::<(), overcurrent::kernel::error::InvalidPolicy>(())
    /// ```
    BreakerDraft of BreakerPolicy;
    /// The share of failures in the window that opens, above 0 and at most 1.
    failure_rate(share: f64);
    /// How many outcomes the window must hold before a rate is tested, 1 to 1,000,000.
    minimum_calls(calls: u32);
    /// From this duration on a call is slow, 1 ms to 24 h.
    slow_call(duration: Duration);
    /// The share of slow calls in the window that opens, above 0 and at most 1.
    slow_rate(share: f64);
    /// So many failures in a row open, 1 to 1000.
    consecutive_failures(failures: u32);
    /// From this duration on a cancelled call counts as a failure, 1 ms to 24 h.
    abandon_after(duration: Duration);
    /// The first cooldown, 1 ms to `cooldown_max`.
    cooldown(duration: Duration);
    /// The longest cooldown, at most 24 h.
    cooldown_max(duration: Duration);
    /// What each further cooldown is multiplied by, 1 to 100.
    cooldown_multiplier(factor: f64);
    /// The share of the cooldown that is added at random, at most; 0 to 1.
    cooldown_jitter(share: f64);
    /// How many probes may be out at once, 1 to 64.
    probes(probes: u32);
    /// How many successful probes close, 1 to 64.
    close_after(successes: u32);
    /// How many failed probes open again, 1 to 64.
    reopen_after(failures: u32);
    /// How long a probe may take before it counts as lost, 1 ms to 24 h.
    probe_timeout(duration: Duration);
}

impl BreakerDraft {
    /// A window over the last `time`, in ten buckets.
    pub fn time_window(self, time: Duration) -> Self {
        self.put("window", Value::single("time", time))
    }

    /// A window over the last `time`, in `buckets` (1 to 60) of at least 1 ms each.
    pub fn bucketed_window(self, time: Duration, buckets: u32) -> Self {
        let fields = vec![("time".to_owned(), time.into()), ("buckets".to_owned(), buckets.into())];
        self.put("window", fields)
    }

    /// A window over the last `calls` outcomes, 1 to 100,000.
    pub fn call_window(self, calls: u32) -> Self {
        self.put("window", Value::single("calls", calls))
    }
}

impl BreakerPolicy {
    /// A draft that opens at this share of failures in the window.
    pub fn failure_rate(share: f64) -> BreakerDraft {
        Self::draft().failure_rate(share)
    }

    /// A draft that opens after so many failures in a row, and has no window unless one is added.
    pub fn consecutive_failures(failures: u32) -> BreakerDraft {
        Self::draft().consecutive_failures(failures)
    }
}

draft! {
    /// A guard policy being written.
    ///
    /// ```
    /// use std::time::Duration;
    /// use overcurrent::kernel::policy::{BreakerPolicy, GuardPolicy, RetryPolicy};
    ///
    /// let policy = GuardPolicy::draft()
    ///     .deadline(Duration::from_secs(10))
    ///     .attempt_timeout(Duration::from_secs(2))
    ///     .retry(RetryPolicy::constant(Duration::from_millis(50)))
    ///     .breaker(BreakerPolicy::consecutive_failures(5))
    ///     .build()?;
    /// assert!(policy.retry.is_some_and(|retry| retry.budget.is_some()));
    /// # Ok::<(), overcurrent::kernel::error::InvalidPolicy>(())
    /// ```
    GuardDraft of GuardPolicy;
    /// The time for the whole call.
    deadline(limit: Duration);
    /// The time for one attempt.
    attempt_timeout(limit: Duration);
    /// What a call does while the breaker rejects.
    when_open(choice: WhenOpen);
}

impl GuardDraft {
    /// No limit for the whole call.
    pub fn no_deadline(self) -> Self {
        self.put("deadline", false)
    }

    /// No limit for one attempt.
    pub fn no_attempt_timeout(self) -> Self {
        self.put("attempt_timeout", false)
    }

    /// How to retry; with a budget unless the draft says otherwise.
    pub fn retry(self, retry: impl Into<RetryDraft>) -> Self {
        self.put("retry", retry.into())
    }

    /// One attempt only.
    pub fn no_retry(self) -> Self {
        self.put("retry", false)
    }

    /// When to stop calling a dependency that fails.
    pub fn breaker(self, breaker: impl Into<BreakerDraft>) -> Self {
        self.put("breaker", breaker.into())
    }

    /// No breaker.
    pub fn no_breaker(self) -> Self {
        self.put("breaker", false)
    }
}

impl From<WhenOpen> for Value {
    fn from(choice: WhenOpen) -> Self {
        match choice {
            WhenOpen::Fail => "fail".into(),
            WhenOpen::Wait => "wait".into(),
        }
    }
}

impl From<Jitter> for Value {
    fn from(jitter: Jitter) -> Self {
        match jitter {
            Jitter::None => "none".into(),
            Jitter::Full => "full".into(),
            Jitter::Equal => "equal".into(),
            Jitter::Decorrelated => "decorrelated".into(),
            Jitter::Proportional(share) => {
                Self::single("proportional", Self::Number(decimal(share.parts().into(), 6)))
            }
        }
    }
}

impl From<Backoff> for Value {
    fn from(backoff: Backoff) -> Self {
        let table = |shape, fields: &[(&str, Self)]| {
            let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            Self::single(shape, Self::Table(fields))
        };
        match backoff {
            Backoff::None => "none".into(),
            Backoff::Constant { delay } => table("constant", &[("delay", delay.into())]),
            Backoff::Linear { initial, step, max } => {
                table("linear", &[("initial", initial.into()), ("step", step.into()), ("max", max.into())])
            }
            Backoff::Exponential { initial, multiplier, max } => {
                let multiplier = Self::Number(decimal(multiplier.parts().into(), 6));
                let fields = [("initial", initial.into()), ("multiplier", multiplier), ("max", max.into())];
                table("exponential", &fields)
            }
            Backoff::Schedule { delays } => table("schedule", &[("delays", delays.into())]),
        }
    }
}
