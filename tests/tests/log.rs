//! The log of the decisions in Rust: events of `tracing`, by a subscriber of the test's own.

#[path = "events/scenarios.rs"]
mod scenarios;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use overcurrent::{
    Breaker, BreakerPolicy, BudgetPolicy, Event, Fact, Filter, Guard, ManualClock, Name, Registry,
    RetryPolicy, TraceContext, log_events, subscribe,
};
use serde_json::{Map, Value as Json};
use tracing::{
    Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

const MS: Duration = Duration::from_millis(1);

/// A line of the log.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    name: &'static str,
    target: &'static str,
    level: Level,
    /// The span that the thread was in.
    span: Option<u64>,
    fields: Map<String, Json>,
    /// The names of all fields, recorded or not.
    known: Vec<&'static str>,
}

/// Keeps what is logged, and knows the spans that its thread is in.
#[derive(Clone, Default)]
struct Keeper {
    lines: Arc<Mutex<Vec<Line>>>,
    spans: Arc<AtomicU64>,
    entered: Arc<Mutex<Vec<u64>>>,
}

/// The fields of a line, as they are recorded.
#[derive(Default)]
struct Fields(Map<String, Json>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Subscriber for Keeper {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = Line {
            name: metadata.name(),
            target: metadata.target(),
            level: *metadata.level(),
            span: self.entered.lock().expect("nothing panics with it").last().copied(),
            fields: fields.0,
            known: metadata.fields().iter().map(|field| field.name()).collect(),
        };
        self.lines.lock().expect("nothing panics with it").push(line);
    }

    fn enter(&self, span: &span::Id) {
        self.entered.lock().expect("nothing panics with it").push(span.into_u64());
    }

    fn exit(&self, _: &span::Id) {
        self.entered.lock().expect("nothing panics with it").pop();
    }
}

/// The log is that of the whole process, so one test goes at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `f` logs.
fn logged(f: impl FnOnce()) -> Vec<Line> {
    let keeper = Keeper::default();
    tracing::subscriber::with_default(keeper.clone(), f);
    std::mem::take(&mut keeper.lines.lock().expect("nothing panics with it"))
}

/// One that opens after a failure.
fn breaker(name: Name) -> Breaker {
    let policy = BreakerPolicy::consecutive_failures(1).build().expect("the policy is valid");
    Breaker::with(name, policy, Arc::new(ManualClock::new()), Some(1))
}

/// What the log says of an event: as the log of Python, durations are seconds.
fn expected(event: &Event) -> Map<String, Json> {
    let value = |fact| match fact {
        Fact::Absent => None,
        Fact::Name(name) => Some(name.as_str().into()),
        Fact::Word(word) => Some(word.into()),
        Fact::Count(count) => Some(count.into()),
        Fact::Span(span) => Some(Duration::from(span).as_secs_f64().into()),
        other => panic!("{other:?}"),
    };
    let facts = event.fields().filter_map(|(name, fact)| Some((name.to_owned(), value(fact)?)));
    let own = [("message", format!("overcurrent.{}", event.name())), ("event", event.name().to_owned())];
    facts.chain(own.map(|(name, text)| (name.to_owned(), text.into()))).collect()
}

/// Makes every event there is.
fn all_of_them() {
    let clock = ManualClock::new();
    let budget = BudgetPolicy::draft().burst(1).ratio(0.0).min_per_second(0.0);
    let guard = Guard::builder("logs")
        .retry(RetryPolicy::constant(MS).max_attempts(9).budget(budget))
        .breaker(BreakerPolicy::consecutive_failures(3).cooldown(50 * MS))
        .attempt_timeout(10 * MS)
        .clock(Arc::new(clock.clone()))
        .seed(1)
        .build()
        .expect("it is valid");
    let breaker = guard.breaker().expect("it has one");
    let late = breaker.acquire_owned().expect("it is closed");
    for _ in 0..2 {
        let _ = guard.call(|_| {
            clock.advance(10 * MS);
            Ok::<_, ()>(())
        });
    }
    late.success();
    for _ in 0..3 {
        let _ = guard.call(|_| Ok::<_, ()>(()));
    }
    breaker.reset();
    let registry = Registry::new(1);
    for key in ["one", "other"] {
        registry.get_or_create(key, self::breaker).expect("the other one is idle");
    }
}

