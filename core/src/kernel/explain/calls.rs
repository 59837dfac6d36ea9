//! What a guard has come to.

use std::fmt;

use super::words::Plural;
use crate::kernel::{
    metric::GuardMetrics,
    policy::budget::TOKEN,
    tally::{Listed, Tally},
};

/// A guard at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Calls<'g> {
    /// What it has counted.
    pub metrics: &'g GuardMetrics,
    /// The micro-tokens that its budget can hold, if it has one.
    pub capacity: Option<u64>,
}

/// What became of its calls, a line for the retries, and one for the budget.
impl fmt::Display for Calls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GuardMetrics { guard, calls, retries, give_ups, in_flight, budget_tokens_micro, .. } =
            self.metrics;
        let begun = Plural(calls.sum().saturating_add(*in_flight), "call");
        write!(f, "guard `{guard}`: {begun}, of which {in_flight} in flight{}", Parts(calls))?;
        if retries.sum() != 0 {
            write!(f, "\n  {}{}", Plural(retries.sum(), "retry"), Parts(retries))?;
        }
        if give_ups.sum() != 0 {
            write!(f, "\n  {} not retried{}", Plural(give_ups.sum(), "call"), Parts(give_ups))?;
        }
        if let (Some(held), Some(capacity)) = (budget_tokens_micro, self.capacity) {
            write!(f, "\n  retry budget: {} of {} tokens", Tokens(*held), Tokens(capacity))?;
        }
        Ok(())
    }
}

/// Those of which there are any.
struct Parts<'t, K>(&'t Tally<K>);

impl<K: Listed> fmt::Display for Parts<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = ": ";
        for (key, count) in self.0.iter().filter(|(_, count)| *count != 0) {
            write!(f, "{before}{count} {}", key.words()[0])?;
            before = ", ";
        }
        Ok(())
    }
}

/// Micro-tokens in tokens, rounded down to a tenth.
struct Tokens(u64);

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / TOKEN, self.0 % TOKEN / (TOKEN / 10)) {
            (whole, 0) => write!(f, "{whole}"),
            (whole, tenths) => write!(f, "{whole}.{tenths}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::outcome::{Ending, Origin, StopReason};

    #[test]
    fn a_guard_says_what_became_of_its_calls_and_what_is_left_of_the_budget() {
        let mut metrics = GuardMetrics::of("payments".into());
        assert_eq!(
            Calls { metrics: &metrics, capacity: None }.to_string(),
            "guard `payments`: 0 calls, of which 0 in flight"
        );
        metrics.in_flight = 2;
        metrics.calls = Tally::new(|ending| if ending == Ending::Rejected { 0 } else { 3 });
        metrics.retries = Tally::new(|origin| if origin == Origin::Hint { 4 } else { 0 });
        metrics.give_ups = Tally::new(|reason| u64::from(reason == StopReason::BudgetExhausted));
        metrics.budget_tokens_micro = Some(3_499_999);
        assert_eq!(
            Calls { metrics: &metrics, capacity: Some(10 * TOKEN) }.to_string(),
            "guard `payments`: 17 calls, of which 2 in flight: 3 success, 3 failure, 3 timeout, 3 ignored, 3 \
             cancelled\n  4 retries: 4 hint\n  1 call not retried: 1 budget_exhausted\n  retry budget: 3.4 of 10 tokens"
        );
    }
}
