//! What was decided and why, as data: one event per decision, the same names and fields in every language.
//!
//! An event is told after its decision and cannot change it. It holds names, words, numbers and durations,
//! and nothing of the caller's arguments, results or errors.
//!
//! INVARIANT: the fields of an event have one order, and there is one table of them, below.

use super::{
    name::Name,
    outcome::{ChangeReason, Cut, Origin, Outcome, Position, RejectReason, StopReason},
    retry::Decision,
    time::Span,
};

/// A value of a field, for who shows, sends or compares events without knowing each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact {
    /// There is none.
    Absent,
    /// A name.
    Name(Name),
    /// One of the words that this crate defines.
    Word(&'static str),
    /// A count.
    Count(u64),
    /// A duration.
    Span(Span),
}

/// How much an event matters to who runs the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// For who looks for something.
    Debug,
    /// Worth a line.
    Info,
    /// A breaker has opened.
    Warning,
}

/// Declares the events: a name and fields each.
macro_rules! events {
    ($(#[$meta:meta])* $type:ident { $(
        $(#[$doc:meta])* $variant:ident = $name:literal { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* },
    )* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $type { $(
            $(#[$doc])*
            #[non_exhaustive]
            $variant { $($(#[$field_doc])* $field: $kind,)* },
        )* }

        impl $type {
            /// Every event there is: its name and the names of its fields, in their order.
            pub const ALL: &[(&str, &[&str])] = &[$(($name, &[$(stringify!($field),)*]),)*];

            /// Its name, the same in every language.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $name,)* }
            }

            /// Its fields by their names, in one order.
            pub fn fields(&self) -> impl Iterator<Item = (&'static str, Fact)> {
                let fields = match self { $(
                    Self::$variant { $($field,)* } => vec![$((stringify!($field), Fact::from($field.clone())),)*],
                )* };
                fields.into_iter()
            }
        }
    };
}

events! {
    /// A decision that was made.
    ///
    /// ```
    /// use overcurrent::{Breaker, BreakerPolicy, Event, Filter, subscribe};
    ///
    /// let breaker = Breaker::new("payments", BreakerPolicy::consecutive_failures(1).build()?);
    /// let events = subscribe(Filter::from(&breaker), 100);
    /// breaker.acquire().unwrap().failure();
    ///
    /// let event = events.try_next().unwrap();
    /// assert!(matches!(&event, Event::StateChange { new, .. } if new.as_str() == "open"));
    /// assert_eq!(event.name(), "state_change");
    /// # Ok::<(), overcurrent::InvalidPolicy>(())
    /// ```
    Event {
        /// A breaker went from one state to another, or began the same one afresh.
        StateChange = "state_change" {
            /// The breaker.
            breaker: Name,
            /// Where it stood.
            old: Position,
            /// Where it stands now.
            new: Position,
            /// Why.
            reason: ChangeReason,
            /// The epoch that began with it: 2 with the first change, one more with each.
            epoch: u32,
            /// The failures in a row, where a test of them or of the window opened it.
            consecutive: Option<u64>,
            /// The outcomes in the window, where a test opened it and it has a window.
            total: Option<u64>,
            /// The failures among them; of a window of calls at least so many.
            failures: Option<u64>,
            /// The slow ones among them; of a window of calls at least so many.
            slow: Option<u64>,
            /// How long it had been in the old state, in whole milliseconds.
            lasted: Span,
            /// How long it will stay open, where it opened.
            open_for: Option<Span>,
            /// How many calls it rejected in the old state, as far as anybody listened.
            rejected: u64,
        },
        /// A failed attempt is tried again after a wait.
        Retry = "retry" {
            /// The guard; absent of a retry alone.
            guard: Option<Name>,
            /// The attempt that failed, from 1.
            attempt: u32,
            /// How long until the next one.
            wait: Span,
            /// What this wait came from.
            origin: Origin,
        },
        /// A breaker rejected a call.
        Reject = "reject" {
            /// The breaker.
            breaker: Name,
            /// The guard that had asked; absent where the breaker was asked itself.
            guard: Option<Name>,
            /// Why.
            reason: RejectReason,
            /// How long until a probe is admitted, where that is known.
            retry_after: Option<Span>,
            /// Which rejection it is since the last change of state, from 1, as far as anybody listened.
            nth: u64,
        },
        /// A call's last failure is handed over; it is not retried.
        GiveUp = "give_up" {
            /// The guard; absent of a retry alone.
            guard: Option<Name>,
            /// How many attempts were made.
            attempts: u32,
            /// The time since the call began; absent of a retry alone, which does not measure it.
            elapsed: Option<Span>,
            /// Why it is not retried.
            reason: StopReason,
        },
        /// An attempt or a call took longer than it may.
        Timeout = "timeout" {
            /// The guard; always there, as a retry alone knows no limits.
            guard: Option<Name>,
            /// How many attempts had begun.
            attempt: u32,
            /// The limit that it broke.
            timeout: Span,
            /// Which limit that is.
            which: Cut,
        },
        /// An outcome came after its epoch was over, and changed nothing.
        LateResult = "late_result" {
            /// The breaker.
            breaker: Name,
            /// The outcome.
            outcome: Outcome,
        },
        /// A retry was denied, as the budget held no whole token.
        BudgetExhausted = "budget_exhausted" {
            /// The guard; absent of a retry alone.
            guard: Option<Name>,
        },
        /// A registry forgot an idle entry to make room.
        Eviction = "eviction" {
            /// The key of the entry.
            key: Name,
        },
    }
}

impl Event {
    /// How much it matters: a breaker that opened is a warning; what comes with each call that fails is not,
    /// as its caller gets the error; what may come once per call while all is well again is for debugging.
    pub fn severity(&self) -> Severity {
        match self {
            Self::StateChange { new: Position::Open, .. } => Severity::Warning,
            Self::LateResult { .. } | Self::Eviction { .. } => Severity::Debug,
            _ => Severity::Info,
        }
    }
}

/// What a call tells of, without the guard's name; it costs nothing to make. Of its rejections and transitions
/// the breaker tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A failed attempt is tried again.
    Retry {
        /// The attempt that failed.
        attempt: u32,
        /// How long until the next one.
        wait: Span,
        /// What this wait came from.
        origin: Origin,
    },
    /// The last failure is handed over.
    GiveUp {
        /// How many attempts were made.
        attempts: u32,
        /// The time since the call began, where that is measured.
        elapsed: Option<Span>,
        /// Why it is not retried.
        reason: StopReason,
    },
    /// An attempt or the call took longer than it may.
    Timeout {
        /// How many attempts had begun.
        attempt: u32,
        /// The limit.
        timeout: Span,
        /// Which limit that is.
        which: Cut,
    },
    /// A retry was denied by the budget.
    BudgetExhausted,
}

impl Notice {
    /// What a retry decision tells, in this order.
    pub fn of_decision(
        decision: Decision,
        attempt: u32,
        origin: Origin,
        elapsed: Option<Span>,
    ) -> impl Iterator<Item = Self> {
        let (budget, notice) = match decision {
            Decision::Wait(wait) => (None, Self::Retry { attempt, wait, origin }),
            Decision::Stop(reason) => (
                (reason == StopReason::BudgetExhausted).then_some(Self::BudgetExhausted),
                Self::GiveUp { attempts: attempt, elapsed, reason },
            ),
        };
        budget.into_iter().chain([notice])
    }

    /// The event, told by a guard or by a retry alone.
    pub fn by(self, guard: Option<&Name>) -> Event {
        let guard = guard.cloned();
        match self {
            Self::Retry { attempt, wait, origin } => Event::Retry { guard, attempt, wait, origin },
            Self::GiveUp { attempts, elapsed, reason } => Event::GiveUp { guard, attempts, elapsed, reason },
            Self::Timeout { attempt, timeout, which } => Event::Timeout { guard, attempt, timeout, which },
            Self::BudgetExhausted => Event::BudgetExhausted { guard },
        }
    }
}

impl From<Name> for Fact {
    fn from(name: Name) -> Self {
        Self::Name(name)
    }
}

impl From<u64> for Fact {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<u32> for Fact {
    fn from(count: u32) -> Self {
        Self::Count(count.into())
    }
}

impl From<Span> for Fact {
    fn from(span: Span) -> Self {
        Self::Span(span)
    }
}

impl<T: Into<Self>> From<Option<T>> for Fact {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Into::into)
    }
}

/// Words are facts as such.
macro_rules! words {
    ($($type:ty),*) => { $(
        impl From<$type> for Fact {
            fn from(word: $type) -> Self {
                Self::Word(word.as_str())
            }
        }
    )* };
}

words!(Position, ChangeReason, Origin, RejectReason, StopReason, Cut, Outcome);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_gives_its_fields_by_name_in_the_order_of_the_table() {
        let event = Event::Reject {
            breaker: "payments".into(),
            guard: None,
            reason: RejectReason::Open,
            retry_after: Some(Span::from_millis(5)),
            nth: 3,
        };
        let fields: Vec<_> = event.fields().collect();
        let expected = [
            ("breaker", Fact::Name("payments".into())),
            ("guard", Fact::Absent),
            ("reason", Fact::Word("open")),
            ("retry_after", Fact::Span(Span::from_millis(5))),
            ("nth", Fact::Count(3)),
        ];
        assert_eq!(fields, expected);
        let (_, names) = Event::ALL.iter().find(|(name, _)| *name == event.name()).expect("it is listed");
        assert!(names.iter().eq(expected.iter().map(|(name, _)| name)));
    }

    #[test]
    fn a_decision_tells_of_the_budget_before_it_gives_up() {
        let of = |decision| Notice::of_decision(decision, 2, Origin::Hint, None).collect::<Vec<_>>();
        let wait = Span::from_millis(7);
        assert_eq!(of(Decision::Wait(wait)), [Notice::Retry { attempt: 2, wait, origin: Origin::Hint }]);
        let give_up = |reason| Notice::GiveUp { attempts: 2, elapsed: None, reason };
        let reason = StopReason::BudgetExhausted;
        assert_eq!(of(Decision::Stop(reason)), [Notice::BudgetExhausted, give_up(reason)]);
        assert_eq!(of(Decision::Stop(StopReason::Deadline)), [give_up(StopReason::Deadline)]);
    }

    #[test]
    fn only_what_opened_is_a_warning() {
        let change = |new| Event::StateChange {
            breaker: "payments".into(),
            old: Position::Closed,
            new,
            reason: ChangeReason::FailureRate,
            epoch: 2,
            consecutive: None,
            total: None,
            failures: None,
            slow: None,
            lasted: Span::ZERO,
            open_for: None,
            rejected: 0,
        };
        let give_up =
            Event::GiveUp { guard: None, attempts: 1, elapsed: None, reason: StopReason::NotRetryable };
        let late = Event::LateResult { breaker: "payments".into(), outcome: Outcome::Success };
        assert_eq!(
            [change(Position::Open), change(Position::ForcedOpen), give_up, late]
                .map(|event| event.severity()),
            [Severity::Warning, Severity::Info, Severity::Info, Severity::Debug]
        );
    }
}
