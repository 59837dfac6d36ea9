//! The policy of a retry budget.

use crate::kernel::time::Ppm;

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
