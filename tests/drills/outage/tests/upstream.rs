//! The upstream over real sockets: what each phase does to a connection.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use overcurrent_outage::{
    client::{Client, Language, Mode},
    script::{Behaviour, Script},
    upstream::Upstream,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const CLIENT: Client = Client { language: Language::Node, mode: Mode::Naive };
const LONG: Duration = Duration::from_secs(3600);
const PATIENCE: Duration = Duration::from_secs(20);
const PROMPT: Behaviour = Behaviour::Answer { latency: Duration::ZERO };

/// An upstream that stands in a phase of this behaviour and length.
async fn upstream(behaviour: Behaviour, lasts: Duration) -> Upstream {
    let rows = [("under test", "", behaviour, lasts), ("after", "", PROMPT, LONG)];
    let upstream = Upstream::start(Script::new(&rows)).await.expect("a free port");
    upstream.begin(Instant::now());
    upstream
}

/// A connection on which a request has been sent.
async fn ask(upstream: &Upstream) -> TcpStream {
    let url = upstream.url(CLIENT);
    let (host, path) = url.trim_start_matches("http://").split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).await.expect("a connection");
    let request =
        format!("POST /{path} HTTP/1.1\r\nhost: {host}\r\nidempotency-key: k\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request");
    stream
}

async fn head(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 4096];
    let length = timeout(PATIENCE, stream.read(&mut bytes)).await.expect("in time").expect("an answer");
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let waited = Instant::now();
    while !condition() {
        assert!(waited.elapsed() < PATIENCE, "{what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_answer_is_counted() {
    let upstream = upstream(PROMPT, LONG).await;
    let mut stream = ask(&upstream).await;
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
    let seen = upstream.arrivals().seen(CLIENT);
    assert_eq!((seen.total(), seen.most_open(), seen.repeats()), (1, 1, 0));
    upstream.stop().await;
}

#[tokio::test]
async fn a_busy_upstream_refuses_exactly_half() {
    let busy = Behaviour::Busy { latency: Duration::ZERO, retry_after: 7 };
    let upstream = upstream(busy, LONG).await;
    let mut refused = 0;
    for _ in 0..8 {
        let answer = head(&mut ask(&upstream).await).await;
        let refusal = answer.starts_with("HTTP/1.1 503");
        assert_eq!(refusal, answer.contains("retry-after: 7"));
        refused += u32::from(refusal);
    }
    assert_eq!(refused, 4);
    assert_eq!(upstream.arrivals().seen(CLIENT).repeats(), 7);
    upstream.stop().await;
}

#[tokio::test]
async fn a_reset_is_a_real_one() {
    let upstream = upstream(Behaviour::Reset, LONG).await;
    let mut stream = ask(&upstream).await;
    let read = timeout(PATIENCE, stream.read(&mut [0; 16])).await.expect("in time");
    assert_eq!(read.expect_err("no answer").kind(), ErrorKind::ConnectionReset);
    until("the request is over", || upstream.arrivals().in_flight(CLIENT) == 0).await;
    upstream.stop().await;
}

#[tokio::test]
async fn a_hanging_request_ends_when_its_client_leaves() {
    let upstream = upstream(Behaviour::Hang, LONG).await;
    let stream = ask(&upstream).await;
    until("the request has arrived", || upstream.arrivals().in_flight(CLIENT) == 1).await;
    drop(stream);
    until("the request is over", || upstream.arrivals().in_flight(CLIENT) == 0).await;
    upstream.stop().await;
}

#[tokio::test]
async fn a_hanging_request_ends_with_its_phase() {
    let upstream = upstream(Behaviour::Hang, Duration::from_millis(150)).await;
    let mut stream = ask(&upstream).await;
    let read = timeout(PATIENCE, stream.read(&mut [0; 16])).await.expect("in time");
    assert_eq!(read.expect_err("no answer").kind(), ErrorKind::ConnectionReset);
    assert!(head(&mut ask(&upstream).await).await.starts_with("HTTP/1.1 200"));
    upstream.stop().await;
}

#[tokio::test]
async fn stopping_leaves_nothing_behind() {
    let upstream = upstream(Behaviour::Hang, LONG).await;
    let mut streams = [ask(&upstream).await, ask(&upstream).await];
    let arrivals = upstream.arrivals().clone();
    until("both have arrived", || arrivals.in_flight(CLIENT) == 2).await;
    timeout(PATIENCE, upstream.stop()).await.expect("in time");
    assert_eq!(arrivals.in_flight(CLIENT), 0);
    for stream in &mut streams {
        assert!(!matches!(stream.read(&mut [0; 16]).await, Ok(length) if length > 0));
    }
}
