//! What a child process makes of the objects that it has copies of.
//!
//! | of | becomes |
//! | --- | --- |
//! | a half-open breaker | open with nothing remaining: who makes its probes may be gone |
//! | what is counted for metrics | zero: it is the parent's, who goes on to tell it |
//! | a state, a window, a budget | as it is |
//!
//! A call under way is begun once more where it goes on, so that it does not end more often than it begins; those
//! of threads that are gone are never heard of again.

use super::{breaker::Breaker, guard::Guard, registry::Registry};
use crate::kernel::outcome::Position;

impl Breaker {
    /// For a child process right after a fork. It has none of the threads that hold probes, so these are given
    /// up: half-open, it goes to the state of its own snapshot, which is open with nothing remaining; else it
    /// stays as it is. What it has counted for its metrics is its parent's, and begins at zero here.
    ///
    /// ```
    /// use overcurrent::{Breaker, BreakerPolicy, ManualClock};
    /// use std::{sync::Arc, time::Duration};
    ///
    /// let policy = BreakerPolicy::consecutive_failures(1).build()?;
    /// let breaker = Breaker::with("payments", policy, Arc::new(ManualClock::new()), None);
    /// breaker.trip(Some(Duration::ZERO))?;
    /// let probe = breaker.acquire().unwrap();
    /// assert_eq!(breaker.state().as_str(), "half_open");
    ///
    /// breaker.forked();
    /// assert_eq!(breaker.state().as_str(), "open");
    /// probe.success(); // comes late
    /// breaker.acquire().unwrap().success();
    /// assert_eq!(breaker.state().as_str(), "closed");
    /// # Ok::<(), overcurrent::InvalidPolicy>(())
    /// ```
    pub fn forked(&self) {
        self.counts().clear();
        self.cells().forget_late();
        let now = self.now();
        if self.state() == Position::HalfOpen {
            // A snapshot that was just taken can be restored.
            let _ = self.restore_at(&self.snapshot_at(now), now);
        }
    }
}

impl Guard {
    /// For a child process right after a fork: what the guard has counted for its metrics is its parent's, and
    /// begins at zero here. Its breaker is to be told by itself.
    pub fn forked(&self) {
        self.counts().clear();
    }

    /// A call that began in the parent goes on in the child, after [`Self::forked`]: it is counted there too, from
    /// here on.
    ///
    /// ```
    /// use overcurrent::Guard;
    ///
    /// let guard = Guard::builder("payments").build()?;
    /// let first = guard.first().unwrap();
    /// guard.forked();
    /// guard.inherited();
    /// assert_eq!(guard.metrics().in_flight, 1);
    /// assert!(guard.succeeded(first));
    /// assert_eq!((guard.metrics().calls.sum(), guard.metrics().in_flight), (1, 0));
    /// # Ok::<(), overcurrent::InvalidPolicy>(())
    /// ```
    pub fn inherited(&self) {
        self.counts().begun();
    }
}

impl<V> Registry<V> {
    /// For a child process right after a fork: evictions are counted from zero. Its values are to be told by
    /// themselves.
    pub fn forked(&self) {
        self.forget_evictions();
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        kernel::{
            outcome::{OpenReason, RejectReason},
            policy::BreakerDraft,
            time::Span,
        },
        live::clock::ManualClock,
    };

    #[test]
    fn a_child_forgets_the_probes_of_its_parent_and_nothing_else() {
        let clock = ManualClock::new();
        let policy = BreakerDraft::default().consecutive_failures(1).cooldown(Duration::from_secs(1));
        let policy = policy.cooldown_jitter(0.0).build().expect("the policy is valid");
        let breaker = Breaker::with("b", policy, Arc::new(clock.clone()), None);
        breaker.forked();
        assert_eq!(breaker.state(), Position::Closed);
        breaker.acquire().expect("it is closed").failure();
        breaker.forked();
        assert_eq!(breaker.retry_after(), Some(Span::from_secs(1)), "it stays open as long as it was");

        clock.advance(Duration::from_secs(1));
        let probe = breaker.acquire().expect("its time is over");
        assert!(breaker.acquire().is_err());
        breaker.forked();
        assert_eq!(
            (breaker.state(), breaker.reason()),
            (Position::Open, Some(OpenReason::ConsecutiveFailures))
        );
        breaker.acquire().expect("nothing remains").success();
        assert_eq!(breaker.state(), Position::Closed);
        probe.failure();
        assert_eq!((breaker.state(), breaker.late()), (Position::Closed, 1));
    }

    #[test]
    fn a_child_counts_from_zero() {
        let draft = BreakerDraft::default().consecutive_failures(1);
        let guard = Guard::builder("g").breaker(draft).measure_durations().build().expect("it is valid");
        let breaker = guard.breaker().expect("it has one");
        let late = breaker.acquire().expect("it is closed");
        let _ = guard.call(|_| Ok::<_, ()>(()));
        let _ = guard.call(|_| Err::<(), _>(()));
        let _ = guard.call(|_| Ok::<_, ()>(()));
        late.success();
        let (calls, states) = (guard.metrics(), breaker.metrics());
        assert_eq!((calls.calls.sum(), calls.attempts.sum(), calls.give_ups.sum()), (3, 2, 1));
        assert_eq!(
            (states.rejections.of(RejectReason::Open), states.transitions.sum(), states.late_results),
            (1, 1, 1)
        );

        guard.forked();
        breaker.forked();
        let (calls, states) = (guard.metrics(), breaker.metrics());
        assert_eq!(
            (calls.calls.sum(), calls.attempts.sum(), calls.give_ups.sum(), calls.in_flight),
            (0, 0, 0, 0)
        );
        assert_eq!(
            calls.durations.map(|durations| (durations.count(), durations.sum)),
            Some((0, Span::ZERO))
        );
        assert_eq!((states.rejections.sum(), states.transitions.sum(), states.late_results), (0, 0, 0));
        assert_eq!(states.state, Position::Open);
        assert!(breaker.explain().contains("closed to open"), "its past is known");
    }

    #[test]
    fn a_child_counts_the_evictions_of_its_own() {
        let registry = Registry::new(1);
        let policy = Arc::new(BreakerDraft::default().build().expect("the policy is valid"));
        let enter = |key: &str| {
            let entered = registry.get_or_create(key, |name| Breaker::new(name, Arc::clone(&policy)));
            assert!(entered.is_ok(), "the other one is idle");
        };
        ["a", "b", "c"].into_iter().for_each(enter);
        let before = registry.evictions();
        registry.forked();
        assert_eq!((before, registry.evictions()), (2, 0));
        enter("d");
        assert_eq!(registry.evictions(), 1);
    }
}
