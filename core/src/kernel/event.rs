//! What was decided and why, as data: one event per decision, the same names and fields in every language.
//!
//! An event is told after its decision and cannot change it. It holds names, words, numbers and durations,
//! and nothing of the caller's arguments, results or errors.
//!
//! INVARIANT: the fields of an event have one order, and there is one table of them, below. An event of a
//! breaker or of a call says whose call it was, in the fields of [`Caller`]: `guard` and `attempt` before what
//! it is about, `trace_id`, `span_id` and `correlation_id` after that.

use super::{
    caller::Caller,
    name::Name,
    outcome::{ChangeReason, Cut, Origin, Outcome, Position, RejectReason, StopReason},
    retry::Decision,
    time::Span,
    trace::{SpanId, TraceId},
};

/// A value of a field, for who shows, sends or compares events without knowing each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact {
    /// There is none.
    Absent,
    /// A name, or an identifier.
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

/// Declares the events: a name and fields each. `@caller` stands for the fields of [`Caller`].
macro_rules! events {
    ($(#[$meta:meta])* $type:ident { $(
        $(#[$doc:meta])* $variant:ident = $name:literal {
            $($(#[$head_doc:meta])* $head:ident: $head_kind:ty,)*
            $(@$caller:ident; $($(#[$field_doc:meta])* $field:ident: $kind:ty,)*)?
        },
    )* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $type { $(
            $(#[$doc])*
            #[non_exhaustive]
            $variant {
                $($(#[$head_doc])* $head: $head_kind,)*
                $(
                    $($(#[$field_doc])* $field: $kind,)*
                    /// On whose behalf.
                    $caller: Caller,
                )?
            },
        )* }

        impl $type {
            /// Every event there is: its name and the names of its fields, in their order.
            pub const ALL: &[(&str, &[&str])] = &[$(($name, &[
                $(stringify!($head),)*
                $(
                    of!($caller, "guard"),
                    of!($caller, "attempt"),
                    $(stringify!($field),)*
                    of!($caller, "trace_id"),
                    of!($caller, "span_id"),
                    of!($caller, "correlation_id"),
                )?
            ]),)*];

            /// Its name, the same in every language.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $name,)* }
            }

            /// On whose behalf it was decided; `None` of what is decided for nobody.
            pub const fn caller(&self) -> Option<&Caller> {
                match self { $(
                    Self::$variant { $($caller,)? .. } => of!($(Some($caller),)? None),
                )* }
            }

            /// Its fields by their names, in one order.
            pub fn fields(&self) -> impl Iterator<Item = (&'static str, Fact)> {
                let fields = match self { $(
                    Self::$variant { $($head,)* $($($field,)* $caller)? } => vec![
                        $((stringify!($head), Fact::from($head.clone())),)*
                        $(
                            ("guard", Fact::from($caller.guard.clone())),
                            ("attempt", Fact::from($caller.attempt)),
                            $((stringify!($field), Fact::from($field.clone())),)*
                            ("trace_id", Fact::from($caller.trace_id)),
                            ("span_id", Fact::from($caller.span_id)),
                            ("correlation_id", Fact::from($caller.correlation_id.clone())),
                        )?
                    ],
                )* };
                fields.into_iter()
            }
        }
    };
}

/// What comes first, or, of a caller's field, its name.
macro_rules! of {
    (Some($caller:ident), None) => {
        Some($caller)
    };
    (None) => {
        None
    };
    ($caller:ident, $name:literal) => {
        $name
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
            @caller;
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
            @caller;
            /// How long until the next attempt.
            wait: Span,
            /// What this wait came from.
            origin: Origin,
        },
        /// A breaker rejected a call.
        Reject = "reject" {
            /// The breaker.
            breaker: Name,
            @caller;
            /// Why.
            reason: RejectReason,
            /// How long until a probe is admitted, where that is known.
            retry_after: Option<Span>,
            /// Which rejection it is since the last change of state, from 1, as far as anybody listened.
            nth: u64,
        },
        /// A call's last failure is handed over; it is not retried.
        GiveUp = "give_up" {
            @caller;
            /// The time since the call began; absent of a retry alone, which does not measure it.
            elapsed: Option<Span>,
            /// Why it is not retried.
            reason: StopReason,
        },
        /// An attempt or a call took longer than it may.
        Timeout = "timeout" {
            @caller;
            /// The limit that it broke.
            timeout: Span,
            /// Which limit that is.
            which: Cut,
        },
        /// An outcome came after its epoch was over, and changed nothing.
        LateResult = "late_result" {
            /// The breaker.
            breaker: Name,
            @caller;
            /// The outcome.
            outcome: Outcome,
        },
        /// A retry was denied, as the budget held no whole token.
        BudgetExhausted = "budget_exhausted" {
            @caller;
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

/// What a call tells of one of its attempts; it costs nothing to make. Of its rejections and transitions the
/// breaker tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How many attempts had begun.
    pub attempt: u32,
    /// What is told.
    pub news: News,
}

/// What a call tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A failed attempt is tried again.
    Retry {
        /// How long until the next one.
        wait: Span,
        /// What this wait came from.
        origin: Origin,
    },
    /// The last failure is handed over.
    GiveUp {
        /// The time since the call began, where that is measured.
        elapsed: Option<Span>,
        /// Why it is not retried.
        reason: StopReason,
    },
    /// An attempt or the call took longer than it may.
    Timeout {
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
        let (budget, news) = match decision {
            Decision::Wait(wait) => (None, News::Retry { wait, origin }),
            Decision::Stop(reason) => (
                (reason == StopReason::BudgetExhausted).then_some(News::BudgetExhausted),
                News::GiveUp { elapsed, reason },
            ),
        };
        budget.into_iter().chain([news]).map(move |news| Self { attempt, news })
    }

    /// The event, told on behalf of `caller`.
    pub fn by(self, caller: Caller) -> Event {
        match self.news {
            News::Retry { wait, origin } => Event::Retry { wait, origin, caller },
            News::GiveUp { elapsed, reason } => Event::GiveUp { elapsed, reason, caller },
            News::Timeout { timeout, which } => Event::Timeout { timeout, which, caller },
            News::BudgetExhausted => Event::BudgetExhausted { caller },
        }
    }
}

impl From<Name> for Fact {
    fn from(name: Name) -> Self {
        Self::Name(name)
    }
}

impl From<TraceId> for Fact {
    fn from(id: TraceId) -> Self {
        Self::Name(id.to_string().into())
    }
}

impl From<SpanId> for Fact {
    fn from(id: SpanId) -> Self {
        Self::Name(id.to_string().into())
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
        let span = SpanId::from_hex("00f067aa0ba902b7");
        let event = Event::Reject {
            breaker: "payments".into(),
            caller: Caller { attempt: Some(2), span_id: span, ..Caller::default() },
            reason: RejectReason::Open,
            retry_after: Some(Span::from_millis(5)),
            nth: 3,
        };
        let fields: Vec<_> = event.fields().collect();
        let expected = [
            ("breaker", Fact::Name("payments".into())),
            ("guard", Fact::Absent),
            ("attempt", Fact::Count(2)),
            ("reason", Fact::Word("open")),
            ("retry_after", Fact::Span(Span::from_millis(5))),
            ("nth", Fact::Count(3)),
            ("trace_id", Fact::Absent),
            ("span_id", Fact::Name("00f067aa0ba902b7".into())),
            ("correlation_id", Fact::Absent),
        ];
        assert_eq!(event.caller().and_then(|caller| caller.span_id), span);
        assert_eq!(Event::Eviction { key: "payments".into() }.caller(), None);
        assert_eq!(fields, expected);
        let (_, names) = Event::ALL.iter().find(|(name, _)| *name == event.name()).expect("it is listed");
        assert!(names.iter().eq(expected.iter().map(|(name, _)| name)));
    }

    #[test]
    fn a_decision_tells_of_the_budget_before_it_gives_up() {
        let of = |decision| Notice::of_decision(decision, 2, Origin::Hint, None).collect::<Vec<_>>();
        let wait = Span::from_millis(7);
        let told = |news| Notice { attempt: 2, news };
        assert_eq!(of(Decision::Wait(wait)), [told(News::Retry { wait, origin: Origin::Hint })]);
        let give_up = |reason| told(News::GiveUp { elapsed: None, reason });
        let reason = StopReason::BudgetExhausted;
        assert_eq!(of(Decision::Stop(reason)), [told(News::BudgetExhausted), give_up(reason)]);
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
            caller: Caller::default(),
        };
        let (reason, caller) = (StopReason::NotRetryable, Caller::default());
        let give_up = Event::GiveUp { elapsed: None, reason, caller: caller.clone() };
        let late = Event::LateResult { breaker: "payments".into(), outcome: Outcome::Success, caller };
        assert_eq!(
            [change(Position::Open), change(Position::ForcedOpen), give_up, late]
                .map(|event| event.severity()),
            [Severity::Warning, Severity::Info, Severity::Info, Severity::Debug]
        );
    }
}
