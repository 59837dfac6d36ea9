//! The named tests of the state table: each leads a breaker to a state, does one thing to it, and says
//! which edge that takes.

use overcurrent::{
    OpenReason::{ConsecutiveFailures, FailureRate, Manual, ProbeFailed, ProbeTimeout, SlowRate},
    Outcome,
    Position::{self, Closed, ForcedClosed, ForcedOpen, HalfOpen, Open},
    RejectReason, Snapshot,
};

use crate::{
    cases::{HOUR, MILLI, Op, SECOND, Written, WrittenWindow},
    step::{
        Answer::{self, Granted, Late, Refused, Rejected, Taken},
        By,
    },
    table::{ANYWHERE, Edge, To},
};

/// A test: what is done, and the edge that the last of it takes.
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) policy: Written,
    pub(crate) run: Vec<Op>,
    pub(crate) takes: Edge,
}

const SLOW: u64 = 50 * MILLI;
const COOLDOWN: u64 = 100 * MILLI;
const PROBE_TIMEOUT: u64 = SECOND;

fn scenario(
    name: impl Into<String>,
    policy: &Written,
    run: Vec<Op>,
    from: Position,
    by: By,
    answer: Answer,
    to: To,
) -> Scenario {
    Scenario { name: name.into(), policy: policy.clone(), run, takes: Edge { from, by, answer, to } }
}

/// Opens at so many failures in a row, for 100 ms; so many successful probes close, so many failed ones
/// open, so many are out at once.
fn in_a_row(failures: u32, [close_after, reopen_after, probes]: [u32; 3]) -> Written {
    Written {
        consecutive_failures: Some(failures),
        abandon_after: Some(SLOW),
        cooldown: Some(COOLDOWN),
        cooldown_jitter: Some(0),
        probes: Some(probes),
        close_after: Some(close_after),
        reopen_after: Some(reopen_after),
        probe_timeout: Some(PROBE_TIMEOUT),
        ..Written::default()
    }
}

/// Opens at these shares of failures and of slow calls among the last four, two of them at least.
fn rates(failures: u64, slow: u64) -> Written {
    Written {
        window: Some(WrittenWindow::Calls(4)),
        minimum_calls: Some(2),
        failure_rate: Some(failures),
        slow_call: Some(SLOW),
        slow_rate: Some(slow),
        consecutive_failures: None,
        ..in_a_row(1, [1, 1, 1])
    }
}

fn ends(nth: usize, outcome: Outcome) -> Op {
    Op::Settle(nth, outcome, Some(0))
}

fn slow(nth: usize, outcome: Outcome) -> Op {
    Op::Settle(nth, outcome, Some(SLOW))
}

/// Calls admitted and ended one by one.
fn calls(outcomes: &[Op]) -> Vec<Op> {
    outcomes.iter().flat_map(|outcome| [Op::Acquire, outcome.clone()]).collect()
}

/// The way to a position by the policy `in_a_row(1, …)`, with `held` older permits out. Half-open has
/// one probe out, the last.
fn reach(position: Position, held: usize) -> Vec<Op> {
    let open = vec![Op::Acquire, ends(held, Outcome::Failure)];
    match position {
        Closed => Vec::new(),
        Open => open,
        HalfOpen => [open, vec![Op::Pass(COOLDOWN), Op::Acquire]].concat(),
        ForcedOpen => vec![Op::ForceOpen],
        ForcedClosed => vec![Op::ForceClosed],
    }
}

fn with(mut run: Vec<Op>, more: impl IntoIterator<Item = Op>) -> Vec<Op> {
    run.extend(more);
    run
}

