//! The retry budget: how many retries all calls together may add.
//!
//! Every call deposits a share of a token, time adds a trickle, a retry takes a whole token. So the
//! load that retries add stays near `ratio` of the calls, plus `min_per_second`, whatever fails.
//!
//! INVARIANT: it holds 0 to `capacity`; time is counted once, by whoever moves the last reading on.

use super::policy::budget::{BudgetPolicy, TOKEN};

impl BudgetPolicy {
    /// What is held after the deposit of one call.
    pub fn deposited(&self, held: u64) -> u64 {
        held.saturating_add(u64::from(self.ratio.parts())).min(self.capacity)
    }

    /// What is held after the time from one reading of the clock (in whole ms) to another.
    pub fn refilled(&self, held: u64, from_millis: u64, to_millis: u64) -> u64 {
        let millis = to_millis.saturating_sub(from_millis);
        held.saturating_add(millis.saturating_mul(self.refill_per_milli)).min(self.capacity)
    }

    /// What is left after a whole token was taken; `None` where there is none.
    pub const fn withdrawn(held: u64) -> Option<u64> {
        held.checked_sub(TOKEN)
    }
}
