//! The guard's layer by the rules of HTTP.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderName, Method, Request, Response};
use overcurrent::{
    BreakerDraft, Guard, ManualClock, Position, RetryPolicy,
    tower::{Attempt, GuardLayer, HttpRules},
};
use tower::{Layer, ServiceExt, service_fn};

/// What each attempt sent: its number, and its key.
type Sent = Vec<(u32, Option<String>)>;

/// Sends one request to a server that answers with these, the last one again and again.
async fn send(rules: HttpRules, request: Request<&'static str>, answers: &[(u16, &str)]) -> (u16, Sent) {
    let guard = Guard::builder("g")
        .retry(RetryPolicy::constant(Duration::from_millis(10)).max_attempts(3))
        .clock(Arc::new(ManualClock::new()))
        .build()
        .expect("the policy is valid");
    let sent = Arc::new(Mutex::new(Vec::new()));
    let answers: Vec<_> = answers.iter().map(|(status, after)| (*status, (*after).to_owned())).collect();
    let server = {
        let sent = Arc::clone(&sent);
        service_fn(move |request: Request<&'static str>| {
            let mut sent = sent.lock().expect("it does not panic");
            let attempt = request.extensions().get::<Attempt>().expect("it is told").context().attempt();
            let key = request.headers().get("idempotency-key").or(request.headers().get("x-key"));
            sent.push((attempt, key.map(|key| key.to_str().expect("it is ASCII").to_owned())));
            let (status, after) = &answers[(sent.len() - 1).min(answers.len() - 1)];
            let mut response = Response::builder().status(*status);
            if !after.is_empty() {
                response = response.header("retry-after", after);
            }
            std::future::ready(Ok::<_, Infallible>(response.body(*request.body()).expect("it is valid")))
        })
    };
    let service = GuardLayer::http(guard, rules).layer(server);
    let response = service.oneshot(request).await.expect("the last response comes back");
    let sent = sent.lock().expect("it does not panic").clone();
    (response.status().as_u16(), sent)
}

fn request(method: Method) -> Request<&'static str> {
    Request::builder().method(method).body("body").expect("it is valid")
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_request_is_sent_again_and_another_is_not() {
    let busy = [(503, ""), (429, ""), (200, "")];
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let (status, sent) = send(HttpRules::new(), request(method), &busy).await;
        assert_eq!((status, sent), (200, vec![(1, None), (2, None), (3, None)]));
    }
    for method in [Method::POST, Method::PATCH] {
        let (status, sent) = send(HttpRules::new(), request(method), &busy).await;
        assert_eq!((status, sent), (503, vec![(1, None)]));
    }
    assert_eq!(send(HttpRules::new(), request(Method::GET), &[(501, "")]).await.1.len(), 1, "no cure");
    assert_eq!(send(HttpRules::new(), request(Method::GET), &[(404, "")]).await.1.len(), 1, "an answer");
    assert_eq!(
        send(HttpRules::new(), request(Method::GET), &[(503, "")]).await,
        (503, { vec![(1, None), (2, None), (3, None)] })
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_makes_any_request_repeatable_and_stays_the_same() {
    let busy = [(503, ""), (200, "")];
    let mut own = request(Method::POST);
    own.headers_mut().insert("idempotency-key", "order-7".parse().expect("it is valid"));
    let (status, sent) = send(HttpRules::new(), own, &busy).await;
    let key = Some("order-7".to_owned());
    assert_eq!((status, sent), (200, vec![(1, key.clone()), (2, key)]));

    let mut keys = Vec::new();
    for rules in [HttpRules::new(), HttpRules::new().key_header(HeaderName::from_static("x-key"))] {
        let (status, sent) = send(rules.sending_key(), request(Method::POST), &busy).await;
        assert_eq!((status, sent.len()), (200, 2));
        assert_eq!(sent[0].1.as_deref().map(str::len), Some(36));
        assert_eq!(sent[0].1, sent[1].1);
        keys.push(sent[0].1.clone());
    }
    assert_ne!(keys[0], keys[1], "another call has another key");
}

#[tokio::test(start_paused = true)]
async fn the_servers_hint_is_a_floor_and_one_that_is_too_long_ends_it() {
    let before = tokio::time::Instant::now();
    let (status, _) = send(HttpRules::new(), request(Method::GET), &[(503, "3"), (200, "")]).await;
    let waited = before.elapsed();
    assert_eq!(status, 200);
    assert!(waited >= Duration::from_secs(3) && waited <= Duration::from_millis(4_510), "{waited:?}");
    let (status, sent) = send(HttpRules::new(), request(Method::GET), &[(503, "61"), (200, "")]).await;
    assert_eq!((status, sent.len()), (503, 1));
}

#[tokio::test(start_paused = true)]
async fn a_failing_answer_counts_whether_or_not_it_may_be_repeated() {
    let breaker = BreakerDraft::default().consecutive_failures(1);
    let guard = Arc::new(Guard::builder("g").breaker(breaker).build().expect("the policy is valid"));
    let server = service_fn(|_: Request<()>| {
        let response = Response::builder().status(500).body(()).expect("it is valid");
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let service = GuardLayer::http(Arc::clone(&guard), HttpRules::new()).layer(server);
    let order = Request::builder().method("POST").body(()).expect("it is valid");
    assert_eq!(service.oneshot(order).await.expect("it is an answer").status(), 500);
    assert_eq!(guard.breaker().expect("it has one").state(), Position::Open);
}
