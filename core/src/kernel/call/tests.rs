//! Unit tests of the call machine.

use std::cell::{Cell, RefCell};

use super::*;
use crate::kernel::policy::GuardDraft;

/// A breaker that lets everything through once and rejects from then on; it counts the draws, and notes
/// what it hears.
#[derive(Default)]
struct Once {
    heard: RefCell<Vec<String>>,
    admitted: Cell<bool>,
    drawn: Cell<u64>,
}

impl Resources for Once {
    fn draw(&self) -> u64 {
        self.drawn.set(self.drawn.get() + 1);
        u64::MAX
    }

    fn withdraw(&self, _: Instant) -> bool {
        true
    }

    fn rejects(&self, _: Instant, _: Instant) -> bool {
        true
    }
}

impl Surroundings for Once {
    fn begun(&self) {}

    fn acquire(&self, _: u32, _: Instant) -> Result<Pass, Rejection> {
        let rejection = Rejection { reason: RejectReason::HalfOpen, retry_after: None };
        if self.admitted.replace(true) { Err(rejection) } else { Ok(Pass { epoch: 1 }) }
    }

    fn record(&self, attempt: u32, _: Pass, outcome: Outcome, _: Span, _: Instant) {
        self.heard.borrow_mut().push(format!("{attempt} {outcome}"));
    }

    fn attempt_ended(&self, ending: Ending) {
        self.heard.borrow_mut().push(format!("attempt {ending}"));
    }

    fn tell(&self, _: Notice) {}

    fn call_ended(&self, ending: Ending, took: Span) {
        self.heard.borrow_mut().push(format!("call {ending} {took}"));
    }
}

fn failed(when_open: WhenOpen) -> (Step, u64) {
    let policy = GuardDraft::default().when_open(when_open).build().expect("the policy is valid");
    let once = Once::default();
    let mut call = Call::begin(&policy, &once, Instant::ZERO);
    assert!(matches!(call.next(&policy, &once, Instant::ZERO), Step::Attempt(_)));
    let settled = call.settled(&policy, &once, Verdict::Failure(Failure::RETRYABLE), Instant::from_millis(1));
    (settled.step, once.drawn.get())
}

#[test]
fn a_breaker_that_would_reject_stops_a_call_only_where_it_fails_calls() {
    let whole = Span::from_millis(100);
    assert_eq!(failed(WhenOpen::Fail), (Step::Stop(StopReason::BreakerOpen), 1));
    assert_eq!(failed(WhenOpen::Wait), (Step::Wait(whole), 1), "the largest draw is the whole wait");
}

#[test]
fn what_is_done_once_is_not_tried_again_whatever_became_of_it() {
    let policy = GuardDraft::default().build().expect("the policy is valid");
    let step = |once, timed_out| {
        let around = Once::default();
        let call = Call::begin(&policy, &around, Instant::ZERO);
        let mut call = if once { call.once() } else { call };
        call.next(&policy, &around, Instant::ZERO);
        let now = Instant::from_millis(if timed_out { 10_000 } else { 1 });
        let settled = call.settled(&policy, &around, Verdict::Failure(Failure::RETRYABLE), now);
        assert_eq!(settled.timed_out, timed_out);
        settled.step
    };
    for timed_out in [false, true] {
        assert_eq!(step(true, timed_out), Step::Stop(StopReason::NotRetryable));
        assert_eq!(step(false, timed_out), Step::Stop(StopReason::BreakerOpen), "it goes on to ask");
    }
}

