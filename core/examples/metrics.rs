//! Serves the metrics of a guard to Prometheus: `cargo run -p overcurrent --example metrics`, then
//! `curl http://127.0.0.1:9464/metrics`.

use std::{
    io::{BufRead, BufReader, Result, Write},
    net::TcpListener,
    sync::Arc,
};

use overcurrent::{Guard, Metrics, metrics, register};

fn main() -> Result<()> {
    let payments = Arc::new(Guard::builder("payments").measure_durations().build().expect("a valid policy"));
    register(&payments);
    let _ = payments.call(|_| Ok::<_, ()>("paid"));

    for stream in TcpListener::bind("127.0.0.1:9464")?.incoming() {
        let mut stream = stream?;
        let head = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        let wants_openmetrics = head.filter(|line| line.contains("application/openmetrics-text")).count() > 0;
        let (kind, body) = if wants_openmetrics {
            (Metrics::OPENMETRICS, metrics().openmetrics())
        } else {
            (Metrics::PROMETHEUS, metrics().prometheus())
        };
        let length = body.len();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")?;
    }
    Ok(())
}
