//! Guarded clients against a server on this machine that misbehaves: connections that are reset, requests that
//! are never answered, answers that ask for patience, bodies that come slowly or break off. Real sockets and
//! real time; what is waited for is polled for.

#[path = "faults/client.rs"]
mod client;
#[path = "faults/middleware.rs"]
mod middleware;
#[path = "faults/server.rs"]
mod server;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use client::{Client, Kind, breaker, builder};
use overcurrent::{BreakerDraft, ErrorCode, Position, Span};
use server::{Fault, Server};

/// Comes back when `done` holds, and panics where it does not for long.
async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_is_tried_again_where_that_is_harmless() {
    for kind in Kind::ALL {
        let server = Server::start(&[Fault::Reset, Fault::Reset]).await;
        let client = Client::new(kind, builder());
        assert_eq!(client.send("GET", &server).await, Ok(200), "{kind:?}");
        assert_eq!(server.requests(), 1, "{kind:?}: two came to no request");

        server.then(&[Fault::Reset]);
        assert_eq!(client.send("POST", &server).await, Err(None), "{kind:?}: the client's own error");
        assert_eq!(server.requests(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_request_that_hangs_is_cut_and_its_connection_closed() {
    for kind in Kind::ALL {
        let server = Server::start(&[Fault::Hang]).await;
        let client = Client::new(kind, builder().attempt_timeout(Duration::from_millis(200)));
        assert_eq!(client.send("GET", &server).await, Ok(200), "{kind:?}");
        assert_eq!(server.requests(), 2, "{kind:?}");

        server.then(&[Fault::Hang]);
        assert_eq!(client.send("POST", &server).await, Err(Some(ErrorCode::AttemptTimeout)), "{kind:?}");
        assert_eq!(server.requests(), 3, "{kind:?}: a timeout does not tell what the server has done");
        until("what hangs is let go of", async || server.hanging() == 0).await;
    }
}

#[tokio::test]
async fn the_deadline_of_a_call_cuts_it() {
    for kind in Kind::ALL {
        let server = Server::start(&[Fault::Hang]).await;
        let client = Client::new(kind, builder().deadline(Duration::from_millis(200)));
        assert_eq!(client.send("GET", &server).await, Err(Some(ErrorCode::DeadlineExceeded)), "{kind:?}");
        until("what hangs is let go of", async || server.hanging() == 0).await;
    }
}

#[tokio::test]
async fn who_asks_for_patience_is_given_it() {
    for kind in Kind::ALL {
        let server = Server::start(&[Fault::Busy("1")]).await;
        let client = Client::new(kind, builder());
        let before = Instant::now();
        assert_eq!(client.send("GET", &server).await, Ok(200), "{kind:?}");
        assert!(before.elapsed() >= Duration::from_secs(1), "{kind:?}: {:?}", before.elapsed());
        server.then(&[Fault::Busy("61")]);
        assert_eq!(client.send("GET", &server).await, Ok(503), "{kind:?}: that is too long");
    }
}

#[tokio::test]
async fn a_server_that_stays_down_is_left_alone_until_a_probe_succeeds() {
    for kind in Kind::ALL {
        let server = Server::start(&[Fault::Busy(""), Fault::Reset, Fault::Busy("")]).await;
        let draft = BreakerDraft::default().consecutive_failures(3).cooldown(Duration::from_millis(300));
        let client = Client::new(kind, builder().breaker(draft));
        assert_eq!(client.send("GET", &server).await, Ok(503), "{kind:?}: the last answer comes back");
        assert_eq!(breaker(&client.guard).state(), Position::Open, "{kind:?}");
        let requests = server.requests();
        assert_eq!(client.send("GET", &server).await, Err(Some(ErrorCode::BreakerOpen)), "{kind:?}");
        assert_eq!(server.requests(), requests, "{kind:?}: it was not asked");
        until("a probe is admitted", async || client.send("GET", &server).await == Ok(200)).await;
        assert_eq!(breaker(&client.guard).state(), Position::Closed, "{kind:?}");
    }
}

#[tokio::test]
async fn a_probe_whose_caller_goes_away_is_free_again() {
    for kind in Kind::ALL {
        let server = Server::start(&[Fault::Hang]).await;
        let client = Arc::new(Client::new(kind, builder()));
        let breaker = breaker(&client.guard);
        breaker.trip(Some(Duration::ZERO)).expect("that is short enough");
        until("the millisecond is over", async || breaker.retry_after() == Some(Span::ZERO)).await;
        let (caller, address) = (Arc::clone(&client), server.address);
        let call = tokio::spawn(async move { caller.send_to("GET", address).await });
        until("the probe is under way", async || server.hanging() == 1).await;
        assert_eq!(client.send("GET", &server).await, Err(Some(ErrorCode::BreakerOpen)), "{kind:?}");
        call.abort();
        assert!(call.await.expect_err("it was aborted").is_cancelled());
        assert_eq!(breaker.state(), Position::HalfOpen, "{kind:?}: nothing was counted");
        assert_eq!(client.send("GET", &server).await, Ok(200), "{kind:?}");
        assert_eq!(breaker.state(), Position::Closed, "{kind:?}");
        until("what hangs is let go of", async || server.hanging() == 0).await;
    }
}

#[tokio::test]
async fn an_attempt_is_over_with_the_head_of_its_response() {
    for kind in Kind::ALL {
        for fault in [Fault::SlowBody, Fault::BrokenBody] {
            let server = Server::start(&[fault]).await;
            let draft = BreakerDraft::default().consecutive_failures(1);
            let client = Client::new(kind, builder().breaker(draft).deadline(Duration::from_millis(500)));
            let mut body = client.body(&server).await;
            assert_eq!(body.chunk().await.as_deref(), Ok(&b"first"[..]), "{kind:?}, {fault:?}");
            if fault == Fault::BrokenBody {
                server.break_off();
                assert_eq!(body.chunk().await, Err(()), "{kind:?}");
            }
            assert_eq!(server.requests(), 1, "{kind:?}, {fault:?}: nothing is sent again for its body");
            assert_eq!(breaker(&client.guard).state(), Position::Closed, "{kind:?}, {fault:?}");
        }
    }
}
