//! What became of an attempt, and the words for every reason a decision can have.

use super::tally::Listed;

/// Declares an enum of reasons together with their words.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every variant, in declaration order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word for it, the same in every language.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The variant of a word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl Listed for $name {
            const ALL: &'static [Self] = Self::ALL;

            fn place(self) -> usize {
                self as usize
            }

            fn words(self) -> [&'static str; 3] {
                [self.as_str(), "", ""]
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What became of an admitted call, in the breaker's eyes.
    Outcome {
        /// The dependency answered well.
        Success = "success",
        /// The dependency failed.
        Failure = "failure",
        /// Not the dependency's fault: counts as nothing.
        Ignored = "ignored",
        /// The caller gave up: counts as nothing, unless it had waited for `abandon_after`.
        Cancelled = "cancelled",
    }
}

words! {
    /// How an attempt or a call ended, in its caller's eyes.
    Ending {
        /// With a success.
        Success = "success",
        /// With a failure of the function's own.
        Failure = "failure",
        /// Its time was up: of an attempt by either limit; of a call by its deadline, or in its last attempt.
        Timeout = "timeout",
        /// The breaker admitted none of its attempts. Only a call ends so.
        Rejected = "rejected",
        /// In a way that says nothing of the dependency.
        Ignored = "ignored",
        /// The caller gave up.
        Cancelled = "cancelled",
    }
}

impl From<Outcome> for Ending {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => Self::Success,
            Outcome::Failure => Self::Failure,
            Outcome::Ignored => Self::Ignored,
            Outcome::Cancelled => Self::Cancelled,
        }
    }
}

words! {
    /// Where a breaker stands; the two forced states are the operator's overrides.
    Position {
        /// Calls pass and are counted.
        Closed = "closed",
        /// Calls are rejected until the cooldown is over.
        Open = "open",
        /// A few probes decide.
        HalfOpen = "half_open",
        /// Rejects every call until it is taken back.
        ForcedOpen = "forced_open",
        /// Admits every call until it is taken back; calls are counted, nothing trips.
        ForcedClosed = "forced_closed",
    }
}

words! {
    /// Why a breaker opened.
    OpenReason {
        /// So many failures in a row.
        ConsecutiveFailures = "consecutive_failures",
        /// The share of failures in the window.
        FailureRate = "failure_rate",
        /// The share of slow calls in the window.
        SlowRate = "slow_rate",
        /// Probes failed.
        ProbeFailed = "probe_failed",
        /// Probes were lost or are hanging.
        ProbeTimeout = "probe_timeout",
        /// An operator tripped it, or took an override back.
        Manual = "manual",
    }
}

words! {
    /// Why a breaker rejected a call.
    RejectReason {
        /// It is open and its cooldown is not over.
        Open = "open",
        /// It is half-open and every probe is out.
        HalfOpen = "half_open",
        /// An operator forced it open.
        ForcedOpen = "forced_open",
    }
}

words! {
    /// Why a call was not retried.
    StopReason {
        /// The failure cannot be cured by trying again.
        NotRetryable = "not_retryable",
        /// `max_attempts` were made.
        AttemptsExhausted = "attempts_exhausted",
        /// The server asked for more patience than `max_hint`.
        HintTooLong = "hint_too_long",
        /// The wait would end at or after the call's deadline.
        Deadline = "deadline",
        /// The breaker would reject the next attempt.
        BreakerOpen = "breaker_open",
        /// The retry budget holds no whole token.
        BudgetExhausted = "budget_exhausted",
    }
}

words! {
    /// Why a breaker went from one state to another: the test or the probes that opened it, what ended a
    /// cooldown or a half-open state, or an operator's command.
    ChangeReason {
        /// So many failures in a row.
        ConsecutiveFailures = "consecutive_failures",
        /// The share of failures in the window.
        FailureRate = "failure_rate",
        /// The share of slow calls in the window.
        SlowRate = "slow_rate",
        /// Probes failed.
        ProbeFailed = "probe_failed",
        /// Probes were lost or are hanging.
        ProbeTimeout = "probe_timeout",
        /// The cooldown was over, and a call came to probe.
        CooldownOver = "cooldown_over",
        /// Enough probes succeeded.
        ProbesSucceeded = "probes_succeeded",
        /// An operator tripped it.
        Manual = "manual",
        /// An operator reset it.
        Reset = "reset",
        /// An operator forced it open or closed.
        Forced = "forced",
        /// An operator took an override back.
        Automatic = "automatic",
        /// A snapshot was restored.
        Restored = "restored",
    }
}

impl From<OpenReason> for ChangeReason {
    fn from(reason: OpenReason) -> Self {
        match reason {
            OpenReason::ConsecutiveFailures => Self::ConsecutiveFailures,
            OpenReason::FailureRate => Self::FailureRate,
            OpenReason::SlowRate => Self::SlowRate,
            OpenReason::ProbeFailed => Self::ProbeFailed,
            OpenReason::ProbeTimeout => Self::ProbeTimeout,
            OpenReason::Manual => Self::Manual,
        }
    }
}

words! {
    /// What a wait before a retry came from.
    Origin {
        /// The retry's own backoff.
        Backoff = "backoff",
        /// The server's hint, which was longer.
        Hint = "hint",
    }
}

words! {
    /// What bounds an attempt; fixed when it starts.
    Cut {
        /// `attempt_timeout`, which is a retryable failure.
        Attempt = "attempt",
        /// The deadline of the call.
        Deadline = "deadline",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_leads_back_to_its_variant() {
        assert!(Position::ALL.iter().all(|p| Position::from_word(p.as_str()) == Some(*p)));
        assert!(OpenReason::ALL.iter().all(|r| OpenReason::from_word(r.as_str()) == Some(*r)));
        assert!(RejectReason::ALL.iter().all(|r| RejectReason::from_word(r.as_str()) == Some(*r)));
        assert!(StopReason::ALL.iter().all(|r| StopReason::from_word(r.as_str()) == Some(*r)));
        assert!(ChangeReason::ALL.iter().all(|r| ChangeReason::from_word(r.as_str()) == Some(*r)));
        assert!(Outcome::ALL.iter().all(|o| Outcome::from_word(o.as_str()) == Some(*o)));
        assert!(Ending::ALL.iter().all(|e| Ending::from_word(e.as_str()) == Some(*e)));
        assert!(Origin::ALL.iter().all(|o| Origin::from_word(o.as_str()) == Some(*o)));
        assert!(Cut::ALL.iter().all(|c| Cut::from_word(c.as_str()) == Some(*c)));
        assert_eq!(Position::from_word("ajar"), None);
    }

    #[test]
    fn every_word_is_at_its_place() {
        assert!((0..).zip(ChangeReason::ALL).all(|(place, reason)| reason.place() == place));
    }

    #[test]
    fn an_outcome_is_an_ending_of_the_same_word() {
        assert!(Outcome::ALL.iter().all(|o| Ending::from(*o).as_str() == o.as_str()));
    }

    #[test]
    fn why_a_breaker_opened_is_the_same_word_as_why_its_state_changed() {
        for reason in OpenReason::ALL {
            assert_eq!(ChangeReason::from(*reason).as_str(), reason.as_str());
        }
    }
}
