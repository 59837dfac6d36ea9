//! The policy of a guard: everything that surrounds one call.

use super::{
    breaker::BreakerPolicy,
    budget::BudgetPolicy,
    dialect::Dialect,
    field::{Absent, Field, FieldRow, Fields, Shape, rows},
    retry::RetryPolicy,
    table::{DEFAULTS, Switch, Table},
    value::Value,
};
use crate::kernel::{error::InvalidPolicy, time::Span};

/// What a call does while the breaker rejects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhenOpen {
    /// Fail at once.
    Fail,
    /// Wait for the breaker, within the deadline.
    Wait,
}

/// The validated policy of a guard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GuardPolicy {
    /// The time for the whole call.
    pub deadline: Option<Span>,
    /// The time for one attempt.
    pub attempt_timeout: Option<Span>,
    /// What to do while the breaker rejects.
    pub when_open: WhenOpen,
    /// How to retry; `None` makes one attempt.
    pub retry: Option<RetryPolicy>,
    /// The breaker's policy as this guard sees it; `None` has no breaker.
    pub breaker: Option<BreakerPolicy>,
}

/// A limit of time, at least one nanosecond.
const fn limit(name: &'static str, secs: u64, meaning: &'static str) -> Field<Span> {
    let default = Absent::Is(Span::from_secs(secs));
    Field { name, min: Span::from_nanos(1), max: Span::MAX, default, meaning }
}

const DEADLINE: Field<Span> = limit("deadline", 30, "the time for the whole call; `false` for none");
const ATTEMPT_TIMEOUT: Field<Span> =
    limit("attempt_timeout", 10, "the time for one attempt; `false` for none");
const WHEN_OPEN: Shape = Shape {
    name: "when_open",
    forms: "`fail` or `wait`",
    default: "fail",
    meaning: "what a call does while the breaker rejects",
};
const RETRY: Shape = Shape {
    name: "retry",
    forms: "a table, `true` or `false`",
    default: "the defaults of a retry, with a budget",
    meaning: "how to retry",
};
const BREAKER: Shape = Shape {
    name: "breaker",
    forms: "a table, `true` or `false`",
    default: "the defaults of a breaker",
    meaning: "when to stop calling a dependency that fails",
};
const FIELDS: &Fields = &[&DEADLINE, &ATTEMPT_TIMEOUT, &WHEN_OPEN, &RETRY, &BREAKER];

impl GuardPolicy {
    /// Parses the raw fields; `path` is where they stand, for the errors.
    ///
    /// # Errors
    /// The first field that breaks a rule.
    pub fn from_value(value: &Value, path: &str, dialect: Dialect) -> Result<Self, InvalidPolicy> {
        let table = Table::open(value, path, dialect, FIELDS)?;
        let deadline = limited(&table, &DEADLINE)?;
        let attempt_timeout = limited(&table, &ATTEMPT_TIMEOUT)?;
        let retry = match table.switch(&RETRY)?.unwrap_or(Switch::On(&DEFAULTS)) {
            Switch::Off => None,
            Switch::On(value) => {
                let budget = Some(BudgetPolicy::default());
                Some(RetryPolicy::with_budget(budget, value, &table.path_of(RETRY.name), dialect)?)
            }
        };
        let breaker = match table.switch(&BREAKER)?.unwrap_or(Switch::On(&DEFAULTS)) {
            Switch::Off => None,
            Switch::On(value) => {
                let limits = (attempt_timeout, deadline);
                Some(BreakerPolicy::guarded(value, limits, &table.path_of(BREAKER.name), dialect)?)
            }
        };
        Ok(Self { deadline, attempt_timeout, when_open: when_open(&table)?, retry, breaker })
    }

    /// The table of fields, for docs and tools; those of `retry` and `breaker` are in theirs.
    pub fn fields() -> Vec<FieldRow> {
        rows(FIELDS)
    }
}

impl Default for GuardPolicy {
    /// 30 s for the call, 10 s for an attempt, the defaults of retry, budget and breaker.
    fn default() -> Self {
        let attempt_timeout = ATTEMPT_TIMEOUT.start();
        let half = Span::from_nanos(attempt_timeout.as_nanos() / 2);
        Self {
            deadline: Some(DEADLINE.start()),
            attempt_timeout: Some(attempt_timeout),
            when_open: WhenOpen::Fail,
            retry: Some(RetryPolicy { budget: Some(BudgetPolicy::default()), ..RetryPolicy::default() }),
            breaker: Some(BreakerPolicy { abandon_after: Some(half), ..BreakerPolicy::default() }),
        }
    }
}

/// A limit of time, `None` where it is switched off.
fn limited(table: &Table<'_>, field: &Field<Span>) -> Result<Option<Span>, InvalidPolicy> {
    match table.raw(field.name) {
        Some(Value::Bool(false)) => Ok(None),
        Some(Value::Bool(true)) => Err(table.refuse(field.name, "must be a duration, or `false` for none")),
        _ => table.take(field).map(Some),
    }
}

fn when_open(table: &Table<'_>) -> Result<WhenOpen, InvalidPolicy> {
    match table.raw(WHEN_OPEN.name) {
        None => Ok(WhenOpen::Fail),
        Some(Value::Text(word)) if word == "fail" => Ok(WhenOpen::Fail),
        Some(Value::Text(word)) if word == "wait" => Ok(WhenOpen::Wait),
        Some(_) => Err(table.refuse(WHEN_OPEN.name, format!("must be {}", WHEN_OPEN.forms))),
    }
}
