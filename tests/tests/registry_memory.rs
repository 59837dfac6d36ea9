//! What a registry of 100,000 breakers takes of the machine's memory. Alone in its process, so that
//! nothing else moves the figure.
#![cfg(target_os = "linux")]

use std::{fs, sync::Arc, time::Duration};

use overcurrent::{Breaker, BreakerPolicy, InvalidPolicy, Registry};

const BREAKERS: usize = 100_000;
const MOST: usize = 64 * 1024 * 1024;

/// The resident memory of this process, in bytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("the system tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it tells of memory");
    let kib: usize = line.trim().strip_suffix("kB").expect("in kB").trim().parse().expect("a number");
    kib * 1024
}

/// How much the resident memory grows by a registry of breakers of one policy.
fn growth(policy: Result<BreakerPolicy, InvalidPolicy>) -> (Registry<Breaker>, usize) {
    let policy = Arc::new(policy.expect("it is valid"));
    let before = resident();
    let registry = Registry::new(BREAKERS);
    for number in 0..BREAKERS {
        // Longer than a name that is kept in place.
        let key = format!("api-{number:05}.example.internal:8443");
        let breaker = registry.get_or_create(&key, |name| Breaker::new(name, Arc::clone(&policy)));
        breaker.expect("there is room").acquire().expect("it is closed").success();
    }
    let grown = resident() - before;
    assert_eq!((registry.len(), registry.evictions()), (BREAKERS, 0));
    (registry, grown)
}

#[test]
fn a_registry_of_100_000_breakers_takes_64_mib_at_most() {
    // Each stays until the end, lest the next one be given its memory.
    let (_defaults, grown) = growth(Ok(BreakerPolicy::default()));
    let others = [
        ("consecutive failures", BreakerPolicy::consecutive_failures(5)),
        ("last 10 s, slow calls", BreakerPolicy::failure_rate(0.5).slow_call(Duration::from_secs(1))),
        ("last 100 calls", BreakerPolicy::failure_rate(0.5).call_window(100)),
    ]
    .map(|(name, policy)| (name, growth(policy.build())));
    println!("defaults: {} bytes per breaker", grown / BREAKERS);
    for (name, (_, grown)) in &others {
        println!("{name}: {} bytes per breaker", grown / BREAKERS);
    }
    assert!(grown <= MOST, "{} KiB are more than {} KiB", grown / 1024, MOST / 1024);
    assert!(grown / BREAKERS > 200, "so many breakers cannot be so small: {grown} bytes");
}
