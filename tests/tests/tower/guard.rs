//! The guard's layer.

use std::{io, sync::Arc, time::Duration};

use overcurrent::{
    BreakerDraft, Error, Guard, GuardBuilder, ManualClock, Position, RetryPolicy, StopReason, WhenOpen,
    tower::{Attempt, GuardLayer, Replay},
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use super::{Inner, readiness};

fn builder() -> GuardBuilder {
    let breaker = BreakerDraft::default().consecutive_failures(3).cooldown(Duration::from_secs(5));
    Guard::builder("g")
        .retry(RetryPolicy::constant(Duration::from_millis(10)).max_attempts(3))
        .breaker(breaker)
        .clock(Arc::new(ManualClock::new()))
        .seed(1)
}

fn guard(builder: GuardBuilder) -> Arc<Guard> {
    Arc::new(builder.build().expect("the policy is valid"))
}

fn state(guard: &Guard) -> Position {
    guard.breaker().expect("it has one").state()
}

#[tokio::test(start_paused = true)]
async fn a_request_is_sent_until_it_succeeds() {
    let inner = Inner::failing(2);
    let mut service = GuardLayer::new(guard(builder())).layer(inner.clone());
    let answer = service.ready().await.expect("it is").call("request").await;
    assert_eq!(answer.ok(), Some("request"));
    assert_eq!(inner.called(), 3);
    assert_eq!(inner.asked(), 3, "once for each attempt, each instance before its call");
}

#[tokio::test(start_paused = true)]
async fn the_last_own_error_comes_back_with_an_account() {
    let inner = Inner::failing(9);
    let service = GuardLayer::new(guard(builder())).layer(inner.clone());
    let error = service.oneshot("request").await.expect_err("it fails");
    let account = error.account().expect("there were attempts");
    assert_eq!((account.attempts, account.stop), (3, Some(StopReason::AttemptsExhausted)));
    assert_eq!(error.into_own().map(|error| error.to_string()).as_deref(), Some("failed"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_copied_is_sent_once_and_so_is_what_times_out() {
    struct Request;
    let inner = Inner::failing(9);
    let service = GuardLayer::new(guard(builder())).once().layer(inner.clone());
    let error = service.oneshot(Request).await.map(|Request| ()).expect_err("it fails");
    assert_eq!(error.account().and_then(|account| account.stop), Some(StopReason::NotRetryable));
    assert_eq!(inner.called(), 1);

    let hanging = service_fn(|_: Request| std::future::pending::<Result<(), io::Error>>());
    let short = builder().attempt_timeout(Duration::from_millis(10));
    let service = GuardLayer::new(guard(short)).once().layer(hanging);
    let error = service.oneshot(Request).await.expect_err("it hangs");
    assert!(matches!(error, Error::AttemptTimeout { .. }), "{error}");
    assert_eq!(error.account().map(|account| account.attempts), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_function_says_how_often_a_request_is_copied() {
    let inner = Inner::failing(9);
    let copy = |left: &u8| left.checked_sub(1);
    let service = GuardLayer::new(guard(builder())).replay(copy).layer(inner.clone());
    let error = service.oneshot(1).await.expect_err("it fails");
    assert_eq!(inner.called(), 2, "the copy cannot be copied");
    assert_eq!(error.account().and_then(|account| account.stop), Some(StopReason::NotRetryable));
}

#[tokio::test(start_paused = true)]
async fn a_request_is_told_of_its_attempt() {
    #[derive(Clone, Copy, Default)]
    struct Tells;
    type Told = Option<(u32, String, Option<Duration>)>;
    impl Replay<Told> for Tells {
        fn copy(&self, _: &Told) -> Option<Told> {
            Some(None)
        }

        fn prepare(&self, request: &mut Told, attempt: &Attempt) {
            let cx = attempt.context();
            *request = Some((cx.attempt(), cx.idempotency_key(), cx.remaining()));
        }
    }
    let (seen, mut told) = tokio::sync::mpsc::unbounded_channel();
    let inner = service_fn(move |request: Told| {
        let told = request.expect("it was told");
        let answer = if told.0 < 3 { Err(io::Error::other("failed")) } else { Ok(()) };
        seen.send(told).expect("the test listens");
        std::future::ready(answer)
    });
    let service = GuardLayer::new(guard(builder())).replay(Tells).layer(inner);
    service.oneshot(None).await.expect("the third attempt succeeds");
    let mut all = Vec::new();
    while let Some(told) = told.recv().await {
        all.push(told);
    }
    assert_eq!(all.iter().map(|told| told.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(all.iter().all(|told| told.1 == all[0].1 && told.1.len() == 36), "one key for the call");
    assert!(all.iter().all(|told| told.2 == Some(Duration::from_secs(10))), "the clock stands still");
}

#[tokio::test(start_paused = true)]
async fn while_it_is_open_the_inner_service_is_left_alone() {
    let guard = guard(builder());
    guard.breaker().expect("it has one").trip(None).expect("that is short enough");
    let inner = Inner::new();
    inner.said.pending.store(u32::MAX, std::sync::atomic::Ordering::Relaxed);
    let mut service = GuardLayer::new(guard).layer(inner.clone());
    assert!(matches!(readiness(&mut service), Some(Ok(()))), "it is ready to answer");
    assert!(matches!(service.call(7).await, Err(Error::BreakerOpen(_))));
    assert_eq!((inner.asked(), inner.called()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn who_is_to_wait_waits_within_the_call() {
    let clock = ManualClock::new();
    let guard = guard(builder().when_open(WhenOpen::Wait).clock(Arc::new(clock.clone())));
    guard.breaker().expect("it has one").trip(None).expect("that is short enough");
    let inner = Inner::new();
    let mut service = GuardLayer::new(Arc::clone(&guard)).layer(inner.clone());
    let call = tokio::spawn(service.ready().await.expect("at once").call(7));
    tokio::time::sleep(Duration::from_secs(4)).await;
    clock.advance(Duration::from_secs(5));
    assert_eq!(inner.called(), 0, "it waits");
    assert_eq!(call.await.expect("it does not panic").ok(), Some(7));
    assert_eq!((inner.asked(), state(&guard)), (1, Position::Closed), "asked within the attempt");
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_that_is_not_ready_holds_its_callers_back() {
    let inner = Inner::<u8>::new();
    inner.said.pending.store(1, std::sync::atomic::Ordering::Relaxed);
    let mut service = GuardLayer::new(guard(builder())).layer(inner);
    assert!(readiness(&mut service).is_none());
    assert!(matches!(readiness(&mut service), Some(Ok(()))));
}

#[tokio::test(start_paused = true)]
async fn a_clone_is_not_ready_because_the_other_is() {
    let inner = Inner::new();
    let mut service = GuardLayer::new(guard(builder())).layer(inner.clone());
    service.ready().await.expect("it is");
    assert_eq!(service.clone().call(7).await.ok(), Some(7));
    assert_eq!(inner.asked(), 2, "each instance");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_readiness_counts_as_a_call() {
    let guard = guard(builder());
    let inner = Inner::<u8>::new();
    inner.said.broken.store(3, std::sync::atomic::Ordering::Relaxed);
    let mut service = GuardLayer::new(Arc::clone(&guard)).layer(inner);
    for _ in 0..3 {
        assert_eq!(state(&guard), Position::Closed);
        match readiness(&mut service) {
            Some(Err(Error::Failed { error, account })) => {
                assert_eq!((error.to_string().as_str(), account.attempts), ("not ready", 1));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(state(&guard), Position::Open);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_readiness_before_a_retry_is_one_of_the_attempt() {
    let inner = Inner::failing(1);
    let mut service = GuardLayer::new(guard(builder())).layer(inner.clone());
    service.ready().await.expect("it is");
    inner.said.broken.store(1, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(service.call(7).await.ok(), Some(7));
    assert_eq!(inner.called(), 2, "the second attempt came to no call");
}

#[tokio::test(start_paused = true)]
async fn it_goes_with_the_layers_of_tower() {
    let inner = Inner::failing(1);
    let service = ServiceBuilder::new()
        .buffer(4)
        .layer(GuardLayer::new(guard(builder())))
        .concurrency_limit(1)
        .service(inner.clone());
    let calls: Vec<_> = (0..4).map(|request| tokio::spawn(service.clone().oneshot(request))).collect();
    for (request, call) in (0..4).zip(calls) {
        assert_eq!(call.await.expect("it does not panic").ok(), Some(request));
    }
    assert_eq!(inner.called(), 5, "one of them failed once");

    let inner = Inner::failing(9);
    let service = ServiceBuilder::new().buffer(4).layer(GuardLayer::new(guard(builder()))).service(inner);
    let error = service.oneshot(7).await.expect_err("it fails");
    let own = error.downcast::<Error<io::Error>>().expect("a buffer boxes what it hands on");
    assert_eq!(own.account().map(|account| account.attempts), Some(3));
}
