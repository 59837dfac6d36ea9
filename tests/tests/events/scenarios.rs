//! The scenarios in `tests/scenarios/`: scripts of calls and commands on a manual clock, with the events that
//! each step must tell of, the levels at which they are logged, and at the end the metrics that are not zero, as
//! Prometheus text, and the words by which the guard explains itself. The tests of the other languages replay the
//! same files.

use std::{cell::Cell, collections::HashMap, fs, path::Path, sync::Arc, time::Duration};

use overcurrent::{
    Breaker, Dialect, Event, Fact, Failure, Filter, Guard, GuardPolicy, ManualClock, Metrics, Permit, Retry,
    RetryPolicy, Snapshot, Span, Subscription, Surrounds, Value, Verdict, subscribe,
};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    name: String,
    /// The document of a guard, or of a retry alone.
    #[serde(flatten)]
    policy: Policy,
    seed: u64,
    /// Whether the guard measures how long its calls take.
    #[serde(default)]
    durations: bool,
    steps: Vec<Step>,
    /// The samples that are not zero at the end; a retry alone has none.
    #[serde(default)]
    metrics: Vec<String>,
    /// How the guard explains itself at the end, by lines.
    #[serde(default)]
    explain: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Policy {
    Guard(Value),
    Retry(Value),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    at: String,
    r#do: String,
    /// What the attempts of a call come to.
    #[serde(default)]
    attempts: Vec<Attempt>,
    permit: Option<String>,
    r#for: Option<String>,
    snapshot: Option<Json>,
    /// The events that it tells of, in their order.
    pub(crate) events: Vec<Map<String, Json>>,
    /// The level at which each is logged; none where it is not.
    #[serde(default)]
    pub(crate) levels: Vec<Option<String>>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attempt {
    is: String,
    #[serde(default)]
    took: Option<String>,
    #[serde(default)]
    hint: Option<String>,
}

/// An event as the scenarios write it.
pub(crate) fn written(event: &Event) -> Map<String, Json> {
    let fact = |fact| match fact {
        Fact::Absent => Json::Null,
        Fact::Name(name) => name.as_str().into(),
        Fact::Word(word) => word.into(),
        Fact::Count(count) => count.into(),
        Fact::Span(span) => span.to_string().into(),
        other => panic!("{other:?}"),
    };
    let fields = event.fields().map(|(name, value)| (name.to_owned(), fact(value)));
    [("event".to_owned(), Json::from(event.name()))].into_iter().chain(fields).collect()
}

pub(crate) fn duration(text: &str) -> Duration {
    text.parse::<Span>().unwrap_or_else(|rule| panic!("`{text}` {rule}")).into()
}

/// Makes the attempts of a call: each takes its time and comes to what the script says.
struct Script<'s> {
    attempts: &'s [Attempt],
    made: Cell<usize>,
    clock: &'s ManualClock,
}

impl Script<'_> {
    fn attempt(&self) -> Verdict {
        let number = self.made.replace(self.made.get() + 1);
        let attempt = self.attempts.get(number).unwrap_or_else(|| panic!("one attempt too many"));
        self.clock.advance(attempt.took.as_deref().map(duration).unwrap_or_default());
        let hint = attempt.hint.as_deref().map(|hint| duration(hint).into());
        match attempt.is.as_str() {
            "success" => Verdict::Success,
            "ignored" => Verdict::Ignored,
            "failure" => Verdict::Failure(Failure { retryable: true, hint }),
            "final" => Verdict::Failure(Failure { retryable: false, hint }),
            word => panic!("an attempt cannot be `{word}`"),
        }
    }
}

