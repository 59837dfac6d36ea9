//! What only the middleware for reqwest does: a guard for each server, bodies that cannot be sent again, other
//! middlewares around.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::Bytes;
use http::Extensions;
use http_body_util::channel::Channel;
use overcurrent::{
    BreakerDraft, Error, ErrorCode, Failure, Guard, GuardDraft, GuardPolicy, Position, Registry,
    RegistryFull, RetryPolicy, Verdict,
    http::IDEMPOTENCY_KEY,
    reqwest_middleware::{Attempt, GuardMiddleware, HttpRules},
};
use reqwest::{Body, Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};

use super::{
    client::{breaker, builder, code},
    server::{Fault, Server},
};

/// Two failures open, and two attempts make them.
fn policy() -> GuardPolicy {
    let retry = RetryPolicy::no_backoff().max_attempts(2);
    let breaker = BreakerDraft::default().consecutive_failures(2);
    GuardDraft::default().retry(retry).breaker(breaker).build().expect("the policy is valid")
}

fn client(guarded: GuardMiddleware) -> ClientWithMiddleware {
    ClientBuilder::new(reqwest::Client::new()).with(guarded).build()
}

/// A guard whose breaker one failure opens.
fn strict() -> Arc<Guard> {
    let breaker = BreakerDraft::default().consecutive_failures(1);
    Arc::new(builder().breaker(breaker).build().expect("the policy is valid"))
}

/// One with the defaults, which retries at once.
fn lenient() -> Arc<Guard> {
    Arc::new(builder().build().expect("the policy is valid"))
}

