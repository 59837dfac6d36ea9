//! The spans of OpenTelemetry that attempts are, while somebody has asked for them.
//!
//! INVARIANT: while nobody has, it costs a load to find that out. No foreign code runs under our lock, and what
//! a tracer or an exporter panics with goes no further.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use opentelemetry::{
    Context, ContextGuard, KeyValue,
    global::BoxedTracer,
    trace::{SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer},
};

use crate::kernel::{name::Name, outcome::Position, trace::TraceContext};

static IS_ON: AtomicBool = AtomicBool::new(false);
static TRACER: RwLock<Option<Arc<BoxedTracer>>> = RwLock::new(None);

/// Has attempts traced from now on; `false` where they are already.
pub(crate) fn turn_on(tracer: BoxedTracer) -> bool {
    let tracer = Arc::new(tracer);
    let mut place = TRACER.write().unwrap_or_else(PoisonError::into_inner);
    if place.is_some() {
        // The new one goes once the lock is released.
        drop(place);
        return false;
    }
    *place = Some(tracer);
    // ORDERING: relaxed, as all accesses: the tracer itself comes by the lock, and a call that begins just now
    // may be traced or not.
    IS_ON.store(true, Ordering::Relaxed);
    true
}

/// Has no more attempts traced. Those under way are, to their end.
pub(crate) fn turn_off() {
    IS_ON.store(false, Ordering::Relaxed);
    let gone = TRACER.write().unwrap_or_else(PoisonError::into_inner).take();
    let _ = caught(|| drop(gone));
}

pub(crate) fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

/// What foreign code gives, unless it panics.
pub(crate) fn caught<T>(foreign: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(foreign)).ok()
}

/// The span that the running code is in, if attempts are traced and there is one.
pub(crate) fn current() -> Option<TraceContext> {
    // A thread that is about to end has no context any more, which the API panics about.
    if is_on() { caught(|| ids(Context::current().span().span_context())).flatten() } else { None }
}

/// Makes a context the current one until what comes back is dropped. In a thread that is about to end nothing is
/// current any more.
pub(crate) fn enter(context: Option<&Context>) -> Option<ContextGuard> {
    context.and_then(|context| caught(|| context.clone().attach()))
}

fn ids(span: &SpanContext) -> Option<TraceContext> {
    let trace = crate::kernel::trace::TraceId::from_bytes(span.trace_id().to_bytes())?;
    let id = crate::kernel::trace::SpanId::from_bytes(span.span_id().to_bytes())?;
    let context = TraceContext::of(trace, id, span.trace_flags().to_u8());
    Some(context.with_tracestate(&span.trace_state().header()))
}

/// Begins the span of an attempt, and gives the context that it is the current one of.
pub(crate) fn begin(
    guard: &str,
    breaker: Option<(&Name, Position)>,
    attempt: u32,
    on_behalf: impl FnOnce() -> Option<TraceContext>,
) -> Option<Context> {
    if !is_on() {
        return None;
    }
    let tracer = TRACER.read().unwrap_or_else(PoisonError::into_inner).clone()?;
    caught(move || {
        let mut attributes = vec![
            KeyValue::new("overcurrent.guard", guard.to_owned()),
            KeyValue::new("overcurrent.attempt", i64::from(attempt)),
        ];
        if let Some((breaker, state)) = breaker {
            attributes.push(KeyValue::new("overcurrent.breaker", breaker.to_string()));
            attributes.push(KeyValue::new("overcurrent.breaker.state", state.as_str()));
        }
        if attempt > 1 {
            attributes.push(KeyValue::new("http.request.resend_count", i64::from(attempt) - 1));
        }
        let parent = parent(on_behalf);
        let builder = tracer.span_builder(format!("{guard} attempt"));
        let builder = builder.with_kind(SpanKind::Client).with_attributes(attributes);
        let span = tracer.build_with_context(builder, &parent);
        parent.with_span(span)
    })
}

/// What is current; where no span is, with the one that a request came with.
fn parent(on_behalf: impl FnOnce() -> Option<TraceContext>) -> Context {
    let current = Context::current();
    if current.span().span_context().is_valid() {
        return current;
    }
    match on_behalf().as_ref().and_then(remote) {
        Some(span) => current.with_remote_span_context(span),
        None => current,
    }
}

fn remote(context: &TraceContext) -> Option<SpanContext> {
    let flags = TraceFlags::new(context.flags());
    let state = context.tracestate().and_then(|state| state.parse().ok());
    Some(SpanContext::new(
        TraceId::from_bytes(context.trace_id()?.to_bytes()),
        SpanId::from_bytes(context.span_id()?.to_bytes()),
        flags,
        true,
        state.unwrap_or(TraceState::NONE),
    ))
}
