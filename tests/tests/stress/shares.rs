//! A stress at a steady share of failures: a breaker whose limit is well above it stays closed, one whose
//! limit is well below it opens, however the threads are put to sleep in between.

use std::{thread, time::Duration};

use overcurrent::{Breaker, BreakerPolicy, Instant, Position};

/// One call in four fails.
const EVERY: u64 = 4;

/// A window at a limit, `None` for one of time.
fn policy(rate: f64, calls: Option<u32>) -> BreakerPolicy {
    let draft = BreakerPolicy::failure_rate(rate).minimum_calls(100).cooldown(Duration::from_secs(60));
    let draft = if let Some(calls) = calls { draft.call_window(calls) } else { draft };
    draft.build().expect("the policy is valid")
}

/// Whether `threads` threads open it within `length`, and in how many calls.
fn run(rate: f64, calls: Option<u32>, threads: usize, length: Duration) -> (bool, u64) {
    let breaker = Breaker::new("shares", policy(rate, calls));
    let end = breaker.now().after(length.into());
    let calls = thread::scope(|scope| {
        let callers: Vec<_> = (0..threads).map(|_| scope.spawn(|| caller(&breaker, end))).collect();
        callers.into_iter().map(|caller| caller.join().expect("no caller panics")).sum()
    });
    (breaker.state() == Position::Open, calls)
}

fn caller(breaker: &Breaker, end: Instant) -> u64 {
    let mut calls = 0;
    while breaker.now() < end {
        for _ in 0..1_000 {
            let Ok(permit) = breaker.acquire() else { return calls };
            calls += 1;
            if calls % EVERY == 1 { permit.failure() } else { permit.success() }
        }
    }
    calls
}

/// All windows and numbers of threads, `length` in all.
pub(crate) fn all(length: Duration) {
    let windows = [Some(100), Some(1_000), None];
    let threads = [2, 4, 8];
    let each = length / u32::try_from(windows.len() * threads.len()).expect("there are a few");
    for window in windows {
        for threads in threads {
            let (opened, calls) = run(0.5, window, threads, each);
            println!("window {window:?}, {threads} threads: {calls} calls, a quarter failed, limit a half");
            assert!(!opened, "window {window:?}, {threads} threads: opened in {calls} calls");
            assert!(calls > 100, "{calls} calls");
        }
        let (opened, calls) = run(0.125, window, 2, Duration::from_secs(60));
        assert!(
            opened,
            "window {window:?}: {calls} calls, a quarter failed, and the limit of an eighth did not open it"
        );
    }
}
