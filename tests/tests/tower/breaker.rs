//! The breaker's layer.

use std::{io, sync::Arc, time::Duration};

use overcurrent::{
    Breaker, BreakerDraft, Error, Failure, ManualClock, OpenReason, Position, RejectReason, Verdict,
    WhenOpen,
    tower::{BreakerLayer, BreakerService},
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, load_shed::error::Overloaded};

use super::{Inner, at_once, readiness};

const COOLDOWN: Duration = Duration::from_secs(5);

struct Bench {
    clock: ManualClock,
    breaker: Arc<Breaker>,
    inner: Inner,
}

impl Bench {
    fn new(draft: BreakerDraft) -> Self {
        let clock = ManualClock::new();
        let policy = draft.cooldown(COOLDOWN).cooldown_jitter(0.0).build().expect("the policy is valid");
        let breaker = Arc::new(Breaker::with("b", policy, Arc::new(clock.clone()), Some(1)));
        Self { clock, breaker, inner: Inner::new() }
    }

    /// One that two failures open.
    fn plain() -> Self {
        Self::new(BreakerDraft::default().consecutive_failures(2))
    }

    fn layer(&self, when_open: WhenOpen) -> BreakerLayer {
        BreakerLayer::new(Arc::clone(&self.breaker)).when_open(when_open)
    }

    fn service(&self, when_open: WhenOpen) -> BreakerService<Inner> {
        self.layer(when_open).layer(self.inner.clone())
    }

    fn open(&self) {
        self.breaker.trip(None).expect("that is short enough");
    }
}

fn is_ready<S: Service<u8>>(service: &mut S) -> bool {
    readiness(service).is_some_and(|ready| ready.is_ok())
}

/// Calls a service that has said that it is ready.
fn call(service: &mut BreakerService<Inner>) -> Result<u8, Error<io::Error>> {
    at_once(service.call(7)).expect("the inner service answers at once")
}

#[test]
fn outcomes_are_counted_and_the_error_comes_back_as_it_was() {
    let bench = Bench::plain();
    let mut service = bench.service(WhenOpen::Fail);
    bench.inner.said.failing.store(2, std::sync::atomic::Ordering::Relaxed);
    for _ in 0..2 {
        assert!(is_ready(&mut service));
        let error = call(&mut service).expect_err("it fails");
        assert_eq!(error.account().map(|account| account.attempts), Some(1));
        assert_eq!(error.into_own().map(|error| error.to_string()).as_deref(), Some("failed"));
    }
    assert_eq!(bench.breaker.reason(), Some(OpenReason::ConsecutiveFailures));
}

