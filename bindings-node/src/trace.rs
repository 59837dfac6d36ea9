//! On whose behalf JavaScript calls: contexts by handle, and the one of the decision that comes next.
//!
//! JavaScript knows the asynchronous context and says, before a decision that may be told of, on whose behalf it is
//! made. That holds for this one decision; so nobody else's, of another copy of the package in this thread either,
//! is taken for it.
//!
//! What is told of a decision can be asked for right after it, by whoever adds it to a span. It is known by that span
//! among what other threads tell.

use std::{
    cell::{Cell, RefCell},
    sync::atomic::{AtomicBool, Ordering},
};

use napi::{
    Env,
    bindgen_prelude::{Either, Object},
};
use napi_derive::napi;
use overcurrent::{
    Event, Fact, Filter, InvalidPolicy, SpanId, Subscription, TraceContext, TraceId, grpc, subscribe,
};

use crate::{
    clock::number,
    error::Refused,
    raw::Args,
    slab::{Gone, keep, with},
};

/// So many events may wait to be added to spans; more than one decision tells of.
const CAPACITY: usize = 256;

thread_local! {
    static NEXT: RefCell<Option<TraceContext>> = const { RefCell::new(None) };
    /// The span of the decision that was made last.
    static LAST: Cell<Option<SpanId>> = const { Cell::new(None) };
    static TOLD: RefCell<Option<Subscription>> = const { RefCell::new(None) };
    /// Set with each arrival. One byte per thread that was ever traced stays, as others may hold it.
    static MARK: &'static AtomicBool = Box::leak(Box::default());
}

/// Makes a decision, on behalf of whoever was named for it.
pub(crate) fn on_behalf<R>(decide: impl FnOnce() -> R) -> R {
    let context = NEXT.take();
    LAST.set(context.as_ref().and_then(TraceContext::span_id));
    match context {
        Some(context) => context.scope(decide),
        None => decide(),
    }
}

/// `behalf(context)`: on whose behalf the next decision is made; of nobody's, where it is no number.
pub(crate) fn behalf([context, ..]: Args) -> Result<f64, Gone> {
    let named = if context.is_nan() { None } else { Some(cloned(context)?) };
    NEXT.set(named);
    Ok(0.0)
}

/// The same of a span of a tracer's, with the correlation id of a context.
#[napi]
pub(crate) fn behalf_of_span(
    trace_id: String,
    span_id: String,
    flags: u32,
    context: Option<f64>,
) -> napi::Result<()> {
    let context = context.map_or_else(|| Ok(TraceContext::default()), cloned)?;
    NEXT.set(Some(of_span(&trace_id, &span_id, flags, &context)));
    Ok(())
}

/// The span, with what else the context says; the context, where the span is none.
fn of_span(trace_id: &str, span_id: &str, flags: u32, context: &TraceContext) -> TraceContext {
    let (Some(trace), Some(span)) = (TraceId::from_hex(trace_id), SpanId::from_hex(span_id)) else {
        return context.clone();
    };
    let spanned = TraceContext::of(trace, span, (flags & 0xff) as u8);
    context.correlation_id().and_then(|id| spanned.clone().with_correlation_id(id).ok()).unwrap_or(spanned)
}

fn cloned(context: f64) -> Result<TraceContext, Gone> {
    with(context, |context: &mut TraceContext| context.clone())
}

/// Begins or ends to listen for what is to be added to spans.
#[napi]
pub(crate) fn trace(on: bool) {
    let told = on.then(|| subscribe(Filter::everything(), CAPACITY).marking(MARK.with(|mark| *mark)));
    drop(TOLD.replace(told));
}

/// `told()`: whether an event has arrived since this was asked last.
#[expect(clippy::unnecessary_wraps, reason = "of the shape of a hot function")]
pub(crate) fn told(_: Args) -> Result<f64, Gone> {
    // ORDERING: acquire pairs with the release of who sets it, whose event is then there to be taken.
    Ok(f64::from(u8::from(MARK.with(|mark| mark.swap(false, Ordering::Acquire)))))
}

/// What was told of the span of the decision that was made last, as names and attributes in turn. Durations are in
/// seconds, as is the custom of tracers.
#[napi]
pub(crate) fn take_told(env: Env) -> napi::Result<Vec<Either<String, Object<'static>>>> {
    let told: Vec<Event> = TOLD.with_borrow(|told| told.iter().flat_map(Subscription::drain).collect());
    let Some(last) = LAST.get() else { return Ok(Vec::new()) };
    let mut taken = Vec::new();
    for event in told {
        if event.caller().and_then(|caller| caller.span_id) == Some(last) {
            taken.push(Either::A(format!("overcurrent.{}", event.name())));
            taken.push(Either::B(attributes(env, &event)?));
        }
    }
    Ok(taken)
}

