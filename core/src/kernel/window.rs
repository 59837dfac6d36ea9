//! The tests over counted outcomes: which of them, if any, opens.
//!
//! They run only after a failure or a slow outcome, in this order; the first that holds is the
//! reason:
//!
//! | test | holds when |
//! | --- | --- |
//! | consecutive | failures in a row ≥ `consecutive_failures` (in the defaults only while the window holds fewer than `minimum_calls`) |
//! | failure rate | total ≥ `minimum_calls` and failures / total ≥ `failure_rate` |
//! | slow rate | total ≥ `minimum_calls` and slow / total ≥ `slow_rate` |

use super::{
    outcome::OpenReason,
    policy::{breaker::BreakerPolicy, window::Window},
    time::{Instant, Span},
};

/// The outcomes a window holds, as far as the tests ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub total: u64,
    /// Those that failed; a window of calls tells whether they are enough to open, not how many more.
    pub failures: u64,
    /// Those that were slow, failed or not; likewise.
    pub slow: u64,
}

impl BreakerPolicy {
    /// The reason to open, if one of the tests holds.
    pub fn verdict(&self, consecutive: u32, counts: Counts) -> Option<OpenReason> {
        let rules = self.window.as_ref();
        let applies = !self.consecutive_for_trickles
            || rules.is_none_or(|rules| counts.total < u64::from(rules.minimum_calls));
        if applies && self.consecutive_failures.is_some_and(|limit| consecutive >= limit) {
            return Some(OpenReason::ConsecutiveFailures);
        }
        let rules = rules.filter(|rules| counts.total >= u64::from(rules.minimum_calls))?;
        if rules.failure_rate.reached_by(counts.failures, counts.total) {
            return Some(OpenReason::FailureRate);
        }
        (self.slow_call.is_some() && rules.slow_rate.reached_by(counts.slow, counts.total))
            .then_some(OpenReason::SlowRate)
    }

    /// Whether a call of this duration is slow.
    pub fn is_slow(&self, took: Span) -> bool {
        self.slow_call.is_some_and(|limit| took >= limit)
    }
}

impl BreakerPolicy {
    /// After an outcome was recorded at `now`: until when a success of the same epoch may be counted
    /// by adding it in place, the window needing no care.
    pub fn quick_until(&self, now: Instant) -> Instant {
        match self.window.map(|rules| rules.window) {
            Some(Window::Time { width, .. }) => {
                Instant::ZERO.after(width.saturating_mul(tick(now, width).saturating_add(1)))
            }
            Some(Window::Calls { .. }) | None => Instant::MAX,
        }
    }
}

impl Window {
    /// Whether a clock that lags by up to `grain` errs by one tick at most; of a window of calls, that
    /// has no ticks, it may be any.
    pub fn tells_apart(&self, grain: Span) -> bool {
        match self {
            Self::Time { width, .. } => grain <= *width,
            Self::Calls { .. } => true,
        }
    }
}

/// The tick of a time window, `width` wide, that `now` falls into.
pub const fn tick(now: Instant, width: Span) -> u64 {
    now.as_nanos() / width.as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: Span = Span::from_millis(100);
    const TIME: Window = Window::Time { buckets: 10, width: WIDTH };

    #[test]
    fn ticks_are_as_wide_as_they_say() {
        let at = [0, 99, 100, 250, 1_000].map(|millis| tick(Instant::from_millis(millis), WIDTH));
        assert_eq!(at, [0, 0, 1, 2, 10]);
    }

    #[test]
    fn failures_in_a_row_are_for_windows_that_do_not_fill() {
        let policy = BreakerPolicy::default();
        let verdict = |total| policy.verdict(10, Counts { total, failures: 9, slow: 0 });
        assert_eq!(verdict(19), Some(OpenReason::ConsecutiveFailures));
        assert_eq!(verdict(20), None, "9 of 20 are no half");
    }

    #[test]
    fn a_success_is_added_in_place_until_the_tick_is_over() {
        let second = std::time::Duration::from_secs(1);
        let until = |draft: crate::kernel::policy::BreakerDraft| {
            draft.build().expect("the policy is valid").quick_until(Instant::from_millis(250))
        };
        assert_eq!(until(BreakerPolicy::failure_rate(0.5).time_window(second)), Instant::from_millis(300));
        assert_eq!(until(BreakerPolicy::failure_rate(0.5).call_window(10)), Instant::MAX);
        assert_eq!(until(BreakerPolicy::consecutive_failures(1)), Instant::MAX);
    }

    #[test]
    fn a_clock_may_lag_by_a_tick() {
        let lags = [99, 100, 101].map(|millis| TIME.tells_apart(Span::from_millis(millis)));
        assert_eq!(lags, [true, true, false]);
        assert!(Window::Calls { calls: 1 }.tells_apart(Span::MAX));
    }
}
