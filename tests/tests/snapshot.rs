//! A breaker's state taken to another process: durations, never instants.

use std::{sync::Arc, time::Duration};

use overcurrent::{Breaker, BreakerPolicy, ManualClock, OpenReason, Position, Snapshot, Span};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn breaker(clock: &ManualClock) -> Breaker {
    let policy =
        BreakerPolicy::consecutive_failures(1).cooldown(ms(1_000)).cooldown_jitter(0.0).build().unwrap();
    Breaker::with("test", policy, Arc::new(clock.clone()), Some(1))
}

/// A breaker that opened for a failure 400 ms ago.
fn opened(clock: &ManualClock) -> Breaker {
    let breaker = breaker(clock);
    breaker.acquire().unwrap().failure();
    clock.advance(ms(400));
    breaker
}

#[test]
fn an_open_breaker_stays_open_for_the_time_that_remained() {
    let snapshot = opened(&ManualClock::new()).snapshot();
    assert_eq!(
        snapshot.to_json(),
        r#"{"version":1,"state":"open","override":null,"remaining_ns":600000000,"opens":1,"reason":"consecutive_failures"}"#
    );

    let elsewhere = ManualClock::new();
    elsewhere.set(ms(86_400_000));
    let other = breaker(&elsewhere);
    other.restore(&Snapshot::from_json(&snapshot.to_json()).unwrap()).unwrap();
    assert_eq!((other.state(), other.reason()), (Position::Open, Some(OpenReason::ConsecutiveFailures)));
    assert_eq!(other.retry_after(), Some(Span::from_millis(600)));
    elsewhere.advance(ms(600));
    other.acquire().unwrap().failure();
    assert_eq!(other.retry_after(), Some(Span::from_secs(2)), "the escalation came along");
}

#[test]
fn a_half_open_breaker_comes_back_open_with_nothing_remaining() {
    let clock = ManualClock::new();
    let breaker = opened(&clock);
    clock.advance(ms(600));
    let probe = breaker.acquire().unwrap();
    assert_eq!(breaker.state(), Position::HalfOpen);
    let snapshot = breaker.snapshot();
    breaker.restore(&snapshot).unwrap();
    assert_eq!((breaker.state(), breaker.retry_after()), (Position::Open, Some(Span::ZERO)));
    probe.success();
    assert_eq!(breaker.late(), 1, "the probe belonged to the epoch before");
    assert!(breaker.acquire().is_ok());
}

#[test]
fn overrides_come_back_as_they_were() {
    let clock = ManualClock::new();
    for (force, position, after) in [
        (Breaker::force_open as fn(&Breaker), Position::ForcedOpen, Position::Open),
        (Breaker::force_closed, Position::ForcedClosed, Position::Closed),
    ] {
        let (one, other) = (breaker(&clock), breaker(&clock));
        force(&one);
        other.restore(&one.snapshot()).unwrap();
        assert_eq!(other.state(), position);
        other.automatic();
        assert_eq!(other.state(), after);
    }
}

#[test]
fn what_cannot_be_a_snapshot_is_refused() {
    let good = opened(&ManualClock::new()).snapshot();
    let breaker = breaker(&ManualClock::new());
    let bad = [
        (Snapshot { version: 2, ..good.clone() }, "snapshot.version"),
        (Snapshot { state: "ajar".into(), ..good.clone() }, "snapshot.state"),
        (Snapshot { state: "forced_open".into(), ..good.clone() }, "snapshot.state"),
        (Snapshot { r#override: Some("closed".into()), ..good.clone() }, "snapshot.override"),
        (Snapshot { opens: 64, ..good.clone() }, "snapshot.opens"),
        (Snapshot { reason: Some("boredom".into()), ..good.clone() }, "snapshot.reason"),
        (Snapshot { remaining_ns: 24 * 3_600_000_000_000 + 1, ..good.clone() }, "snapshot.remaining_ns"),
    ];
    for (snapshot, path) in bad {
        assert_eq!(breaker.restore(&snapshot).unwrap_err().path, path);
    }
    assert_eq!(breaker.state(), Position::Closed, "nothing was restored");
    let unknown = good.to_json().replace("\"version\"", "\"vintage\":1,\"version\"");
    assert!(Snapshot::from_json(&unknown).unwrap_err().rule.contains("vintage"));
}
