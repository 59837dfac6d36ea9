//! The policy of a retry budget.

use super::{
    dialect::Dialect,
    field::{Absent, Field, FieldRow, Fields, rows},
    quantity::PerSecond,
    table::Table,
    value::Value,
};
use crate::kernel::{error::InvalidPolicy, time::Ppm};

/// One token, in micro-tokens.
pub const TOKEN: u64 = 1_000_000;

/// The validated policy of a retry budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BudgetPolicy {
    /// Tokens deposited at the start of each call, 0 to 1.
    pub ratio: Ppm,
    /// Micro-tokens refilled in each millisecond: `min_per_second · 1000`.
    pub refill_per_milli: u64,
    /// The most micro-tokens it holds: `burst · 1,000,000`.
    pub capacity: u64,
}

const RATIO: Field<Ppm> = Field {
    name: "ratio",
    min: Ppm::ZERO,
    max: Ppm::ONE,
    default: Absent::Is(Ppm::new(200_000)),
    meaning: "tokens deposited at the start of each call",
};
const MIN_PER_SECOND: Field<PerSecond> = Field {
    name: "min_per_second",
    min: PerSecond(0),
    max: PerSecond(1_000_000),
    default: Absent::Is(PerSecond(1_000)),
    meaning: "tokens refilled per second whatever the traffic, at most 3 decimals",
};
const BURST: Field<u32> = Field {
    name: "burst",
    min: 1,
    max: 1_000,
    default: Absent::Is(10),
    meaning: "the most tokens it holds, and what it starts with",
};
const FIELDS: &Fields = &[&RATIO, &MIN_PER_SECOND, &BURST];

impl BudgetPolicy {
    /// Parses the raw fields; `path` is where they stand, for the errors.
    ///
    /// # Errors
    /// The first field that breaks a rule.
    pub fn from_value(value: &Value, path: &str, dialect: Dialect) -> Result<Self, InvalidPolicy> {
        let table = Table::open(value, path, dialect, FIELDS)?;
        Ok(Self::of(table.take(&RATIO)?, table.take(&MIN_PER_SECOND)?, table.take(&BURST)?))
    }

    /// The table of fields, for docs and tools.
    pub fn fields() -> Vec<FieldRow> {
        rows(FIELDS)
    }

    fn of(ratio: Ppm, min_per_second: PerSecond, burst: u32) -> Self {
        // A thousandth of a token per second is a micro-token per millisecond.
        let refill_per_milli = u64::from(min_per_second.0);
        Self { ratio, refill_per_milli, capacity: u64::from(burst) * TOKEN }
    }
}

impl Default for BudgetPolicy {
    /// A fifth of a token for each call, one token per second, ten at most.
    fn default() -> Self {
        Self::of(RATIO.start(), MIN_PER_SECOND.start(), BURST.start())
    }
}
