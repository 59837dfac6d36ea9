//! A plain retry loop, as many services have one: three attempts, a short pause, no breaker.

use std::{cell::Cell, process, time::Duration};

use overcurrent_outage::{line::Ending, upstream::IDEMPOTENCY_KEY};
use tokio::time::sleep;

use crate::report::Report;

const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(2);

/// The naive caller.
#[derive(Debug)]
pub(crate) struct Naive {
    http: reqwest::Client,
    url: String,
    calls: Cell<u32>,
}

impl Naive {
    pub(crate) fn new(http: reqwest::Client, url: String) -> Self {
        Self { http, url, calls: Cell::new(0) }
    }

    /// One call, reported when it has ended.
    pub(crate) async fn call(&self, report: &Report) {
        let start = report.now();
        let number = self.calls.replace(self.calls.get() + 1);
        let key = format!("{}-{number}", process::id());
        for attempt in 1.. {
            let request = self.http.post(&self.url).header(IDEMPOTENCY_KEY, &key).timeout(TIMEOUT);
            let result = ending(request.send().await);
            if result == Ending::Ok || attempt == ATTEMPTS {
                report.call(start, result, attempt, Vec::new());
                return;
            }
            sleep(PAUSE).await;
        }
    }
}

fn ending(result: reqwest::Result<reqwest::Response>) -> Ending {
    match result {
        Ok(response) if response.status().is_success() => Ending::Ok,
        Err(error) if error.is_timeout() => Ending::Timeout,
        _ => Ending::Error,
    }
}
