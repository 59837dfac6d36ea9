//! Decisions as events of `tracing`, where they are made: in the span and with the subscriber of the moment.
//!
//! | what | is |
//! | --- | --- |
//! | the target | `overcurrent` |
//! | the name and the message | `overcurrent.` and the event's name |
//! | the fields | `event` with the event's name, and those of the event; durations in seconds |
//! | the level | that of the event's severity |
//!
//! Of a breaker's rejections the first one after each change of state is logged; the next change says how many
//! there were. What is absent is not recorded.
//!
//! `tracing` wants to know the fields of each event when it is compiled, so they stand here once more, in the
//! order of the kernel's table; a test holds the two against each other.

use std::time::Duration;

use tracing::{Level, Value, level_filters::LevelFilter};

use crate::{
    kernel::event::{Event, Fact, Severity},
    live::events::{Filter, InPlace, subscribe_in_place},
};

/// Logs what is decided in this process, until what comes back is dropped. To be asked once: who asks twice has
/// each line twice.
///
/// ```
/// let logging = overcurrent::log_events();
/// // … all of the program …
/// drop(logging);
/// ```
pub fn log_events() -> Logging {
    Logging { _listening: subscribe_in_place(Filter::everything().first_rejections(), log) }
}

/// Decisions are logged while it lives.
#[must_use = "dropping it ends the log"]
#[derive(Debug)]
pub struct Logging {
    _listening: InPlace,
}

/// A field's value; none where it is absent.
type Recorded = Option<Box<dyn Value>>;

fn recorded(fact: Fact) -> Recorded {
    Some(match fact {
        Fact::Absent => return None,
        Fact::Name(name) => Box::new(String::from(name)),
        Fact::Word(word) => Box::new(word),
        Fact::Count(count) => Box::new(count),
        Fact::Span(span) => Box::new(Duration::from(span).as_secs_f64()),
    })
}

/// Emits an event of one name at its level: its values, by the names of its fields.
macro_rules! emit {
    ($level:expr, $values:expr, $name:literal, $($field:ident)*) => {{
        let mut values = $values;
        // In the order of the fields, as both follow the table.
        $(let $field = values.next().flatten();)*
        match $level {
            Level::WARN => emit!(at Level::WARN, $name, $($field)*),
            Level::INFO => emit!(at Level::INFO, $name, $($field)*),
            _ => emit!(at Level::DEBUG, $name, $($field)*),
        }
    }};
    (at $level:expr, $name:literal, $($field:ident)*) => {
        tracing::event!(
            name: concat!("overcurrent.", $name),
            target: "overcurrent",
            $level,
            event = $name,
            $($field = $field.as_deref(),)*
            concat!("overcurrent.", $name)
        )
    };
}

/// The events by name, each with its fields.
macro_rules! emit_by_name {
    ($event:expr, $level:expr; $($name:literal: $($field:ident)*;)*) => {
        match $event.name() {
            $($name => emit!($level, $event.fields().map(|(_, fact)| recorded(fact)), $name, $($field)*),)*
            _ => {}
        }
    };
}

fn log(event: &Event) {
    let level = match event.severity() {
        Severity::Warning => Level::WARN,
        Severity::Info => Level::INFO,
        Severity::Debug => Level::DEBUG,
    };
    if level > LevelFilter::current() {
        return;
    }
    emit_by_name! { event, level;
        "state_change": breaker guard attempt old new reason epoch consecutive total failures slow lasted
            open_for rejected trace_id span_id correlation_id;
        "retry": guard attempt wait origin trace_id span_id correlation_id;
        "reject": breaker guard attempt reason retry_after nth trace_id span_id correlation_id;
        "give_up": guard attempt elapsed reason trace_id span_id correlation_id;
        "timeout": guard attempt timeout which trace_id span_id correlation_id;
        "late_result": breaker guard attempt outcome trace_id span_id correlation_id;
        "budget_exhausted": guard attempt trace_id span_id correlation_id;
        "eviction": key;
    }
}
