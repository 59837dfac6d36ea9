//! On whose behalf a decision was made.

use super::{
    name::Name,
    trace::{SpanId, TraceContext, TraceId},
};

/// Which attempt of which guard's call a decision was made for, and in which trace, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// The guard; absent of a retry alone, and where a breaker was asked itself.
    pub guard: Option<Name>,
    /// The attempt, from 1: the one that was under way, or had just ended, or was asked for. 0 where none
    /// had begun before the deadline was over.
    pub attempt: Option<u32>,
    /// The trace in which the call was made.
    pub trace_id: Option<TraceId>,
    /// The span in which the call was made.
    pub span_id: Option<SpanId>,
    /// What the request is known by on whose behalf the call was made.
    pub correlation_id: Option<Name>,
}

impl Caller {
    /// An attempt of a guard's, made in a context.
    pub fn new(guard: Option<&Name>, attempt: Option<u32>, context: Option<&TraceContext>) -> Self {
        Self {
            guard: guard.cloned(),
            attempt,
            trace_id: context.and_then(TraceContext::trace_id),
            span_id: context.and_then(TraceContext::span_id),
            correlation_id: context.and_then(TraceContext::correlation_id).cloned(),
        }
    }
}