#[tokio::test]
async fn each_server_has_a_guard_of_its_own() {
    let (down, up) = (Server::start(&[Fault::Busy("0"); 2]).await, Server::start(&[]).await);
    let servers = Arc::new(Registry::new(10));
    let create = |name: overcurrent::Name| Guard::new(name, policy());
    let client = client(GuardMiddleware::keyed(Arc::clone(&servers), create));
    let send = async |server: &Server| client.get(format!("http://{}/", server.address)).send().await;
    assert_eq!(send(&down).await.expect("an answer").status(), 503);
    let error = send(&down).await.expect_err("it is open");
    assert_eq!(code(&error), Some(ErrorCode::BreakerOpen));
    assert!(error.to_string().contains(&down.address.to_string()), "{error}");
    assert_eq!(send(&up).await.expect("an answer").status(), 200);
    let state =
        |server: &Server| servers.get(&server.address.to_string()).map(|guard| breaker(&guard).state());
    assert_eq!((state(&down), state(&up)), (Some(Position::Open), Some(Position::Closed)));

    // A registry of the middleware's own does the same.
    let own = ClientBuilder::new(reqwest::Client::new()).with(GuardMiddleware::new(policy())).build();
    assert_eq!(own.get(format!("http://{}/", down.address)).send().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_registry_without_room_says_so() {
    let (one, other) = (Server::start(&[Fault::Busy(""); 2]).await, Server::start(&[]).await);
    let client =
        client(GuardMiddleware::keyed(Arc::new(Registry::new(1)), |name| Guard::new(name, policy())));
    let get = |server: &Server| client.get(format!("http://{}/", server.address)).send();
    assert_eq!(get(&one).await.expect("an answer").status(), 503);
    let error = get(&other).await.expect_err("the only guard is open and stays");
    let reqwest_middleware::Error::Middleware(error) = error else { panic!("{error}") };
    assert_eq!(error.downcast_ref::<RegistryFull>().expect("it says so").name, *other.address.to_string());
    assert_eq!(other.requests(), 0);
}

#[tokio::test]
async fn the_key_of_a_call_is_sent_with_each_of_its_attempts() {
    let server = Server::start(&[Fault::Busy("0"), Fault::Busy("0")]).await;
    let guarded = GuardMiddleware::shared(lenient()).rules(HttpRules::new().sending_key());
    let client = client(guarded);
    for _ in 0..2 {
        let sent = client.post(format!("http://{}/", server.address)).body("order").send().await;
        assert_eq!(sent.expect("an answer").status(), 200);
    }
    let keys = server.headers(IDEMPOTENCY_KEY);
    assert_eq!(keys.len(), 4);
    assert!(keys[0].is_some() && keys[0] == keys[1] && keys[0] == keys[2], "{keys:?}");
    assert_ne!(keys[0], keys[3], "another call has another key");

    let own = client.post(format!("http://{}/", server.address)).header(IDEMPOTENCY_KEY, "mine");
    own.send().await.expect("an answer");
    assert_eq!(server.headers(IDEMPOTENCY_KEY)[4].as_deref(), Some("mine"));
}

#[tokio::test]
async fn a_body_that_cannot_be_copied_is_sent_once() {
    let server = Server::start(&[Fault::Busy("0"), Fault::Busy("0")]).await;
    let client = client(GuardMiddleware::shared(lenient()));
    let (mut sender, body) = Channel::<Bytes>::new(1);
    sender.send_data(Bytes::from_static(b"one part")).await.expect("there is room");
    drop(sender);
    let sent = client.put(format!("http://{}/", server.address)).body(Body::wrap(body)).send().await;
    assert_eq!((sent.expect("an answer").status().as_u16(), server.requests()), (503, 1));
    let sent = client.put(format!("http://{}/", server.address)).body("a whole").send().await;
    assert_eq!((sent.expect("an answer").status().as_u16(), server.requests()), (200, 3));
}

#[tokio::test]
async fn what_is_no_fault_of_the_server_does_not_count() {
    let guard = strict();
    let client = client(GuardMiddleware::shared(Arc::clone(&guard)));
    let error = client.get("ftp://server.example/").send().await.expect_err("it cannot be sent");
    assert!(error.is_builder(), "{error}");
    let server = Server::start(&[Fault::Redirect; 11]).await;
    let error = client.get(format!("http://{}/", server.address)).send().await.expect_err("it goes round");
    assert!(error.is_redirect(), "{error}");
    assert_eq!((server.requests(), breaker(&guard).state()), (11, Position::Closed), "nor is it repeated");
}

#[tokio::test]
async fn a_hook_is_asked_first() {
    let server = Server::start(&[Fault::Busy(""), Fault::Busy("")]).await;
    let guard = strict();
    let hook = |result: &reqwest_middleware::Result<Response>| match result {
        Ok(response) if response.status() == 503 => Some(Verdict::Success),
        Ok(response) if response.headers().contains_key("connection") => {
            Some(Verdict::Failure(Failure::FINAL))
        }
        _ => None,
    };
    let client = client(GuardMiddleware::shared(Arc::clone(&guard)).classify(hook));
    let get = async || client.get(format!("http://{}/", server.address)).send().await.map(|r| r.status());
    assert_eq!(get().await.expect("an answer"), 503);
    assert_eq!(get().await.expect("an answer"), 503);
    assert_eq!(breaker(&guard).state(), Position::Closed);
    assert_eq!(get().await.expect("an answer"), 200);
    assert_eq!(breaker(&guard).state(), Position::Open);
}

/// Writes down the attempts it sees, and leaves a note.
struct Inside(Arc<Mutex<Vec<u32>>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Note(u32);

#[async_trait]
impl Middleware for Inside {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let number = extensions.get::<Attempt>().expect("it is told").context().attempt();
        assert_eq!(
            extensions.get(),
            Some(&Note(0)),
            "each attempt begins with what the caller has put there"
        );
        extensions.insert(Note(number));
        self.0.lock().expect("nobody panics with it").push(number);
        next.run(request, extensions).await
    }
}

/// Looks at the note that is left.
struct Outside;

#[async_trait]
impl Middleware for Outside {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        extensions.insert(Note(0));
        let response = next.run(request, extensions).await?;
        assert_eq!(extensions.get(), Some(&Note(2)), "of the last attempt");
        Ok(response)
    }
}

#[tokio::test]
async fn middlewares_around_it_see_the_call_and_those_inside_each_attempt() {
    let server = Server::start(&[Fault::Reset]).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let client = ClientBuilder::new(reqwest::Client::new())
        .with(Outside)
        .with(GuardMiddleware::shared(lenient()))
        .with(Inside(Arc::clone(&seen)))
        .build();
    let sent = client.get(format!("http://{}/", server.address)).send().await;
    assert_eq!(sent.expect("an answer").status(), 200);
    assert_eq!(*seen.lock().expect("nobody panics with it"), [1, 2]);
}

#[tokio::test]
async fn a_rejection_through_the_middleware_is_no_failure_of_who_calls_it() {
    let inner = strict();
    breaker(&inner).force_open();
    let client = client(GuardMiddleware::shared(inner));
    let outer = strict();
    let call = outer.run(|_| client.get("http://server.example/").send());
    match call.await {
        Err(Error::Failed { error, account }) => {
            assert_eq!((code(&error), account.attempts), (Some(ErrorCode::BreakerOpen), 1));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(breaker(&outer).state(), Position::Closed);
}
