//! How the model reads a written policy: the defaults, in the model's own words.

use crate::{
    cases::{SECOND, Written, WrittenWindow},
    model::rules::{Extent, Rules},
};

/// The rules that a written policy stands for.
pub(crate) fn read(written: &Written) -> Rules {
    let rates_given = written.window.is_some()
        || written.failure_rate.is_some()
        || written.minimum_calls.is_some()
        || written.slow_call.is_some()
        || written.slow_rate.is_some();
    let nothing_given = !rates_given && written.consecutive_failures.is_none();
    let extent = match written.window {
        Some(WrittenWindow::Calls(calls)) => Extent::Calls(calls),
        Some(WrittenWindow::Time { time, buckets }) => {
            let buckets = buckets.unwrap_or(10);
            Extent::Time { buckets, width: time / u64::from(buckets) }
        }
        None => Extent::Time { buckets: 10, width: SECOND },
    };
    let usual_minimum = if let Extent::Calls(calls) = extent { calls.min(20) } else { 20 };
    Rules {
        window: (rates_given || nothing_given).then_some(extent),
        failure_rate: written.failure_rate.unwrap_or(500_000),
        minimum_calls: written.minimum_calls.unwrap_or(usual_minimum),
        slow_call: written.slow_call,
        slow_rate: written.slow_rate.unwrap_or(1_000_000),
        in_a_row: if nothing_given { Some(10) } else { written.consecutive_failures },
        in_a_row_for_trickles: nothing_given,
        abandon_after: written.abandon_after.or(written.slow_call),
        cooldown: written.cooldown.unwrap_or(5 * SECOND),
        cooldown_max: written.cooldown_max.unwrap_or(60 * SECOND),
        cooldown_multiplier: written.cooldown_multiplier.unwrap_or(2_000_000),
        cooldown_jitter: written.cooldown_jitter.unwrap_or(100_000),
        probes: written.probes.unwrap_or(1),
        close_after: written.close_after.unwrap_or(1),
        reopen_after: written.reopen_after.unwrap_or(1),
        probe_timeout: written.probe_timeout.unwrap_or(30 * SECOND),
    }
}