#[test]
fn an_attempt_that_has_just_its_timeout_left_is_cut_by_that() {
    let second = std::time::Duration::from_secs;
    let draft = GuardDraft::default().attempt_timeout(second(2)).deadline(second(5));
    let policy = draft.build().expect("the policy is valid");
    let cut = |millis| {
        let once = Once::default();
        let mut call = Call::begin(&policy, &once, Instant::ZERO);
        match call.next(&policy, &once, Instant::from_millis(millis)) {
            Step::Attempt(attempt) => attempt.cut,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(cut(3_000), Some((Cut::Attempt, Span::from_secs(2))));
    assert_eq!(cut(3_001), Some((Cut::Deadline, Span::from_millis(1_999))));
}

#[test]
fn what_remains_of_an_attempt_is_less_of_its_timeout_and_the_deadline() {
    let second = std::time::Duration::from_secs;
    let draft = GuardDraft::default().attempt_timeout(second(2)).deadline(second(5));
    let policy = draft.build().expect("the policy is valid");
    let once = Once::default();
    let mut call = Call::begin(&policy, &once, Instant::ZERO);
    assert_eq!((call.attempt_remaining(Instant::ZERO), call.attempt_ends()), (None, None));
    call.next(&policy, &once, Instant::from_millis(500));
    assert_eq!(call.attempt_remaining(Instant::from_millis(700)), Some(Span::from_millis(1_800)));
    assert_eq!(call.attempt_ends(), Some(Instant::from_millis(2_500)));

    let late = Once::default();
    let mut call = Call::begin(&policy, &late, Instant::ZERO);
    call.next(&policy, &late, Instant::from_millis(4_000));
    assert_eq!(call.attempt_remaining(Instant::from_millis(4_250)), Some(Span::from_millis(750)));
}

#[test]
fn each_attempt_and_each_call_ends_once() {
    let second = std::time::Duration::from_secs;
    let draft = || GuardDraft::default().attempt_timeout(second(2)).deadline(second(5));
    // What a call hears that is rejected at its second attempt, if it comes to one.
    let heard = |draft: GuardDraft, go: &dyn Fn(&mut Call, &GuardPolicy, &Once)| {
        let (policy, around) = (draft.build().expect("the policy is valid"), Once::default());
        let mut call = Call::begin(&policy, &around, Instant::ZERO);
        go(&mut call, &policy, &around);
        call.cancelled(&around, Instant::from_millis(9_000));
        call.cancelled(&around, Instant::from_millis(9_000));
        around.heard.into_inner()
    };
    let at = Instant::from_millis;
    let settle = |verdict: Verdict, millis: u64| {
        move |call: &mut Call, policy: &GuardPolicy, around: &Once| {
            call.next(policy, around, Instant::ZERO);
            call.settled(policy, around, verdict, at(millis));
        }
    };
    let failed = Verdict::Failure(Failure::FINAL);
    let one = |verdict, millis| heard(draft(), &settle(verdict, millis));
    assert_eq!(one(Verdict::Success, 1), ["1 success", "attempt success", "call success 1ms"]);
    assert_eq!(one(Verdict::Ignored, 1), ["1 ignored", "attempt ignored", "call ignored 1ms"]);
    assert_eq!(one(failed, 1), ["1 failure", "attempt failure", "call failure 1ms"]);
    assert_eq!(one(Verdict::Success, 2_000), ["1 failure", "attempt timeout", "call timeout 2s"]);
    let deadline = draft().no_attempt_timeout();
    assert_eq!(
        heard(deadline, &settle(Verdict::Success, 5_000)),
        ["1 failure", "attempt timeout", "call timeout 5s"]
    );
    let late = |call: &mut Call, policy: &GuardPolicy, around: &Once| {
        call.next(policy, around, at(5_000));
    };
    assert_eq!(heard(draft(), &late), ["call timeout 5s"]);
    let given_up = |call: &mut Call, policy: &GuardPolicy, around: &Once| {
        call.next(policy, around, Instant::ZERO);
    };
    assert_eq!(heard(draft(), &given_up), ["1 cancelled", "attempt cancelled", "call cancelled 9s"]);
    let rejected = |call: &mut Call, policy: &GuardPolicy, around: &Once| {
        around.admitted.set(true);
        call.next(policy, around, at(3));
    };
    assert_eq!(heard(draft(), &rejected), ["call rejected 3ms"]);
    let again = |call: &mut Call, policy: &GuardPolicy, around: &Once| {
        settle(Verdict::Failure(Failure::RETRYABLE), 1)(call, policy, around);
        call.next(policy, around, at(7));
    };
    assert_eq!(heard(draft(), &again), ["1 failure", "attempt failure", "call failure 1ms"]);
    let in_vain = |call: &mut Call, policy: &GuardPolicy, around: &Once| {
        settle(Verdict::Failure(Failure::RETRYABLE), 1)(call, policy, around);
        assert!(matches!(call.next(policy, around, at(4_999)), Step::Stop(StopReason::BreakerOpen)));
    };
    let waits = draft().when_open(WhenOpen::Wait);
    assert_eq!(heard(waits, &in_vain), ["1 failure", "attempt failure", "call failure 4999ms"]);
}
