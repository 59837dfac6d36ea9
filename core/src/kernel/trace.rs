//! On whose behalf a call is made: the trace and the correlation id that came with a request, and that go
//! on with what it causes.
//!
//! | header | rules |
//! | --- | --- |
//! | `traceparent`, `tracestate` | W3C Trace Context, level 2 |
//! | `baggage` | W3C Baggage; passed on unread |
//! | `x-correlation-id` | 1 to 128 visible ASCII characters |
//!
//! What is invalid is ignored, never an error: of a bad `traceparent` neither it nor the `tracestate`
//! counts, of a bad other header only that one. A higher version of `traceparent` is read as far as
//! version `00` goes, and goes on as that.
//!
//! INVARIANT: what is written is valid, and reads as the same context.

mod ids;
mod state;

use std::sync::Arc;

pub use ids::{SpanId, TraceId};

use super::{error::InvalidPolicy, name::Name};

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";
const BAGGAGE: &str = "baggage";
const CORRELATION_ID: &str = "x-correlation-id";

/// The length of a `traceparent` of version `00`.
const LENGTH: usize = 55;
const SAMPLED: u8 = 1;
const RANDOM: u8 = 2;

/// On whose behalf a call is made: a trace and a span in it, a correlation id, and what travels with them.
/// Each of them may be missing.
///
/// ```
/// use overcurrent::TraceContext;
///
/// let came = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
/// let header = |name| came.iter().filter(move |(header, _)| *header == name).map(|(_, value)| *value);
/// let context = TraceContext::extract(header);
/// assert_eq!(context.trace_id().unwrap().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
///
/// let mut sent = Vec::new();
/// context.inject(|name, value| sent.push((name, value.to_owned())));
/// assert_eq!(sent, [(came[0].0, came[0].1.to_owned())]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceContext {
    parent: Option<Parent>,
    baggage: Option<Arc<str>>,
    correlation_id: Option<Name>,
}

/// What `traceparent` and `tracestate` say.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parent {
    trace: TraceId,
    span: SpanId,
    flags: u8,
    state: Option<Arc<str>>,
}

impl TraceContext {
    /// The names of the headers that are read and written, in lower case.
    pub const HEADERS: [&str; 4] = [TRACEPARENT, TRACESTATE, BAGGAGE, CORRELATION_ID];

