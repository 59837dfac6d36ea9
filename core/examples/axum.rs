//! A web application in front of a guarded dependency: while its breaker is open, requests are answered
//! with 503 and Retry-After, in whole seconds, rounded up.
//! `cargo run -p overcurrent --example axum --features http,tokio`.

use std::{error::Error as StdError, io, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::get,
};
use overcurrent::{BreakerOpen, BreakerPolicy, Error, Guard, http::retry_after_header};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What a handler fails with.
struct Failure(Error<io::Error>);

impl From<Error<io::Error>> for Failure {
    fn from(error: Error<io::Error>) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self.0 {
            Error::BreakerOpen(rejection) => unavailable(&rejection),
            Error::AttemptTimeout { .. } | Error::DeadlineExceeded { .. } => {
                StatusCode::GATEWAY_TIMEOUT.into_response()
            }
            _ => StatusCode::BAD_GATEWAY.into_response(),
        }
    }
}

/// The answer does not name the breaker, which is no business of strangers.
fn unavailable(rejection: &BreakerOpen) -> Response {
    let mut response = StatusCode::SERVICE_UNAVAILABLE.into_response();
    if let Some(wait) = rejection.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_header(wait)));
    }
    response
}

async fn pay(State(payments): State<Arc<Guard>>) -> Result<&'static str, Failure> {
    payments.run(|_| async { Err::<(), _>(io::Error::other("the bank is down")) }).await?;
    Ok("paid")
}

fn application(payments: Arc<Guard>) -> Router {
    Router::new().route("/pay", get(pay)).with_state(payments)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError>> {
    let breaker = BreakerPolicy::consecutive_failures(1).cooldown(Duration::from_millis(4_500));
    let payments = Guard::builder("payments").no_retry().breaker(breaker.cooldown_jitter(0.0)).build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(axum::serve(listener, application(Arc::new(payments))).into_future());

    let mut heads = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /pay HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n").await?;
        let mut head = String::new();
        stream.read_to_string(&mut head).await?;
        println!("{head}");
        heads.push(head);
    }
    server.abort();
    assert!(heads[0].starts_with("HTTP/1.1 502 "), "the bank was asked");
    assert!(heads[1].starts_with("HTTP/1.1 503 "), "it was not asked again");
    assert!(heads[1].contains("retry-after: 5\r\n"), "4.5 s, rounded up");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().expect("the example runs");
    }
}