/// A snapshot of a breaker that stood there.
fn saved(position: Position) -> Snapshot {
    let (state, over) = match position {
        ForcedOpen => (Open, Some(position.as_str().to_owned())),
        ForcedClosed => (Closed, Some(position.as_str().to_owned())),
        _ => (position, None),
    };
    Snapshot {
        version: 1,
        state: state.as_str().to_owned(),
        r#override: over,
        remaining_ns: if position == Open { 7 * MILLI } else { 0 },
        opens: 1,
        reason: matches!(position, Open | HalfOpen).then(|| "slow_rate".to_owned()),
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    [counting(), opening(), waiting(), probing(), deciding(), forcing(), commanding(), restoring()]
        .into_iter()
        .flatten()
        .collect()
}

const KINDS: [(&str, By, Op); 7] = [
    ("a success", By::Success, Op::Settle(0, Outcome::Success, Some(0))),
    ("a slow success", By::SlowSuccess, Op::Settle(0, Outcome::Success, Some(SLOW))),
    ("a failure", By::Failure, Op::Settle(0, Outcome::Failure, Some(0))),
    ("an abandoned call", By::Abandoned, Op::Settle(0, Outcome::Cancelled, Some(SLOW))),
    ("an ignored call", By::Ignored, Op::Settle(0, Outcome::Ignored, Some(SLOW))),
    ("a cancelled call", By::Cancelled, Op::Settle(0, Outcome::Cancelled, Some(SLOW - 1))),
    ("a dropped permit", By::Dropped, Op::Drop(0)),
];

/// While closed, and below every limit.
fn counting() -> Vec<Scenario> {
    let rules = Written { consecutive_failures: Some(3), minimum_calls: Some(3), ..rates(500_000, 500_000) };
    let mut all = vec![scenario(
        "a call while closed",
        &rules,
        vec![Op::Acquire],
        Closed,
        By::Acquire,
        Granted,
        To::Stays,
    )];
    for (name, by, op) in KINDS {
        let run = vec![Op::Acquire, op];
        all.push(scenario(format!("{name} while closed"), &rules, run, Closed, by, Taken, To::Stays));
    }
    let dropped_late = vec![Op::Acquire, Op::Pass(SLOW), Op::Drop(0)];
    let name = "a permit dropped after abandon_after";
    all.push(scenario(name, &rules, dropped_late, Closed, By::Abandoned, Taken, To::Stays));
    let filled = calls(&[ends(0, Outcome::Failure), ends(0, Outcome::Success)]);
    let name = "a quick success fills a window of failures, and tests nothing";
    all.push(scenario(name, &rates(500_000, 1), filled, Closed, By::Success, Taken, To::Stays));
    let many = [vec![ends(0, Outcome::Success); 15], vec![ends(0, Outcome::Failure); 10]].concat();
    let name = "ten failures in a row where the defaults see enough calls";
    all.push(scenario(name, &Written::default(), calls(&many), Closed, By::Failure, Taken, To::Stays));
    all
}

/// From closed by each test, and by each outcome that can make it hold.
fn opening() -> Vec<Scenario> {
    let failure = || ends(0, Outcome::Failure);
    let success = || ends(0, Outcome::Success);
    let slow_success = || slow(0, Outcome::Success);
    let abandoned = || slow(0, Outcome::Cancelled);
    let three = in_a_row(3, [1, 1, 1]);
    let both = Written { consecutive_failures: Some(2), ..rates(500_000, 1_000_000) };
    let failures = rates(500_000, 1_000_000);
    let slowness = rates(1_000_000, 500_000);
    let trickle = Written::default();
    let last_call =
        Written { window: Some(WrittenWindow::Calls(1)), minimum_calls: None, ..rates(500_000, 1_000_000) };
    let from_closed = |name: &str, rules: &Written, outcomes: &[Op], by, reason| {
        scenario(name, rules, calls(outcomes), Closed, by, Taken, To::Opens(reason))
    };
    vec![
        from_closed(
            "three failures in a row",
            &three,
            &[failure(), failure(), failure()],
            By::Failure,
            ConsecutiveFailures,
        ),
        from_closed(
            "a row of failures ended by an abandoned call",
            &three,
            &[failure(), failure(), abandoned()],
            By::Abandoned,
            ConsecutiveFailures,
        ),
        from_closed(
            "failures in a row are the reason before the rate",
            &both,
            &[failure(), failure()],
            By::Failure,
            ConsecutiveFailures,
        ),
        from_closed(
            "ten failures in a row of a trickle",
            &trickle,
            &vec![failure(); 10],
            By::Failure,
            ConsecutiveFailures,
        ),
        from_closed("half of the calls failed", &failures, &[success(), failure()], By::Failure, FailureRate),
        from_closed(
            "half of the calls failed, the last one abandoned",
            &failures,
            &[success(), abandoned()],
            By::Abandoned,
            FailureRate,
        ),
        from_closed(
            "a slow success fills a window of failures",
            &failures,
            &[failure(), slow_success()],
            By::SlowSuccess,
            FailureRate,
        ),
        from_closed(
            "half of the calls were slow",
            &slowness,
            &[success(), slow_success()],
            By::SlowSuccess,
            SlowRate,
        ),
        from_closed(
            "a quick failure fills a window of slowness",
            &slowness,
            &[slow_success(), failure()],
            By::Failure,
            SlowRate,
        ),
        from_closed(
            "an abandoned call fills a window of slowness",
            &slowness,
            &[success(), abandoned()],
            By::Abandoned,
            SlowRate,
        ),
        scenario(
            "a failure of the epoch before is not in the window",
            &last_call,
            [calls(&[slow(0, Outcome::Failure)]), vec![Op::Reset], calls(&[slow_success()])].concat(),
            Closed,
            By::SlowSuccess,
            Taken,
            To::Opens(SlowRate),
        ),
    ]
}

/// While open.
fn waiting() -> Vec<Scenario> {
    let rules = in_a_row(1, [1, 1, 1]);
    let early = with(reach(Open, 0), [Op::Pass(COOLDOWN - 1), Op::Acquire]);
    let in_time = with(reach(Open, 0), [Op::Pass(COOLDOWN), Op::Acquire]);
    let hours = with(reach(Open, 0), [Op::Pass(9 * HOUR), Op::Acquire]);
    let rejected = Rejected(RejectReason::Open);
    let half_open = To::Goes(HalfOpen);
    vec![
        scenario("a nanosecond too early", &rules, early, Open, By::Acquire, rejected, To::Stays),
        scenario("as the cooldown ends", &rules, in_time, Open, By::Acquire, Granted, half_open),
        scenario("hours after the cooldown", &rules, hours, Open, By::Acquire, Granted, half_open),
    ]
}

/// While half-open, before it is decided.
fn probing() -> Vec<Scenario> {
    let rules = in_a_row(1, [2, 2, 2]);
    let half_open = || reach(HalfOpen, 0);
    let probe = |name: &str, rules: &Written, run, answer, to| {
        scenario(name, rules, run, HalfOpen, By::Acquire, answer, to)
    };
    let rejected = Rejected(RejectReason::HalfOpen);
    let full = || with(half_open(), [Op::Acquire, Op::Acquire]);
    // Three trials: two answered, one out; and another place among the two at once, which is no trial.
    let spent = with(
        half_open(),
        [ends(0, Outcome::Success), Op::Acquire, ends(0, Outcome::Failure), Op::Acquire, Op::Acquire],
    );
    let lost = with(half_open(), [Op::Acquire, Op::Pass(PROBE_TIMEOUT), Op::Acquire]);
    let lost_last = with(
        half_open(),
        [Op::Pass(PROBE_TIMEOUT / 2), Op::Acquire, Op::Pass(PROBE_TIMEOUT - 1), Op::Acquire],
    );
    let mut all = vec![
        probe("a second probe", &rules, with(half_open(), [Op::Acquire]), Granted, To::Stays),
        probe("a third probe where two may be out", &rules, full(), rejected, To::Stays),
        probe("a fourth trial of three", &rules, spent, rejected, To::Stays),
        probe("both probes lost", &rules, lost, Rejected(RejectReason::Open), To::Opens(ProbeTimeout)),
        probe("the later probe is not lost yet", &rules, lost_last, rejected, To::Stays),
    ];
    for (name, by, op) in KINDS {
        let slow = matches!(by, By::SlowSuccess);
        let rules = Written { slow_call: slow.then_some(SLOW), ..rules.clone() };
        let run = with(half_open(), [op]);
        all.push(scenario(format!("{name} as a probe"), &rules, run.clone(), HalfOpen, by, Taken, To::Stays));
        if matches!(by, By::Ignored | By::Cancelled | By::Dropped) {
            let again = with(run, [Op::Acquire, Op::Acquire, Op::Drop(1), Op::Acquire]);
            all.push(probe(&format!("the place of {name}"), &rules, again, Granted, To::Stays));
        }
    }
    all
}

/// While half-open: the outcome that decides.
fn deciding() -> Vec<Scenario> {
    let rules = in_a_row(1, [2, 2, 2]);
    let quick = in_a_row(1, [1, 1, 1]);
    let slow_call = Written { slow_call: Some(SLOW), ..quick.clone() };
    let by_slowness = rates(1_000_000, 500_000);
    let opened_slowly = || {
        with(
            calls(&[slow(0, Outcome::Success), slow(0, Outcome::Success)]),
            [Op::Pass(COOLDOWN), Op::Acquire],
        )
    };
    let decides =
        |name: &str, rules: &Written, run, by, to| scenario(name, rules, run, HalfOpen, by, Taken, to);
    let closes = To::Goes(Closed);
    let reopens = To::Opens(ProbeFailed);
    let two = |outcome| with(reach(HalfOpen, 0), [Op::Acquire, ends(0, outcome), ends(0, outcome)]);
    let probed = |op| with(reach(HalfOpen, 0), [op]);
    vec![
        decides("two successful probes of two", &rules, two(Outcome::Success), By::Success, closes),
        decides("two failed probes of two", &rules, two(Outcome::Failure), By::Failure, reopens),
        decides(
            "a slow probe after failures",
            &slow_call,
            probed(slow(0, Outcome::Success)),
            By::SlowSuccess,
            closes,
        ),
        decides(
            "a slow probe after slowness",
            &by_slowness,
            with(opened_slowly(), [slow(0, Outcome::Success)]),
            By::SlowSuccess,
            reopens,
        ),
        decides(
            "a quick probe after slowness",
            &by_slowness,
            with(opened_slowly(), [ends(0, Outcome::Success)]),
            By::Success,
            closes,
        ),
        decides("an abandoned probe", &quick, probed(slow(0, Outcome::Cancelled)), By::Abandoned, reopens),
        decides(
            "a probe dropped after abandon_after",
            &quick,
            with(reach(HalfOpen, 0), [Op::Pass(SLOW), Op::Drop(0)]),
            By::Abandoned,
            reopens,
        ),
    ]
}

/// Under an override.
fn forcing() -> Vec<Scenario> {
    let rules = Written { consecutive_failures: Some(1), ..rates(1, 1) };
    let call = |name: &str, to, answer| {
        scenario(name, &rules, with(reach(to, 0), [Op::Acquire]), to, By::Acquire, answer, To::Stays)
    };
    let mut all = vec![
        call("a call while forced open", ForcedOpen, Rejected(RejectReason::ForcedOpen)),
        call("a call while forced closed", ForcedClosed, Granted),
    ];
    for (name, by, op) in KINDS {
        let run = with(reach(ForcedClosed, 0), [Op::Acquire, op]);
        let name = format!("{name} while forced closed");
        all.push(scenario(name, &rules, run, ForcedClosed, by, Taken, To::Stays));
    }
    all
}

/// Every command, and a late outcome, in every position.
fn commanding() -> Vec<Scenario> {
    let rules = in_a_row(1, [1, 1, 1]);
    let mut all = Vec::new();
    for &from in ANYWHERE {
        let automatic = match from {
            ForcedOpen => To::Opens(Manual),
            ForcedClosed => To::Goes(Closed),
            Closed | Open | HalfOpen => To::Stays,
        };
        let commands = [
            (Op::Trip(None), By::Trip, Taken, To::Opens(Manual)),
            (Op::Trip(Some(24 * HOUR)), By::Trip, Taken, To::Opens(Manual)),
            (Op::Trip(Some(24 * HOUR + 1)), By::TripTooLong, Refused, To::Stays),
            (Op::Reset, By::Reset, Taken, To::Goes(Closed)),
            (Op::ForceOpen, By::ForceOpen, Taken, To::Goes(ForcedOpen)),
            (Op::ForceClosed, By::ForceClosed, Taken, To::Goes(ForcedClosed)),
            (Op::Automatic, By::Automatic, Taken, automatic),
        ];
        for (op, by, answer, to) in commands {
            let run = with(reach(from, 0), [op]);
            all.push(scenario(format!("{by} while {from}"), &rules, run, from, by, answer, to));
        }
        for (name, _, op) in KINDS {
            let run = [vec![Op::Acquire, Op::Reset], reach(from, 1), vec![op]].concat();
            let name = format!("{name}, late, while {from}");
            all.push(scenario(name, &rules, run, from, By::Late, Late, To::Stays));
        }
    }
    all
}

/// Every snapshot in every position.
fn restoring() -> Vec<Scenario> {
    let rules = in_a_row(1, [1, 1, 1]);
    let mut all = Vec::new();
    for &from in ANYWHERE {
        for &stood in ANYWHERE {
            let to = if matches!(stood, Open | HalfOpen) { To::OpensAsSaved } else { To::Goes(stood) };
            let run = with(reach(from, 0), [Op::Restore(saved(stood))]);
            let name = format!("a saved {stood} breaker restored while {from}");
            all.push(scenario(name, &rules, run, from, By::Restore(stood), Taken, to));
        }
        let own = with(reach(from, 0), [Op::Save, Op::Recall(0)]);
        let to = if matches!(from, Open | HalfOpen) { To::OpensAsSaved } else { To::Goes(from) };
        let name = format!("its own snapshot restored while {from}");
        all.push(scenario(name, &rules, own, from, By::Restore(from), Taken, to));
        let nonsense = Snapshot { version: 2, ..saved(Closed) };
        let run = with(reach(from, 0), [Op::Restore(nonsense)]);
        let name = format!("a snapshot of another version while {from}");
        all.push(scenario(name, &rules, run, from, By::RestoreBad, Refused, To::Stays));
    }
    all
}
