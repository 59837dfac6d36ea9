//! A guard, and a breaker alone, around tower services:
//! `cargo run -p overcurrent --example tower --features tower`.

use std::{
    error::Error as StdError,
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use overcurrent::{
    Breaker, BreakerPolicy, Error, Guard, RetryPolicy, WhenOpen,
    tower::{BreakerLayer, GuardLayer},
};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn StdError>> {
    retries().await?;
    rejections().await
}

/// A service that fails twice is called three times.
async fn retries() -> Result<(), Box<dyn StdError>> {
    let guard = Guard::builder("search")
        .attempt_timeout(Duration::from_secs(2))
        .retry(RetryPolicy::exponential(Duration::from_millis(5), Duration::from_millis(50)).max_attempts(3))
        .build()?;
    let calls = Arc::new(AtomicU32::new(0));
    let mut search = ServiceBuilder::new().layer(GuardLayer::new(guard)).service_fn(move |word: String| {
        let call = calls.fetch_add(1, Ordering::Relaxed) + 1;
        async move { if call < 3 { Err(io::Error::other("it was busy")) } else { Ok((word, call)) } }
    });
    let (word, call) = search.ready().await?.call("rust".to_owned()).await?;
    println!("found {word} in call {call}");
    assert_eq!(call, 3);
    Ok(())
}

/// A breaker that one failure opens answers the next call without calling.
async fn rejections() -> Result<(), Box<dyn StdError>> {
    let breaker = Arc::new(Breaker::new("stock", BreakerPolicy::consecutive_failures(1).build()?));
    let mut stock = ServiceBuilder::new()
        .layer(BreakerLayer::new(Arc::clone(&breaker)).when_open(WhenOpen::Fail))
        .service(service_fn(|_: u32| async { Err::<u32, _>(io::Error::other("it is down")) }));
    for _ in 0..2 {
        match stock.ready().await?.call(7).await {
            Ok(left) => println!("{left} left"),
            Err(Error::BreakerOpen(rejection)) => println!("not called: {rejection}"),
            Err(error) => println!("failed: {error}"),
        }
    }
    assert_eq!(breaker.state().as_str(), "open");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().expect("the example runs");
    }
}
