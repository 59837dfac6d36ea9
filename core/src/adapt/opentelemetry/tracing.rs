//! Who has attempts traced, and what their spans are told.

use std::time::Duration;

use opentelemetry::{
    Context, InstrumentationScope, KeyValue, Value,
    global::{BoxedTracer, ObjectSafeTracerProvider},
    trace::TraceContextExt,
};

use crate::{
    kernel::event::{Event, Fact},
    live::{
        events::{Filter, InPlace, subscribe_in_place},
        spans,
    },
};

/// Has each attempt of a guard's call be a span, until what comes back is dropped: a child of the span that is
/// current where the call is made or, where none is, of that of the [`TraceContext`](crate::TraceContext); and
/// current itself while the function of the attempt runs, also whenever its future is polled. The identifiers of
/// events are those of the span then.
///
/// A breaker or a retry alone makes no spans, but tells the current one what it decides.
///
/// What the tracer or an exporter panics with changes nothing of the call.
///
/// ```
/// use opentelemetry::global;
/// use overcurrent::{Guard, opentelemetry::instrument};
///
/// // After the provider was set, as a tracer of before does not learn of it.
/// let tracing = instrument(&global::tracer_provider())?;
/// let payments = Guard::builder("payments").build()?;
/// assert_eq!(payments.call(|_| Ok::<_, ()>("receipt")).unwrap(), "receipt");
/// drop(tracing);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`AlreadyInstrumented`] while the attempts of the process are traced already.
pub fn instrument(provider: &impl ObjectSafeTracerProvider) -> Result<Instrumentation, AlreadyInstrumented> {
    let scope = InstrumentationScope::builder("overcurrent").with_version(env!("CARGO_PKG_VERSION")).build();
    if spans::turn_on(BoxedTracer::new(provider.boxed_tracer(scope))) {
        Ok(Instrumentation { _listening: subscribe_in_place(Filter::everything(), tell) })
    } else {
        Err(AlreadyInstrumented)
    }
}

/// Attempts are traced while it lives; those that are under way when it goes, to their end.
#[must_use = "dropping it ends the tracing"]
#[derive(Debug)]
pub struct Instrumentation {
    _listening: InPlace,
}

impl Drop for Instrumentation {
    fn drop(&mut self) {
        spans::turn_off();
    }
}

/// The attempts of the process are traced already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("attempts are traced already; drop that instrumentation first")]
pub struct AlreadyInstrumented;

/// Tells the current span what was decided in it.
fn tell(event: &Event) {
    let Some(id) = event.caller().and_then(|caller| caller.span_id) else { return };
    let context = Context::current();
    let span = context.span();
    // It was decided elsewhere where another thread tells of it.
    if span.is_recording() && span.span_context().span_id().to_bytes() == id.to_bytes() {
        let attributes = event.fields().filter(|(name, _)| !matches!(*name, "trace_id" | "span_id"));
        let attributes = attributes
            .filter_map(|(name, fact)| Some(KeyValue::new(format!("overcurrent.{name}"), value(fact)?)));
        span.add_event(format!("overcurrent.{}", event.name()), attributes.collect());
    }
}

/// None where it is absent.
fn value(fact: Fact) -> Option<Value> {
    Some(match fact {
        Fact::Absent => return None,
        Fact::Name(name) => name.to_string().into(),
        Fact::Word(word) => word.into(),
        Fact::Count(count) => i64::try_from(count).unwrap_or(i64::MAX).into(),
        Fact::Span(span) => Duration::from(span).as_secs_f64().into(),
    })
}
