//! What a run must show, as pure functions over what was recorded.
//!
//! | claim | holds when |
//! | --- | --- |
//! | opened | the breaker was seen open during the outage |
//! | probed | it probed during the outage; never more than `probes` of one round were under way, as the client counts them and as the upstream does; a first attempt that was a probe and failed was followed by no probe within `cooldown` |
//! | recovered | it was closed at the end, and calls were answered after the outage |
//! | budget | retries, as the client counts them and as the upstream does, are at most burst + ratio · calls + `min_per_second` · seconds; and so they are in every stretch of the run that is longer than a deadline, by the client's count |
//! | complete | every call that was due came back |
//!
//! None of them depends on how fast the machine is, within reason. An attempt is a probe when the
//! breaker says half-open as it begins, read on the same thread and before anything else can run. Its
//! *round* is the number of probes that had ended without a good answer before: so two probes of one
//! round that are open together are too many, while one of an earlier round that was cut, and whose
//! connection the upstream has not yet seen closing, is not counted against a later one.
//!
//! A failed probe opens the breaker for a cooldown. A retry that is a probe and is cut by the deadline
//! of its call does not: with the little time it had, it says nothing of the upstream, and the next call
//! may probe at once. From outside the two look alike, so cooldowns are measured from first attempts.

use std::time::Duration;

use crate::{
    arrivals::Seen,
    client::Language,
    limits::Limits,
    line::State,
    record::Record,
    script::{Script, millis},
};

/// For the rounding of times to their last printed digit, in milliseconds.
const ROUNDING: f64 = 1.0;

/// Between a decision of the guard and the client's look at its clock, in milliseconds.
const READING: f64 = 100.0;

/// Something that a run must show of one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose claim.
    pub language: Language,
    /// What is claimed.
    pub name: &'static str,
    /// Whether it holds.
    pub held: bool,
    /// What was seen, in numbers.
    pub detail: String,
}

/// All claims about one guarded client.
pub fn check(
    language: Language,
    record: &Record,
    seen: &Seen,
    limits: &Limits,
    script: &Script,
    due: u32,
) -> Vec<Claim> {
    let claim = |name, (held, detail)| Claim { language, name, held, detail };
    vec![
        claim("opened", opened(record, script)),
        claim("probed within its limits", probed(record, seen, limits, script)),
        claim("recovered", recovered(record, script)),
        claim("kept its retry budget", kept_budget(record, seen, limits)),
        claim("finished every call", finished(record, due)),
    ]
}

fn opened(record: &Record, script: &Script) -> (bool, String) {
    let opened = record
        .stretches(millis(script.total()))
        .into_iter()
        .filter(|stretch| stretch.state == State::Open && during_outage(script, stretch.start))
        .collect::<Vec<_>>();
    match opened.first() {
        None => (false, "never seen open during the outage".to_owned()),
        Some(first) => {
            let after = first.start - millis(script.outage_start());
            (true, format!("open {} times, first {after:.0} ms into the outage", opened.len()))
        }
    }
}

fn probed(record: &Record, seen: &Seen, limits: &Limits, script: &Script) -> (bool, String) {
    let during = record.probes.iter().filter(|probe| during_outage(script, probe.start)).count();
    let at_once = record.probes.iter().map(|probe| probe.in_flight).max().unwrap_or(0);
    let upstream = seen.probes_at_once;
    let most = limits.probes;
    if during == 0 {
        return (false, "no probe was seen during the outage".to_owned());
    }
    if at_once > most {
        return (false, format!("{at_once} probes at once by the client's count, {most} are allowed"));
    }
    if upstream > most {
        return (false, format!("{upstream} probes at once by the upstream's count, {most} are allowed"));
    }
    if let Some(gap) = shortest_gap(record).filter(|gap| *gap < limits.cooldown - ROUNDING) {
        return (
            false,
            format!("probed {gap:.0} ms after a failed probe, the cooldown is {:.0} ms", limits.cooldown),
        );
    }
    (true, format!("{during} probes during the outage, at most {upstream} at once ({most} allowed)"))
}

/// The shortest time from the start of a first attempt that was a failed probe to the start of the next
/// round: at least a cooldown, because the failure came after that start.
fn shortest_gap(record: &Record) -> Option<f64> {
    let failed = record.probes.iter().filter(|probe| !probe.ok && probe.attempt == 1);
    failed
        .filter_map(|failed| {
            let next = record.probes.iter().filter(|probe| probe.round > failed.round);
            next.map(|probe| probe.start - failed.start).min_by(f64::total_cmp)
        })
        .min_by(f64::total_cmp)
}

fn recovered(record: &Record, script: &Script) -> (bool, String) {
    let since = millis(script.recovery_start());
    match (record.first_answer_after(since), record.state()) {
        (None, _) => (false, "no call was answered after the outage".to_owned()),
        (Some(first), Some(State::Closed)) => {
            (true, format!("first answer {first:.0} ms after the outage, closed at the end"))
        }
        (Some(_), state) => {
            (false, format!("the breaker was {state:?} at the end, not closed").to_lowercase())
        }
    }
}

fn kept_budget(record: &Record, seen: &Seen, limits: &Limits) -> (bool, String) {
    let allowed = limits.retries(record.total(), record.elapsed());
    let (client, upstream) = (record.retries(), seen.repeats());
    if let Some(burst) = spree(record, limits) {
        return (false, burst);
    }
    let held = f64::from(client.max(upstream)) <= allowed;
    (
        held,
        format!(
            "{client} retries by the client's count, {upstream} by the upstream's, {allowed:.0} are allowed"
        ),
    )
}

/// A stretch of the run with more retries than the budget can have held.
///
/// A retry takes its token at most one deadline before it begins. So the retries that begin in a
/// stretch were paid for from a full bucket, and from what the calls and the time of that stretch,
/// begun one deadline earlier, have added.
fn spree(record: &Record, limits: &Limits) -> Option<String> {
    let sorted = |times: &mut dyn Iterator<Item = f64>| {
        let mut times: Vec<f64> = times.collect();
        times.sort_by(f64::total_cmp);
        times
    };
    let retries = sorted(&mut record.calls.iter().flat_map(|call| call.retried.iter().copied()));
    let calls = sorted(&mut record.calls.iter().map(|call| call.start));
    let until = |time: f64| calls.partition_point(|start| *start <= time);
    for (first, from) in retries.iter().enumerate() {
        let since = from - limits.deadline - READING;
        for (taken, to) in (1_u32..).zip(&retries[first..]) {
            let begun = u32::try_from(until(*to) - until(since)).unwrap_or(u32::MAX);
            let allowed = limits.retries(begun, to - since);
            if f64::from(taken) > allowed {
                return Some(format!(
                    "{taken} retries from {from:.0} ms to {to:.0} ms, the budget allows {allowed:.1}"
                ));
            }
        }
    }
    None
}

fn finished(record: &Record, due: u32) -> (bool, String) {
    let finished = record.total();
    (finished == due, format!("{finished} of {due} calls came back"))
}

fn during_outage(script: &Script, at: f64) -> bool {
    at >= millis(script.outage_start()) && at < millis(script.recovery_start())
}

/// How many calls are due at a rate per second.
pub fn calls_due(rate: u32, lasts: Duration) -> u32 {
    u32::try_from(lasts.as_millis() * u128::from(rate) / 1000).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
