//! Why a breaker stands where it stands, and what would change that.

use std::fmt;

use super::words::{Percent, Plural};
use crate::kernel::{
    breaker::{Probes, State},
    name::Name,
    outcome::{ChangeReason, Position},
    policy::{
        breaker::BreakerPolicy,
        window::{Window, WindowRules},
    },
    rounded::Rounded,
    time::{Instant, Span},
    window::Counts,
};

/// A change of state, as far as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The epoch that began with it.
    pub epoch: u32,
    /// When it was made.
    pub at: Instant,
    /// Where the breaker stood.
    pub old: Position,
    /// Where it stood from then on.
    pub new: Position,
    /// Why.
    pub reason: ChangeReason,
    /// The failures in a row and the outcomes in the window that a test saw, where one opened it.
    pub tested: Option<(u32, Counts)>,
}

/// A breaker at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'b> {
    /// Its name.
    pub breaker: &'b Name,
    /// Its policy.
    pub policy: &'b BreakerPolicy,
    /// Its state.
    pub state: State,
    /// The deadline of that state.
    pub deadline: Instant,
    /// The moment.
    pub now: Instant,
    /// Its last changes of state, the oldest first.
    pub changes: &'b [Change],
}

/// The state and what would change it, in one line, and a line for each change of state remembered, the
/// last one first.
impl fmt::Display for Standing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "breaker `{}`: ", self.breaker)?;
        match self.state.position {
            Position::Closed => write!(f, "closed; opens {}", Tests(self.policy))?,
            Position::Open => self.open(f)?,
            Position::HalfOpen => self.half_open(f)?,
            Position::ForcedOpen => write!(f, "forced open: rejects every call until it is made automatic")?,
            Position::ForcedClosed => {
                write!(f, "forced closed: admits every call until it is made automatic")?;
            }
        }
        for change in self.changes.iter().rev() {
            let Change { at, old, new, reason, .. } = change;
            write!(f, "\n  {} ago: {old} to {new}, {reason}", Rounded(self.now.since(*at)))?;
        }
        Ok(())
    }
}

impl Standing<'_> {
    fn open(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.deadline.since(self.now);
        if left == Span::ZERO {
            f.write_str("open, its cooldown is over")?;
        } else {
            write!(f, "open for {} more", Rounded(left))?;
        }
        // The last change is the one that led here, unless somebody is making the next one just now.
        let last = self.changes.last().filter(|change| change.new == Position::Open);
        match (last, self.state.reason) {
            (Some(change), _) => write!(f, ": {}", Cause { policy: self.policy, change })?,
            (None, Some(reason)) => write!(f, ": {reason}")?,
            (None, None) => {}
        }
        let BreakerPolicy { probes, close_after, reopen_after, .. } = *self.policy;
        if self.policy.trials() == 1 {
            return f.write_str("; then a probe decides");
        }
        let (successes, failures) =
            (Plural(close_after.into(), "success"), Plural(reopen_after.into(), "failure"));
        write!(
            f,
            "; then probes decide, {probes} at a time: it closes after {successes}, and opens after {failures}"
        )
    }

    fn half_open(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BreakerPolicy { probes, close_after, reopen_after, .. } = self.policy;
        let Probes { out, succeeded, failed } = self.state.probes;
        write!(
            f,
            "half open: {out} of {probes} probes out, {succeeded} of {close_after} have succeeded, {failed} of \
             {reopen_after} failed"
        )?;
        let left = self.deadline.since(self.now);
        if out > 0 && left > Span::ZERO {
            write!(f, "; without an answer it opens again in {}", Rounded(left))?;
        }
        Ok(())
    }
}

/// When a closed breaker opens.
struct Tests<'p>(&'p BreakerPolicy);

