//! A client of reqwest with a guard for each server, against a server that is busy at first:
//! `cargo run -p overcurrent --example reqwest_middleware --features reqwest-middleware`.

use std::{
    error::Error as StdError,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use overcurrent::{
    Guard, GuardDraft, Registry, RetryPolicy,
    http::IDEMPOTENCY_KEY,
    reqwest_middleware::{GuardMiddleware, HttpRules},
};
use reqwest_middleware::ClientBuilder;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError>> {
    // A server that is busy at first, and writes down the keys it gets.
    let keys = Arc::new(Mutex::new(Vec::new()));
    let order = {
        let keys = Arc::clone(&keys);
        async move |headers: HeaderMap| {
            let mut keys = keys.lock().expect("no handler panics");
            keys.push(headers.get(IDEMPOTENCY_KEY).cloned());
            if keys.len() < 3 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::CREATED }
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let application = Router::new().route("/orders", post(order));
    let server = tokio::spawn(axum::serve(listener, application).into_future());

    let policy = GuardDraft::default()
        .attempt_timeout(Duration::from_secs(2))
        .retry(RetryPolicy::exponential(Duration::from_millis(5), Duration::from_millis(50)))
        .build()?;
    let servers = Arc::new(Registry::new(100));
    let guarded = GuardMiddleware::keyed(Arc::clone(&servers), move |name| Guard::new(name, policy.clone()))
        .rules(HttpRules::new().sending_key());
    let client = ClientBuilder::new(reqwest::Client::new()).with(guarded).build();

    let response = client.post(format!("http://{address}/orders")).body("one of these").send().await?;
    server.abort();
    println!("{} from {}", response.status(), address);
    assert_eq!(response.status(), 201);

    let keys = keys.lock().expect("no handler panicked");
    assert_eq!(keys.len(), 3, "a request with a key may be sent again");
    assert!(keys[0].is_some() && keys.iter().all(|key| *key == keys[0]), "and has the same each time");
    let breaker = servers.get(&address.to_string()).and_then(|guard| guard.breaker().cloned());
    assert_eq!(breaker.expect("the server has one").state().as_str(), "closed");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().expect("the example runs");
    }
}
