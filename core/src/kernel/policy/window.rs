//! The window of a breaker policy and the tests over it, read from their raw form.

use super::{
    field::{Absent, Field, FieldRow, Fields, Shape, rows},
    table::{Table, refuse},
};
use crate::kernel::{
    error::InvalidPolicy,
    time::{Ppm, Span},
};

/// Which outcomes a breaker's rates are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// The outcomes of the last `buckets · width`, in buckets of `width`.
    Time {
        /// How many buckets, 1 to 60.
        buckets: u32,
        /// How long each lasts, at least 1 ms.
        width: Span,
    },
    /// The last `calls` outcomes.
    Calls {
        /// How many, 1 to 100,000.
        calls: u32,
    },
}

/// The tests over a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowRules {
    /// The window.
    pub window: Window,
    /// The share of failures that opens, above 0 and at most 1.
    pub failure_rate: Ppm,
    /// How many outcomes the window must hold before a rate is tested.
    pub minimum_calls: u32,
    /// The share of slow calls that opens; without `slow_call` never reached.
    pub slow_rate: Ppm,
}

/// The tests where none is given.
pub(super) const DEFAULT: WindowRules = WindowRules {
    window: DEFAULT_WINDOW,
    failure_rate: FAILURE_RATE.start(),
    minimum_calls: MINIMUM_CALLS.start(),
    slow_rate: SLOW_RATE.start(),
};

const DEFAULT_WINDOW: Window = Window::Time { buckets: BUCKETS.start(), width: Span::from_secs(1) };

pub(super) const WINDOW: Shape = Shape {
    name: "window",
    forms: "a table of `time` and `buckets`, or of `calls`",
    default: "time = 10s, unless only `consecutive_failures` is given",
    meaning: "the outcomes the rates are taken over",
};
pub(super) const FAILURE_RATE: Field<Ppm> = Field {
    name: "failure_rate",
    min: Ppm::new(1),
    max: Ppm::ONE,
    default: Absent::Is(Ppm::new(500_000)),
    meaning: "the share of failures in the window that opens",
};
pub(super) const MINIMUM_CALLS: Field<u32> = Field {
    name: "minimum_calls",
    min: 1,
    max: 1_000_000,
    default: Absent::Is(20),
    meaning: "outcomes the window must hold before a rate is tested; by default no more than it can hold",
};
pub(super) const SLOW_RATE: Field<Ppm> = Field {
    name: "slow_rate",
    min: Ppm::new(1),
    max: Ppm::ONE,
    default: Absent::Is(Ppm::ONE),
    meaning: "the share of slow calls in the window that opens; needs `slow_call`",
};
pub(super) const SLOW_CALL: Field<Span> = Field {
    name: "slow_call",
    min: Span::from_millis(1),
    max: Span::from_secs(24 * 60 * 60),
    default: Absent::Means("none"),
    meaning: "from this duration on a call is slow",
};
const TIME: Field<Span> = Field {
    name: "time",
    min: Span::from_millis(1),
    max: Span::from_secs(24 * 60 * 60),
    default: Absent::Means("required, unless `calls` is given"),
    meaning: "how far back the window reaches, at least 1 ms for each bucket",
};
const BUCKETS: Field<u32> = Field {
    name: "buckets",
    min: 1,
    max: 60,
    default: Absent::Is(10),
    meaning: "how many parts `time` is kept in",
};
const CALLS: Field<u32> = Field {
    name: "calls",
    min: 1,
    max: 100_000,
    default: Absent::Means("none"),
    meaning: "the window is the last so many outcomes",
};
const FIELDS: &Fields = &[&TIME, &BUCKETS, &CALLS];

/// Reads the tests over a window from the table of the breaker; `None` if no field of them is given.
pub(super) fn rules(
    breaker: &Table<'_>,
    slow_call: Option<Span>,
) -> Result<Option<WindowRules>, InvalidPolicy> {
    let window = window(breaker)?;
    let failure_rate = breaker.given(&FAILURE_RATE)?;
    let minimum_calls = breaker.given(&MINIMUM_CALLS)?;
    let slow_rate = breaker.given(&SLOW_RATE)?;
    if slow_rate.is_some() && slow_call.is_none() {
        let needed = breaker.dialect.name(SLOW_CALL.name);
        return Err(breaker.refuse(SLOW_RATE.name, format!("needs `{needed}`")));
    }
    let absent = window.is_none() && failure_rate.is_none() && minimum_calls.is_none();
    if absent && slow_call.is_none() {
        return Ok(None);
    }
    let window = window.unwrap_or(DEFAULT_WINDOW);
    let capacity = match window {
        Window::Calls { calls } => calls,
        Window::Time { .. } => u32::MAX,
    };
    if minimum_calls.is_some_and(|calls| calls > capacity) {
        let rule = format!("must not exceed the window of `{capacity}` calls");
        return Err(breaker.refuse(MINIMUM_CALLS.name, rule));
    }
    Ok(Some(WindowRules {
        window,
        failure_rate: failure_rate.unwrap_or(FAILURE_RATE.start()),
        minimum_calls: minimum_calls.unwrap_or(MINIMUM_CALLS.start().min(capacity)),
        slow_rate: slow_rate.unwrap_or(SLOW_RATE.start()),
    }))
}

/// The fields of a window, for docs and tools.
pub(super) fn fields() -> Vec<FieldRow> {
    rows(FIELDS)
}

fn window(breaker: &Table<'_>) -> Result<Option<Window>, InvalidPolicy> {
    let Some(value) = breaker.raw(WINDOW.name) else { return Ok(None) };
    let path = &breaker.path_of(WINDOW.name);
    let table = Table::open(value, path, breaker.dialect, FIELDS)?;
    let (time, calls) = (table.given(&TIME)?, table.given(&CALLS)?);
    let buckets = table.take(&BUCKETS)?;
    match (time, calls) {
        (None, None) => Err(refuse(path, value, "must have `time` or `calls`")),
        (Some(_), Some(_)) => Err(refuse(path, value, "must have `time` or `calls`, not both")),
        (None, Some(_)) if table.raw(BUCKETS.name).is_some() => {
            Err(table.refuse(BUCKETS.name, "goes with `time` only"))
        }
        (None, Some(calls)) => Ok(Some(Window::Calls { calls })),
        (Some(time), None) => {
            let width = Span::from_nanos(time.as_nanos() / u64::from(buckets));
            if width < Span::from_millis(1) {
                let rule = format!("must be at least 1ms for each of its `{buckets}` buckets");
                return Err(table.refuse(TIME.name, rule));
            }
            Ok(Some(Window::Time { buckets, width }))
        }
    }
}