impl fmt::Display for Tests<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut or = "";
        if let Some(rules) = &self.0.window {
            let WindowRules { window, failure_rate, minimum_calls, slow_rate } = rules;
            let calls = Plural((*minimum_calls).into(), "call");
            write!(f, "when {} of at least {calls} {} fail", Percent(*failure_rate), Within(*window))?;
            if let Some(slow) = self.0.slow_call {
                write!(f, " or {} take {} or longer", Percent(*slow_rate), Rounded(slow))?;
            }
            or = ", or ";
        }
        if let Some(failures) = self.0.consecutive_failures {
            write!(f, "{or}at {} in a row", Plural(failures.into(), "failure"))?;
            if let Some(rules) = self.0.window.as_ref().filter(|_| self.0.consecutive_for_trickles) {
                write!(f, " while there are fewer than {} calls", rules.minimum_calls)?;
            }
        }
        Ok(())
    }
}

/// Why a breaker opened.
struct Cause<'c> {
    policy: &'c BreakerPolicy,
    change: &'c Change,
}

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.change.tested;
        match (self.change.reason, seen, self.policy.window) {
            (ChangeReason::ConsecutiveFailures, Some((consecutive, _)), _) => {
                write!(f, "{} failed in a row", Plural(consecutive.into(), "call"))
            }
            (ChangeReason::FailureRate, Some((_, Counts { total, failures, .. })), Some(rules)) => {
                let seen = Seen(failures, total, rules.window);
                write!(f, "{seen} failed {}, threshold {}", Within(rules.window), Percent(rules.failure_rate))
            }
            (ChangeReason::SlowRate, Some((_, Counts { total, slow, .. })), Some(rules)) => {
                let (seen, limit) =
                    (Seen(slow, total, rules.window), self.policy.slow_call.unwrap_or_default());
                write!(f, "{seen} took {} or longer ", Rounded(limit))?;
                write!(f, "{}, threshold {}", Within(rules.window), Percent(rules.slow_rate))
            }
            (ChangeReason::ProbeFailed, ..) => {
                write!(f, "{} failed", Plural(self.policy.reopen_after.into(), "probe"))
            }
            (ChangeReason::ProbeTimeout, ..) => {
                write!(f, "its probes gave no answer within {}", Rounded(self.policy.probe_timeout))
            }
            (ChangeReason::Manual, ..) => f.write_str("tripped by hand"),
            (ChangeReason::Restored, ..) => f.write_str("restored from a snapshot"),
            (ChangeReason::Automatic, ..) => f.write_str("it was forced open before"),
            (reason, ..) => write!(f, "{reason}"),
        }
    }
}

/// A part of the calls that a window held. A window of calls tells that they are enough, not how many.
struct Seen(u64, u64, Window);

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.2, Window::Calls { .. }) {
            f.write_str("at least ")?;
        }
        write!(f, "{} of {}", self.0, Plural(self.1, "call"))
    }
}