    /// What the headers of a request say. `header` gives the values of the headers of a name, which is in
    /// lower case and means any case; several of one name in the order in which they came.
    pub fn extract<H>(mut header: impl FnMut(&'static str) -> H) -> Self
    where
        H: IntoIterator<Item: AsRef<[u8]>>,
    {
        let parent = only(header(TRACEPARENT), parent).map(|parent| {
            let state = state::tracestate(header(TRACESTATE)).map(Arc::from);
            Parent { state, ..parent }
        });
        let correlation_id =
            only(header(CORRELATION_ID), |value| state::correlation_id(value).map(Name::from));
        Self { parent, baggage: state::baggage(header(BAGGAGE)).map(Arc::from), correlation_id }
    }

    /// Gives `header` each header that carries it on, by its name in lower case and its value.
    pub fn inject(&self, mut header: impl FnMut(&'static str, &str)) {
        if let Some(Parent { trace, span, flags, state }) = &self.parent {
            header(TRACEPARENT, &format!("00-{trace}-{span}-{flags:02x}"));
            if let Some(state) = state {
                header(TRACESTATE, state);
            }
        }
        if let Some(baggage) = &self.baggage {
            header(BAGGAGE, baggage);
        }
        if let Some(correlation_id) = &self.correlation_id {
            header(CORRELATION_ID, correlation_id);
        }
    }

    /// A span that is known already, of a tracer. Of the flags, `sampled` (1) and `random` (2) count.
    pub const fn of(trace: TraceId, span: SpanId, flags: u8) -> Self {
        let parent = Parent { trace, span, flags: flags & (SAMPLED | RANDOM), state: None };
        Self { parent: Some(parent), baggage: None, correlation_id: None }
    }

    /// A new trace, of random bytes. Who begins a trace decides whether it is recorded: it says *sampled*, unless
    /// [`Self::with_sampled`] says otherwise, as what is not is recorded by nobody below it.
    pub fn root(random: [u8; 24]) -> Self {
        let mut trace = [0; 16];
        let mut span = [0; 8];
        let (left, right) = random.split_at(16);
        trace.copy_from_slice(left);
        span.copy_from_slice(right);
        // Zero is no identifier.
        let (trace, span) = (TraceId::from_bytes(trace), SpanId::from_bytes(span));
        Self::of(trace.unwrap_or(TraceId::ONE), span.unwrap_or(SpanId::ONE), RANDOM | SAMPLED)
    }

    /// The same where it has a trace; else with that of `root`.
    ///
    /// ```
    /// use overcurrent::TraceContext;
    ///
    /// let came = TraceContext::default().with_correlation_id("order-7")?;
    /// let unrecorded = came.or_else(|| TraceContext::begin().with_sampled(false));
    /// assert!(unrecorded.trace_id().is_some() && !unrecorded.is_sampled());
    /// assert_eq!(unrecorded.correlation_id().unwrap().as_str(), "order-7");
    /// # Ok::<(), overcurrent::InvalidPolicy>(())
    /// ```
    #[must_use]
    pub fn or_else(self, root: impl FnOnce() -> Self) -> Self {
        let parent = self.parent.or_else(|| root().parent);
        Self { parent, ..self }
    }

    /// The same trace, as seen from another span of it, which then is the parent of what is called. The same
    /// where it has no trace.
    #[must_use]
    pub fn child(&self, span: SpanId) -> Self {
        let mut child = self.clone();
        if let Some(parent) = &mut child.parent {
            parent.span = span;
        }
        child
    }

    /// The same, saying whether its span is recorded. Only for a span of one's own: a root or a child.
    #[must_use]
    pub fn with_sampled(mut self, sampled: bool) -> Self {
        if let Some(parent) = &mut self.parent {
            parent.flags = parent.flags & !SAMPLED | if sampled { SAMPLED } else { 0 };
        }
        self
    }

    /// The same with another `tracestate`; without any where that is invalid, or where there is no trace.
    #[must_use]
    pub fn with_tracestate(mut self, tracestate: &str) -> Self {
        if let Some(parent) = &mut self.parent {
            parent.state = state::tracestate([tracestate]).map(Arc::from);
        }
        self
    }

    /// The same with another correlation id.
    ///
    /// # Errors
    /// [`InvalidPolicy`] where it is not 1 to 128 visible ASCII characters.
    pub fn with_correlation_id(self, id: &str) -> Result<Self, InvalidPolicy> {
        let correlation_id = state::correlation_id(id.as_bytes()).map(Name::from);
        if correlation_id.is_none() {
            return Err(InvalidPolicy {
                path: "correlation_id".into(),
                value: id.escape_debug().to_string(),
                rule: "must be 1 to 128 visible ASCII characters".into(),
            });
        }
        Ok(Self { correlation_id, ..self })
    }

    /// Whether it says nothing at all.
    pub const fn is_empty(&self) -> bool {
        self.parent.is_none() && self.baggage.is_none() && self.correlation_id.is_none()
    }

    /// Which trace.
    pub fn trace_id(&self) -> Option<TraceId> {
        self.parent.as_ref().map(|parent| parent.trace)
    }

    /// The span on whose behalf the call is made: the parent of what is called.
    pub fn span_id(&self) -> Option<SpanId> {
        self.parent.as_ref().map(|parent| parent.span)
    }

    /// What the request is known by to people and logs.
    pub const fn correlation_id(&self) -> Option<&Name> {
        self.correlation_id.as_ref()
    }

    /// Whether the span may have been recorded.
    pub fn is_sampled(&self) -> bool {
        self.flag(SAMPLED)
    }

    /// Whether the right-hand 7 bytes of the trace's identifier are random.
    pub fn is_random(&self) -> bool {
        self.flag(RANDOM)
    }

    fn flag(&self, flag: u8) -> bool {
        self.flags() & flag != 0
    }

    /// Both, as `traceparent` has them: *sampled* is 1, *random* 2. 0 where there is no trace.
    pub fn flags(&self) -> u8 {
        self.parent.as_ref().map_or(0, |parent| parent.flags)
    }

    /// What tracers say to themselves: members `key=value`, joined by commas.
    pub fn tracestate(&self) -> Option<&str> {
        self.parent.as_ref()?.state.as_deref()
    }

    /// What applications say to each other, unread.
    pub fn baggage(&self) -> Option<&str> {
        self.baggage.as_deref()
    }
}

/// What the only value of a header says; nothing where there are several.
fn only<T>(values: impl IntoIterator<Item: AsRef<[u8]>>, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    let mut values = values.into_iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { read(state::trimmed(value.as_ref())) }
}

/// What a `traceparent` says; the state is yet to come.
fn parent(value: &[u8]) -> Option<Parent> {
    let (known, rest) = value.split_at_checked(LENGTH)?;
    let mut fields = known.split(|byte| *byte == b'-');
    let version = byte(fields.next()?)?;
    let trace = TraceId::from_hex(fields.next()?)?;
    let span = SpanId::from_hex(fields.next()?)?;
    let flags = byte(fields.next()?)? & (SAMPLED | RANDOM);
    let ends = match version {
        0 => rest.is_empty(),
        0xff => false,
        _ => rest.first().is_none_or(|next| *next == b'-'),
    };
    (ends && fields.next().is_none()).then_some(Parent { trace, span, flags, state: None })
}

/// A byte of two digits.
fn byte(digits: &[u8]) -> Option<u8> {
    match digits {
        [high, low] => Some(ids::nibble(*high)? << 4 | ids::nibble(*low)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