/// The fields of an event as attributes, without the identifiers of the span.
fn attributes(env: Env, event: &Event) -> napi::Result<Object<'static>> {
    let mut object = Object::new(&env)?;
    for (name, fact) in event.fields().filter(|(name, _)| !matches!(*name, "trace_id" | "span_id")) {
        let name = format!("overcurrent.{name}");
        match fact {
            Fact::Name(text) => object.set(name, text.as_str())?,
            Fact::Word(word) => object.set(name, word)?,
            Fact::Count(count) => object.set(name, number(count))?,
            Fact::Span(span) => object.set(name, number(span.as_nanos()) / 1e9)?,
            _ => {}
        }
    }
    Ok(object)
}

/// What a failure is called, given the status of HTTP that it tells of, the code that it carries (a number is a status
/// of gRPC), and the class of the error.
#[napi]
pub(crate) fn error_type(
    status: Option<i64>,
    code: Option<Either<String, u32>>,
    class: Option<String>,
) -> String {
    let code = match &code {
        Some(Either::A(word)) => Some(word.as_str()),
        Some(Either::B(number)) => grpc::name(*number),
        None => None,
    };
    overcurrent::error_type(status, code, class.as_deref()).into_owned()
}

/// The version of this package.
#[napi]
pub(crate) const fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// The names of the headers that are read and written.
#[napi]
pub(crate) fn trace_headers() -> Vec<&'static str> {
    TraceContext::HEADERS.to_vec()
}

/// The context that the headers of a request tell: of each name of [`trace_headers`] the values it has.
#[napi]
pub(crate) fn trace_extract(values: Vec<Vec<String>>) -> f64 {
    let values: Vec<_> = TraceContext::HEADERS.into_iter().zip(values).collect();
    let of = |name| values.iter().filter(move |(header, _)| *header == name).flat_map(|(_, values)| values);
    keep(TraceContext::extract(of))
}

/// The headers that carry a context on: names and values in turn.
#[napi]
pub(crate) fn trace_inject(context: f64) -> napi::Result<Vec<String>> {
    let mut headers = Vec::new();
    cloned(context)?.inject(|name, value| headers.extend([name.to_owned(), value.to_owned()]));
    Ok(headers)
}

/// What a context says.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub(crate) struct TraceFacts {
    /// Which trace.
    pub trace_id: Option<String>,
    /// Which span of it.
    pub span_id: Option<String>,
    /// Whether that may have been recorded.
    pub sampled: bool,
    /// Whether the end of the trace's identifier is random.
    pub random: bool,
    /// What tracers say to themselves.
    pub tracestate: Option<String>,
    /// What applications say to each other.
    pub baggage: Option<String>,
    /// What the request is known by.
    pub correlation_id: Option<String>,
}

/// What a context says.
#[napi]
pub(crate) fn trace_facts(context: f64) -> napi::Result<TraceFacts> {
    let context = cloned(context)?;
    Ok(TraceFacts {
        trace_id: context.trace_id().map(|id| id.to_string()),
        span_id: context.span_id().map(|id| id.to_string()),
        sampled: context.is_sampled(),
        random: context.is_random(),
        tracestate: context.tracestate().map(str::to_owned),
        baggage: context.baggage().map(str::to_owned),
        correlation_id: context.correlation_id().map(ToString::to_string),
    })
}

/// The context of a span of a tracer's, with the correlation id of another one.
#[napi]
pub(crate) fn trace_span(
    trace_id: String,
    span_id: String,
    flags: u32,
    context: Option<f64>,
) -> napi::Result<f64> {
    let context = context.map_or_else(|| Ok(TraceContext::default()), cloned)?;
    Ok(keep(of_span(&trace_id, &span_id, flags, &context)))
}

/// A new trace, or the same with a new one where it has none.
#[napi]
pub(crate) fn trace_root(context: Option<f64>, sampled: bool) -> napi::Result<f64> {
    let context = context.map_or_else(|| Ok(TraceContext::default()), cloned)?;
    Ok(keep(context.or_else(|| TraceContext::begin().with_sampled(sampled))))
}

/// The same trace, as seen from a new span of it.
#[napi]
pub(crate) fn trace_child(context: f64) -> napi::Result<f64> {
    Ok(keep(cloned(context)?.next_span()))
}

/// The same with another correlation id.
#[napi]
pub(crate) fn trace_correlated(context: f64, id: String) -> napi::Result<Either<f64, Refused>> {
    Ok(match cloned(context)?.with_correlation_id(&id) {
        Ok(context) => Either::A(keep(context)),
        Err(error) => Either::B(InvalidPolicy { path: "correlationId".into(), ..error }.into()),
    })
}