struct Within(Window);

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Window::Time { buckets, width } => {
                write!(f, "in {}", Rounded(width.saturating_mul(buckets.into())))
            }
            Window::Calls { calls } => write!(f, "among the last {calls}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kernel::{outcome::OpenReason, policy::BreakerDraft};

    const SECOND: Duration = Duration::from_secs(1);

    fn explained(draft: BreakerDraft, state: State, changes: &[Change]) -> String {
        let policy = draft.build().expect("the policy is valid");
        let (deadline, now) = (Instant::from_millis(13_200), Instant::from_millis(10_000));
        let breaker = &Name::from("payments");
        Standing { breaker, policy: &policy, state, deadline, now, changes }.to_string()
    }

    fn opened(reason: ChangeReason, tested: Option<(u32, Counts)>) -> Change {
        let at = Instant::from_millis(8_200);
        Change { epoch: 2, at, old: Position::Closed, new: Position::Open, reason, tested }
    }

    fn open(draft: BreakerDraft, changes: &[Change]) -> String {
        let reason = Some(OpenReason::FailureRate);
        let text = explained(draft, State { position: Position::Open, reason, ..State::NEW }, changes);
        text.lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn an_open_breaker_says_for_how_long_why_and_what_would_close_it() {
        let counts = Counts { total: 20, failures: 14, slow: 17 };
        let rate = opened(ChangeReason::FailureRate, Some((3, counts)));
        let policy = BreakerPolicy::failure_rate(0.5);
        assert_eq!(
            explained(policy.clone(), State { position: Position::Open, ..State::NEW }, &[rate]),
            "breaker `payments`: open for 3.2 s more: 14 of 20 calls failed in 10 s, threshold 50 %; then a probe \
             decides\n  1.8 s ago: closed to open, failure_rate"
        );
        let calls = policy.clone().call_window(20);
        assert!(
            open(calls, &[rate])
                .contains(": at least 14 of 20 calls failed among the last 20, threshold 50 %;")
        );
        let slow = opened(ChangeReason::SlowRate, Some((0, counts)));
        let lazy = policy.clone().slow_call(2 * SECOND).slow_rate(0.125);
        assert!(
            open(lazy, &[slow]).contains(": 17 of 20 calls took 2 s or longer in 10 s, threshold 12.5 %;")
        );
        let row = opened(ChangeReason::ConsecutiveFailures, Some((1, Counts::default())));
        assert!(open(policy.clone(), &[row]).contains(": 1 call failed in a row;"));
        for (reason, words) in [
            (ChangeReason::ProbeFailed, "2 probes failed"),
            (ChangeReason::ProbeTimeout, "its probes gave no answer within 30 s"),
            (ChangeReason::Manual, "tripped by hand"),
            (ChangeReason::Restored, "restored from a snapshot"),
            (ChangeReason::Automatic, "it was forced open before"),
        ] {
            let several = policy.clone().probes(2).close_after(3).reopen_after(2);
            let text = open(several, &[opened(reason, None)]);
            let end =
                "then probes decide, 2 at a time: it closes after 3 successes, and opens after 2 failures";
            assert_eq!(text, format!("breaker `payments`: open for 3.2 s more: {words}; {end}"));
        }
    }

    #[test]
    fn what_is_not_remembered_is_told_by_its_word() {
        assert!(
            open(BreakerPolicy::failure_rate(0.5), &[]).contains("open for 3.2 s more: failure_rate; then")
        );
        let other = Change { new: Position::HalfOpen, ..opened(ChangeReason::CooldownOver, None) };
        assert!(open(BreakerPolicy::failure_rate(0.5), &[other]).contains("more: failure_rate; then"));
    }

    #[test]
    fn a_closed_breaker_says_what_would_open_it() {
        let closed = |draft| explained(draft, State::NEW, &[]);
        assert_eq!(
            closed(BreakerDraft::default()),
            "breaker `payments`: closed; opens when 50 % of at least 20 calls in 10 s fail, or at 10 failures in a row while \
             there are fewer than 20 calls"
        );
        assert_eq!(
            closed(BreakerPolicy::consecutive_failures(1)),
            "breaker `payments`: closed; opens at 1 failure in a row"
        );
        let slow = BreakerPolicy::failure_rate(0.5).call_window(100).slow_call(2 * SECOND).slow_rate(0.9);
        assert_eq!(
            closed(slow),
            "breaker `payments`: closed; opens when 50 % of at least 20 calls among the last 100 fail or 90 % take \
             2 s or longer"
        );
    }

    #[test]
    fn the_other_states_say_what_ends_them() {
        let several = || BreakerPolicy::failure_rate(0.5).probes(2).close_after(3);
        let state =
            |position| State { position, probes: Probes { out: 1, succeeded: 2, failed: 0 }, ..State::NEW };
        assert_eq!(
            explained(several(), state(Position::HalfOpen), &[]),
            "breaker `payments`: half open: 1 of 2 probes out, 2 of 3 have succeeded, 0 of 1 failed; without an \
             answer it opens again in 3.2 s"
        );
        let forced = |position| explained(several(), state(position), &[]);
        assert!(
            forced(Position::ForcedOpen)
                .ends_with("forced open: rejects every call until it is made automatic")
        );
        assert!(
            forced(Position::ForcedClosed)
                .ends_with("forced closed: admits every call until it is made automatic")
        );
    }
}