#[test]
fn who_fails_is_ready_to_answer_with_the_rejection() {
    let bench = Bench::plain();
    bench.open();
    let mut service = bench.service(WhenOpen::Fail);
    assert!(is_ready(&mut service));
    bench.clock.advance(Duration::from_secs(1));
    assert!(is_ready(&mut service), "nothing new");
    match call(&mut service) {
        Err(Error::BreakerOpen(rejection)) => {
            assert_eq!(rejection.reason, RejectReason::Open);
            assert_eq!(rejection.retry_after.map(Duration::from), Some(COOLDOWN));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((bench.inner.asked(), bench.inner.called()), (0, 0), "the inner service is left alone");

    assert!(is_ready(&mut service));
    bench.clock.advance(COOLDOWN);
    assert!(is_ready(&mut service), "the rejection is out of date, and the breaker admits a probe");
    assert_eq!(bench.breaker.state(), Position::HalfOpen);
    assert_eq!(call(&mut service).ok(), Some(7));
    assert_eq!(bench.breaker.state(), Position::Closed);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_not_ready_while_it_is_open_and_wakes_when_it_is_not() {
    let bench = Bench::plain();
    bench.open();
    let mut service = bench.service(WhenOpen::Wait);
    assert!(!is_ready(&mut service));
    assert_eq!(bench.inner.asked(), 0, "the inner service is left alone");

    let clock = bench.clock.clone();
    let before = tokio::time::Instant::now();
    let later = tokio::spawn(async move {
        tokio::time::sleep(COOLDOWN).await;
        clock.advance(COOLDOWN);
    });
    service.ready().await.expect("its service is always ready");
    let waited = before.elapsed();
    assert!(waited >= COOLDOWN && waited <= COOLDOWN * 3 / 2 + Duration::from_secs(1), "{waited:?}");
    later.await.expect("it does not panic");
    assert_eq!(bench.breaker.state(), Position::HalfOpen);
    assert_eq!(call(&mut service).ok(), Some(7));
}

#[tokio::test(start_paused = true)]
async fn who_waits_sees_within_a_second_that_an_operator_has_closed_it() {
    for forced in [false, true] {
        let bench = Bench::plain();
        if forced {
            bench.breaker.force_open();
        } else {
            bench.breaker.trip(Some(Duration::from_secs(86_400))).expect("that is short enough");
        }
        let mut service = bench.service(WhenOpen::Wait);
        let breaker = Arc::clone(&bench.breaker);
        let before = tokio::time::Instant::now();
        let operator = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            breaker.reset();
        });
        service.ready().await.expect("its service is always ready");
        assert!(before.elapsed() <= Duration::from_secs(3_601), "{:?}", before.elapsed());
        operator.await.expect("it does not panic");
        assert_eq!(call(&mut service).ok(), Some(7));
    }
}

#[tokio::test(start_paused = true)]
async fn a_layer_outside_makes_an_error_of_waiting() {
    let bench = Bench::plain();
    let service = ServiceBuilder::new().load_shed().layer(bench.layer(WhenOpen::Wait));
    let mut service = service.service(bench.inner.clone());
    assert_eq!(service.ready().await.expect("it is").call(7).await.ok(), Some(7));
    bench.open();
    let error = service.ready().await.expect("it sheds").call(7).await.expect_err("it is open");
    assert!(error.is::<Overloaded>(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn one_probe_makes_one_service_ready_and_goes_back_with_it() {
    for when_open in [WhenOpen::Fail, WhenOpen::Wait] {
        let bench = Bench::plain();
        bench.open();
        bench.clock.advance(COOLDOWN);
        let mut first = bench.service(when_open);
        assert!(is_ready(&mut first));
        let mut second = first.clone();
        match when_open {
            WhenOpen::Wait => assert!(!is_ready(&mut second), "a clone has no part in the permit"),
            WhenOpen::Fail => {
                assert!(is_ready(&mut second));
                assert!(matches!(call(&mut second), Err(Error::BreakerOpen(_))));
            }
        }
        drop(first);
        second.ready().await.expect("its service is always ready");
        assert_eq!(bench.breaker.state(), Position::HalfOpen);
        assert_eq!(call(&mut second).ok(), Some(7));
        assert_eq!(bench.breaker.state(), Position::Closed);
    }
}

#[test]
fn a_permit_that_waited_for_its_call_is_neither_slow_nor_given_up() {
    let draft = BreakerDraft::default().slow_call(Duration::from_secs(1)).call_window(10).minimum_calls(1);
    let bench = Bench::new(draft.abandon_after(Duration::from_secs(1)));
    let mut idle = bench.service(WhenOpen::Fail);
    assert!(is_ready(&mut idle));
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(call(&mut idle).ok(), Some(7));
    assert_eq!(bench.breaker.state(), Position::Closed, "the call was quick");
    assert!(is_ready(&mut idle));
    bench.clock.advance(Duration::from_secs(60));
    drop(idle);
    assert_eq!(bench.breaker.state(), Position::Closed, "there was no call");
}

#[test]
fn a_permit_from_before_it_opened_admits_nobody() {
    let bench = Bench::plain();
    let mut service = bench.service(WhenOpen::Fail);
    assert!(is_ready(&mut service));
    bench.open();
    assert!(matches!(call(&mut service), Err(Error::BreakerOpen(_))), "it opened since");
    assert!(is_ready(&mut service));
    bench.breaker.reset();
    assert!(is_ready(&mut service));
    assert_eq!(call(&mut service).ok(), Some(7), "it closed since");
    assert_eq!(bench.breaker.late(), 0, "what was never a call is not late");
}

#[test]
fn an_inner_service_that_is_not_ready_holds_back_and_one_that_is_broken_is_counted() {
    let bench = Bench::plain();
    let mut service = bench.service(WhenOpen::Fail);
    bench.inner.said.pending.store(1, std::sync::atomic::Ordering::Relaxed);
    assert!(readiness(&mut service).is_none());
    assert!(is_ready(&mut service));
    bench.inner.said.broken.store(2, std::sync::atomic::Ordering::Relaxed);
    for _ in 0..2 {
        match readiness(&mut service) {
            Some(Err(Error::Failed { error, .. })) => assert_eq!(error.to_string(), "not ready"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(bench.breaker.state(), Position::Open);
}

#[test]
fn a_classification_of_ones_own_says_what_counts() {
    let bench = Bench::plain();
    let classify = |result: &Result<u8, io::Error>| match result {
        Ok(7) => Verdict::Failure(Failure::FINAL),
        Ok(_) => Verdict::Success,
        Err(_) => Verdict::Ignored,
    };
    let mut service = bench.layer(WhenOpen::Fail).classify(classify).layer(bench.inner.clone());
    for _ in 0..2 {
        assert!(is_ready(&mut service));
        assert_eq!(at_once(service.call(7)).and_then(Result::ok), Some(7), "the value comes back");
    }
    assert_eq!(bench.breaker.state(), Position::Open);
}