fn replay_guard(
    scenario: &Scenario,
    document: &Value,
    clock: &ManualClock,
    after: &mut impl FnMut(Option<&Step>),
) {
    let policy = GuardPolicy::from_value(document, "", Dialect::Document).expect("the policy is valid");
    let brought = Surrounds {
        clock: Some(Arc::new(clock.clone())),
        seed: Some(scenario.seed),
        durations: scenario.durations,
        ..Surrounds::default()
    };
    let guard = Guard::with("payments", policy, brought, Dialect::Document).expect("it fits");
    let events = subscribe(&guard, 1000);
    let mut permits: HashMap<&str, Permit<Arc<Breaker>>> = HashMap::new();
    for step in &scenario.steps {
        clock.set(duration(&step.at));
        let breaker = guard.breaker();
        let breaker = || breaker.expect("it has a breaker");
        let span = step.r#for.as_deref().map(duration);
        let permit = step.permit.as_deref();
        match step.r#do.as_str() {
            "call" => {
                let script = Script { attempts: &step.attempts, made: Cell::new(0), clock };
                // The verdict itself is what an attempt returns.
                let classify = |result: &Result<Verdict, Verdict>| match result {
                    Ok(verdict) | Err(verdict) => *verdict,
                };
                let _ = guard.call_with(&classify, |_| Err::<Verdict, _>(script.attempt()));
                assert_eq!(script.made.get(), step.attempts.len(), "attempts of `{}`", scenario.name);
            }
            "acquire" => {
                if let Ok(admitted) = breaker().acquire_owned() {
                    permits.insert(permit.expect("its name"), admitted);
                }
            }
            "trip" => breaker().trip(span).expect("it is not too long"),
            "reset" => breaker().reset(),
            "force_open" => breaker().force_open(),
            "force_closed" => breaker().force_closed(),
            "automatic" => breaker().automatic(),
            "restore" => {
                let snapshot = step.snapshot.as_ref().expect("a snapshot").to_string();
                breaker().restore(&Snapshot::from_json(&snapshot).expect("it is one")).expect("it can be");
            }
            outcome => {
                let permit = permits.remove(permit.expect("its name")).expect("it is held");
                match outcome {
                    "success" => permit.success(),
                    "failure" => permit.failure(),
                    "ignored" => permit.ignored(),
                    "cancelled" => permit.cancelled(),
                    word => panic!("`{word}` is nothing to do"),
                }
            }
        }
        check(scenario, step, &events);
        after(Some(step));
    }
    let text = Metrics::of(&guard).prometheus();
    let samples = text.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0"));
    let samples: Vec<_> = samples.collect();
    assert!(
        samples == scenario.metrics,
        "`{}`\nexpected\n{}\ncame\n{}",
        scenario.name,
        scenario.metrics.join("\n"),
        samples.join("\n")
    );
    let (explained, expected) = (guard.explain(), scenario.explain.join("\n"));
    assert!(explained == expected, "`{}`\nexpected\n{expected}\ncame\n{explained}", scenario.name);
}

fn replay_retry(
    scenario: &Scenario,
    document: &Value,
    clock: &ManualClock,
    after: &mut impl FnMut(Option<&Step>),
) {
    let policy = RetryPolicy::from_value(document, "", Dialect::Document).expect("the policy is valid");
    let retry = Retry::with(policy, Arc::new(clock.clone()), Some(scenario.seed));
    let events = subscribe(Filter::everything(), 100_000);
    let mut call = retry.start(None);
    for step in &scenario.steps {
        clock.set(duration(&step.at));
        match step.r#do.as_str() {
            "start" => call = retry.start(None),
            word @ ("failure" | "final") => {
                call.failed(Failure { retryable: word == "failure", hint: None });
            }
            word => panic!("`{word}` is nothing to do"),
        }
        check(scenario, step, &events);
        after(Some(step));
    }
}

fn check(scenario: &Scenario, step: &Step, events: &Subscription) {
    assert_eq!(step.events.len(), step.levels.len(), "`{}`, a level for each event", scenario.name);
    // Other tests of this process have names; a retry alone has none.
    let alone = matches!(scenario.policy, Policy::Retry(_));
    let ours = |event: &Map<String, Json>| !alone || event.get("guard") == Some(&Json::Null);
    let heard: Vec<_> = events.drain().map(|event| written(&event)).filter(ours).collect();
    let show = |events: &[Map<String, Json>]| {
        events
            .iter()
            .map(|event| serde_json::to_string(event).unwrap_or_default())
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert!(
        heard == step.events,
        "`{}`, {} at {}\nexpected\n{}\ncame\n{}",
        scenario.name,
        step.r#do,
        step.at,
        show(&step.events),
        show(&heard)
    );
}

/// Replays all of them, and does something after each step, and after each scenario, when what it held is let go of.
pub(crate) fn replay(mut after: impl FnMut(Option<&Step>)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let text = fs::read_to_string(folder.join("events.json")).expect("the scenarios are there");
    let scenarios: Vec<Scenario> = serde_json::from_str(&text).expect("they are scenarios");
    let mut told: Vec<String> = Vec::new();
    for scenario in &scenarios {
        let clock = ManualClock::new();
        match &scenario.policy {
            Policy::Guard(document) => replay_guard(scenario, document, &clock, &mut after),
            Policy::Retry(document) => replay_retry(scenario, document, &clock, &mut after),
        }
        after(None);
        told.extend(
            scenario
                .steps
                .iter()
                .flat_map(|step| &step.events)
                .filter_map(|event| event.get("event").and_then(Json::as_str).map(str::to_owned)),
        );
    }
    for (name, _) in Event::ALL {
        // What registries forget has tests of its own.
        assert!(*name == "eviction" || told.iter().any(|told| told == name), "no scenario tells of `{name}`");
    }
}
