//! Random breakers: policies as a document writes them, and what may happen to a breaker.

use overcurrent::{BreakerPolicy, Dialect, Outcome, Snapshot, Value};
use proptest::{option, prelude::*};

use crate::text::{nanos, ratio, table};

pub(crate) const MILLI: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MILLI;
pub(crate) const HOUR: u64 = 3_600 * SECOND;

/// A breaker policy as written: durations in nanoseconds, ratios in parts per million, and what is
/// absent has its default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    pub(crate) window: Option<WrittenWindow>,
    pub(crate) failure_rate: Option<u64>,
    pub(crate) minimum_calls: Option<u32>,
    pub(crate) slow_call: Option<u64>,
    pub(crate) slow_rate: Option<u64>,
    pub(crate) consecutive_failures: Option<u32>,
    pub(crate) abandon_after: Option<u64>,
    pub(crate) cooldown: Option<u64>,
    pub(crate) cooldown_max: Option<u64>,
    pub(crate) cooldown_multiplier: Option<u64>,
    pub(crate) cooldown_jitter: Option<u64>,
    pub(crate) probes: Option<u32>,
    pub(crate) close_after: Option<u32>,
    pub(crate) reopen_after: Option<u32>,
    pub(crate) probe_timeout: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum WrittenWindow {
    Time { time: u64, buckets: Option<u32> },
    Calls(u32),
}

impl Written {
    /// The policy that the core reads from it.
    pub(crate) fn policy(&self) -> BreakerPolicy {
        let window = self.window.map(|window| match window {
            WrittenWindow::Time { time, buckets } => {
                table([("time", Some(nanos(time))), ("buckets", buckets.map(Value::from))])
            }
            WrittenWindow::Calls(calls) => table([("calls", Some(calls.into()))]),
        });
        let document = table([
            ("window", window),
            ("failure_rate", self.failure_rate.map(ratio)),
            ("minimum_calls", self.minimum_calls.map(Value::from)),
            ("slow_call", self.slow_call.map(nanos)),
            ("slow_rate", self.slow_rate.map(ratio)),
            ("consecutive_failures", self.consecutive_failures.map(Value::from)),
            ("abandon_after", self.abandon_after.map(nanos)),
            ("cooldown", self.cooldown.map(nanos)),
            ("cooldown_max", self.cooldown_max.map(nanos)),
            ("cooldown_multiplier", self.cooldown_multiplier.map(ratio)),
            ("cooldown_jitter", self.cooldown_jitter.map(ratio)),
            ("probes", self.probes.map(Value::from)),
            ("close_after", self.close_after.map(Value::from)),
            ("reopen_after", self.reopen_after.map(Value::from)),
            ("probe_timeout", self.probe_timeout.map(nanos)),
        ]);
        BreakerPolicy::from_value(&document, "", Dialect::Document)
            .unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// One thing that happens to a breaker.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// The clock moves on.
    Pass(u64),
    /// The clock steps back.
    Back(u64),
    /// The clock reads something else altogether.
    Jump(u64),
    Acquire,
    /// The n-th of the permits that are out, modulo their number, is used: with a duration that the
    /// caller measured, or with none.
    Settle(usize, Outcome, Option<u64>),
    /// That permit is dropped.
    Drop(usize),
    Trip(Option<u64>),
    Reset,
    ForceOpen,
    ForceClosed,
    Automatic,
    /// Its state is saved.
    Save,
    /// The n-th of the saved states, modulo their number, is restored.
    Recall(usize),
    /// A state that somebody wrote is restored, if it can be.
    Restore(Snapshot),
}

/// Policies whose times are short enough for a run to see them all pass, and the defaults.
pub(crate) fn policies() -> impl Strategy<Value = Written> {
    (tests(), recovery()).prop_map(|(tests, recovery)| Written {
        window: tests.window,
        failure_rate: tests.failure_rate,
        minimum_calls: tests.minimum_calls,
        slow_call: tests.slow_call,
        slow_rate: tests.slow_rate,
        consecutive_failures: tests.consecutive_failures,
        abandon_after: tests.abandon_after,
        ..recovery
    })
}

fn rate() -> impl Strategy<Value = u64> {
    prop_oneof![Just(1u64), 1..=1_000_000u64, Just(500_000), Just(1_000_000)]
}

fn window() -> impl Strategy<Value = WrittenWindow> {
    let buckets = prop_oneof![4 => 1..=12u32, 1 => 13..=60u32];
    let time = (buckets, MILLI..800 * MILLI, 0..60u64).prop_map(|(buckets, width, odd)| {
        let time = u64::from(buckets) * width + odd % u64::from(buckets);
        WrittenWindow::Time { time, buckets: Some(buckets) }
    });
    let plain = (10 * MILLI..3 * SECOND).prop_map(|time| WrittenWindow::Time { time, buckets: None });
    prop_oneof![3 => time, 1 => plain, 4 => (1..=40u32).prop_map(WrittenWindow::Calls)]
}

/// When it opens: no test at all (so the defaults), only failures in a row, a window, or both.
fn tests() -> impl Strategy<Value = Written> {
    let in_a_row =
        || (1..=8u32).prop_map(|limit| Written { consecutive_failures: Some(limit), ..Written::default() });
    let windowed = (
        option::weighted(0.8, window()),
        option::of(rate()),
        option::weighted(0.85, 1..=12u32),
        option::weighted(0.7, (1..=250u64, option::of(rate()))),
        option::weighted(0.3, 1..=8u32),
    )
        .prop_map(|(window, failure_rate, minimum_calls, slow, consecutive_failures)| {
            let most = if let Some(WrittenWindow::Calls(calls)) = window { calls } else { u32::MAX };
            Written {
                window,
                failure_rate,
                minimum_calls: minimum_calls.map(|calls| calls.min(most)),
                slow_call: slow.map(|(limit, _)| limit * MILLI),
                slow_rate: slow.and_then(|(_, rate)| rate),
                consecutive_failures,
                ..Written::default()
            }
        });
    let test = prop_oneof![2 => Just(Written::default()), 2 => in_a_row(), 8 => windowed];
    (test, option::of(1..=250u64))
        .prop_map(|(test, abandon)| Written { abandon_after: abandon.map(|limit| limit * MILLI), ..test })
}

/// How it recovers.
fn recovery() -> impl Strategy<Value = Written> {
    let cooldowns = (MILLI..900 * MILLI, 0..3_000 * MILLI, option::of(1_000_000..=3_500_000u64));
    let jitter = option::of(prop_oneof![Just(0u64), 1..=1_000_000u64]);
    let probes = (1..=5u32, 1..=5u32, 0..9u32, MILLI..2_000 * MILLI);
    let given = (cooldowns, jitter, probes).prop_map(|(cooldown, cooldown_jitter, probes)| Written {
        cooldown: Some(cooldown.0),
        cooldown_max: Some(cooldown.0 + cooldown.1),
        cooldown_multiplier: cooldown.2,
        cooldown_jitter,
        probes: Some(1 + probes.2 % (probes.0 + probes.1 - 1)),
        close_after: Some(probes.0),
        reopen_after: Some(probes.1),
        probe_timeout: Some(probes.3),
        ..Written::default()
    });
    prop_oneof![1 => Just(Written::default()), 12 => given]
}
