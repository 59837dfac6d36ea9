//! Attempts as spans of OpenTelemetry, by the SDK's exporter in memory; the metrics as its instruments; the headers
//! that go on with an attempt. Spans are the whole process's, so one test after the other has them.

#[path = "opentelemetry/headers.rs"]
mod headers;
#[path = "opentelemetry/instruments.rs"]
mod instruments;
#[path = "opentelemetry/spans.rs"]
mod spans;
#[path = "opentelemetry/troubles.rs"]
mod troubles;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opentelemetry::{
    Context, KeyValue, Value,
    trace::{TraceContextExt, Tracer, TracerProvider},
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use overcurrent::{
    Guard, GuardBuilder, Jitter, ManualClock, RetryPolicy, SpanId, TraceId,
    opentelemetry::{Instrumentation, instrument},
};

static TURN: Mutex<()> = Mutex::new(());

/// Attempts are traced while it lives, and no other test runs.
struct Traced {
    exporter: InMemorySpanExporter,
    provider: SdkTracerProvider,
    instrumentation: Option<Instrumentation>,
    _turn: Turn,
}

/// While it lives, no other test traces. Each test has a thread and a runtime of its own, so that waiting for it
/// keeps nobody else from going on.
struct Turn {
    _held: MutexGuard<'static, ()>,
}

fn turn() -> Turn {
    Turn { _held: TURN.lock().unwrap_or_else(PoisonError::into_inner) }
}

impl Traced {
    fn new() -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
        let turn = turn();
        let instrumentation = instrument(&provider).expect("it is this test's turn");
        Self { exporter, provider, instrumentation: Some(instrumentation), _turn: turn }
    }

    /// The spans that have ended, in that order.
    fn spans(&self) -> Vec<SpanData> {
        self.exporter.get_finished_spans().expect("it is not shut down")
    }

    /// A context whose span the caller is in.
    fn caller(&self) -> Context {
        Context::new().with_span(self.provider.tracer("caller").start("request"))
    }
}

type Facts = BTreeMap<String, Value>;

fn facts(attributes: &[KeyValue]) -> Facts {
    attributes.iter().map(|fact| (fact.key.to_string(), fact.value.clone())).collect()
}

fn facts_of<const N: usize>(facts: [(&str, Value); N]) -> Facts {
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The events of a span: their names and attributes.
fn events(span: &SpanData) -> Vec<(String, Facts)> {
    span.events.iter().map(|event| (event.name.to_string(), facts(&event.attributes))).collect()
}

fn names(span: &SpanData) -> Vec<String> {
    events(span).into_iter().map(|(name, _)| name).collect()
}

/// The identifiers of a span, as events have them.
fn ids(span: &SpanData) -> (Option<TraceId>, Option<SpanId>) {
    let context = &span.span_context;
    (TraceId::from_bytes(context.trace_id().to_bytes()), SpanId::from_bytes(context.span_id().to_bytes()))
}

/// A guard on a clock of its own, with two attempts 70 ms apart.
fn builder() -> GuardBuilder {
    Guard::builder("payments")
        .retry(RetryPolicy::constant(Duration::from_millis(70)).max_attempts(2).jitter(Jitter::None))
        .clock(Arc::new(ManualClock::new()))
}
