//! The policy of a retry: how often, how long between, how much in all.

use super::{
    budget::BudgetPolicy,
    dialect::Dialect,
    field::{Absent, Field, FieldRow, Fields, Shape, rows},
    table::{Switch, Table},
    value::Value,
    waits::{self, Backoff, Jitter},
};
use crate::kernel::{error::InvalidPolicy, time::Span};

/// The validated policy of a retry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RetryPolicy {
    /// How many attempts in all, the first one counted.
    pub max_attempts: u32,
    /// How the waits grow.
    pub backoff: Backoff,
    /// How they are drawn.
    pub jitter: Jitter,
    /// The longest server hint that is waited for.
    pub max_hint: Span,
    /// The budget of all calls together, if there is one.
    pub budget: Option<BudgetPolicy>,
}

const MAX_ATTEMPTS: Field<u32> = Field {
    name: "max_attempts",
    min: 1,
    max: 1_000,
    default: Absent::Is(3),
    meaning: "attempts in all, the first one counted",
};
const BACKOFF: Shape = Shape {
    name: "backoff",
    forms: "`none` or one of `constant`, `linear`, `exponential`, `schedule` with its fields",
    default: "exponential, 100ms to 5s, doubling",
    meaning: "how the waits grow from one failed attempt to the next",
};
const JITTER: Shape = Shape {
    name: "jitter",
    forms: "one of `none`, `full`, `equal`, `decorrelated`, or `proportional` with its share",
    default: "full",
    meaning: "how each wait is drawn around its base",
};
const MAX_HINT: Field<Span> = Field {
    name: "max_hint",
    min: Span::ZERO,
    max: Span::MAX,
    default: Absent::Is(Span::from_secs(60)),
    meaning: "the longest server hint (Retry-After) that is waited for",
};
const BUDGET: Shape = Shape {
    name: "budget",
    forms: "a table, `true` or `false`",
    default: "none; in a guard the defaults of a budget",
    meaning: "caps the retries of all calls together",
};
const FIELDS: &Fields = &[&MAX_ATTEMPTS, &BACKOFF, &JITTER, &MAX_HINT, &BUDGET];

impl RetryPolicy {
    /// Parses the raw fields of a retry on its own; `path` is where they stand, for the errors.
    ///
    /// # Errors
    /// The first field that breaks a rule.
    pub fn from_value(value: &Value, path: &str, dialect: Dialect) -> Result<Self, InvalidPolicy> {
        Self::with_budget(None, value, path, dialect)
    }

    /// The same with `budget` as the default for that field.
    pub(super) fn with_budget(
        budget: Option<BudgetPolicy>,
        value: &Value,
        path: &str,
        dialect: Dialect,
    ) -> Result<Self, InvalidPolicy> {
        let table = Table::open(value, path, dialect, FIELDS)?;
        let backoff = match table.raw(BACKOFF.name) {
            Some(value) => waits::backoff(value, &table.path_of(BACKOFF.name), dialect, BACKOFF.forms)?,
            None => waits::DEFAULT,
        };
        let jitter = match table.raw(JITTER.name) {
            Some(value) => waits::jitter(value, &table.path_of(JITTER.name), dialect, JITTER.forms)?,
            None => Jitter::Full,
        };
        if jitter == Jitter::Decorrelated && !matches!(backoff, Backoff::Exponential { .. }) {
            return Err(table.refuse(JITTER.name, "goes with `exponential` backoff only"));
        }
        let budget = match table.switch(&BUDGET)? {
            None => budget,
            Some(Switch::Off) => None,
            Some(Switch::On(value)) => {
                Some(BudgetPolicy::from_value(value, &table.path_of(BUDGET.name), dialect)?)
            }
        };
        let max_attempts = table.take(&MAX_ATTEMPTS)?;
        Ok(Self { max_attempts, backoff, jitter, max_hint: table.take(&MAX_HINT)?, budget })
    }

    /// The table of fields, for docs and tools.
    pub fn fields() -> Vec<FieldRow> {
        let mut all = rows(FIELDS);
        all.extend(waits::fields());
        all.extend(BudgetPolicy::fields().into_iter().map(|row| row.within("budget")));
        all
    }
}

impl Default for RetryPolicy {
    /// Three attempts, exponential from 100 ms to 5 s, full jitter, no budget.
    fn default() -> Self {
        Self {
            max_attempts: MAX_ATTEMPTS.start(),
            backoff: waits::DEFAULT,
            jitter: Jitter::Full,
            max_hint: MAX_HINT.start(),
            budget: None,
        }
    }
}