#[test]
fn every_event_is_logged_with_the_same_name_and_fields_at_its_level() {
    let (_alone, _logging) = (alone(), log_events());
    let events = subscribe(Filter::everything().first_rejections(), 10_000);
    let context = TraceContext::begin().with_correlation_id("order-7").expect("it is one");
    let lines = logged(|| context.scope(all_of_them));
    let fields: Vec<_> = lines.iter().map(|line| line.fields.clone()).collect();
    assert_eq!(fields, events.drain().map(|event| expected(&event)).collect::<Vec<_>>());

    let mut levels: BTreeMap<&str, Vec<Level>> = BTreeMap::new();
    for line in &lines {
        assert_eq!(line.target, "overcurrent");
        let name = line.name.strip_prefix("overcurrent.").expect("it begins so");
        levels.entry(name).or_default().push(line.level);
        let (_, fields) = Event::ALL.iter().find(|(event, _)| *event == name).expect("it is an event");
        let known: Vec<_> = ["message", "event"].into_iter().chain(fields.iter().copied()).collect();
        assert_eq!(line.known, known, "the fields of `{name}`");
    }
    let (warn, info, debug) = (Level::WARN, Level::INFO, Level::DEBUG);
    let expected = BTreeMap::from([
        ("budget_exhausted", vec![info]),
        ("eviction", vec![debug]),
        ("give_up", vec![info, info]),
        ("late_result", vec![debug]),
        ("reject", vec![info]),
        ("retry", vec![info]),
        ("state_change", vec![warn, info]),
        ("timeout", vec![info, info, info]),
    ]);
    assert_eq!(levels, expected);
    assert_eq!(levels.len(), Event::ALL.len(), "an event is missing");
}

#[test]
fn a_line_is_written_in_the_span_of_the_code_that_decided() {
    let (_alone, _logging) = (alone(), log_events());
    let breaker = breaker("spans".into());
    let lines = logged(|| {
        breaker.reset();
        tracing::info_span!("request").in_scope(|| breaker.acquire().expect("it is closed").failure());
        assert!(breaker.acquire().is_err());
    });
    let spans: Vec<_> = lines.iter().map(|line| (line.fields["event"].as_str(), line.span)).collect();
    assert_eq!(
        spans,
        [(Some("state_change"), None), (Some("state_change"), Some(1)), (Some("reject"), None)]
    );
}

#[test]
fn nothing_is_logged_before_or_after() {
    let _alone = alone();
    let breaker = breaker("once".into());
    let lines = logged(|| {
        breaker.trip(None).expect("no span is given");
        let logging = log_events();
        breaker.reset();
        drop(logging);
        breaker.trip(None).expect("no span is given");
    });
    let reasons: Vec<_> = lines.iter().map(|line| line.fields["reason"].as_str()).collect();
    assert_eq!(reasons, [Some("reset")]);
}

#[test]
fn every_scenario_logs_what_it_tells_of_at_these_levels() {
    let (_alone, _logging) = (alone(), log_events());
    let keeper = Keeper::default();
    let mut compared = 0;
    tracing::subscriber::with_default(keeper.clone(), || {
        scenarios::replay(|step| {
            let lines = std::mem::take(&mut *keeper.lines.lock().expect("nothing panics with it"));
            let Some(step) = step else { return };
            let told = step.events.iter().zip(&step.levels);
            let logged: Vec<_> = told.filter_map(|(event, level)| Some((event, level.as_ref()?))).collect();
            assert_eq!(lines.len(), logged.len(), "{lines:?}");
            for (line, (event, level)) in lines.iter().zip(logged) {
                let named = if line.level == Level::WARN { "warning".into() } else { line.level.to_string() };
                assert_eq!(named.to_lowercase(), *level);
                let own = |(name, _): &(&String, &Json)| *name != "message";
                let came: Map<_, _> = line
                    .fields
                    .iter()
                    .filter(own)
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                assert_eq!(came, as_logged(event));
                compared += 1;
            }
        });
    });
    assert!(compared > 30, "only {compared} lines were compared");
}

/// An event of a scenario as the log has it: without what is absent, durations in seconds.
fn as_logged(event: &Map<String, Json>) -> Map<String, Json> {
    const DURATIONS: [&str; 6] = ["lasted", "open_for", "wait", "retry_after", "elapsed", "timeout"];
    let value = |name: &str, value: &Json| match value {
        Json::String(text) if DURATIONS.contains(&name) => scenarios::duration(text).as_secs_f64().into(),
        other => other.clone(),
    };
    let there = event.iter().filter(|(_, value)| !value.is_null());
    there.map(|(name, field)| (name.clone(), value(name, field))).collect()
}
