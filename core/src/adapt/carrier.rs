//! The headers by which the server of an attempt learns on whose behalf it is made.
//!
//! INVARIANT: what the caller has set stays as it is; beside a `traceparent` of the caller's own, nothing is
//! added.

use ::http::{HeaderMap, HeaderName, HeaderValue};

use crate::kernel::trace::TraceContext;

/// Adds them to those of an attempt: of its span where attempts are traced, else of a span of its own in the
/// context that is current.
pub(super) fn carry(headers: &mut HeaderMap) {
    if headers.contains_key(TraceContext::HEADERS[0]) {
        return;
    }
    let current = TraceContext::current();
    #[cfg(feature = "opentelemetry")]
    if let Some(of_span) = spans::headers() {
        // The trace is the tracer's to tell of.
        let has_told =
            |name: &str| name.starts_with("trace") || of_span.iter().any(|(other, _)| other == name);
        let mut rest = Vec::new();
        if let Some(context) = current {
            context.inject(|name, value| {
                if !has_told(name) {
                    rest.push((name.to_owned(), value.to_owned()));
                }
            });
        }
        for (name, value) in of_span.iter().chain(&rest) {
            put(headers, name, value);
        }
        return;
    }
    if let Some(context) = current {
        context.next_span().inject(|name, value| put(headers, name, value));
    }
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        headers.entry(name).or_insert(value);
    }
}

#[cfg(feature = "opentelemetry")]
mod spans {
    use opentelemetry::{Context, global::get_text_map_propagator, propagation::Injector};

    use crate::live::spans::{caught, current, is_on};

    #[derive(Default)]
    struct Headers(Vec<(String, String)>);

    impl Injector for Headers {
        fn set(&mut self, key: &str, value: String) {
            self.0.push((key.to_ascii_lowercase(), value));
        }
    }

    /// Those of the current span: as the global propagator writes them or, where none was set, as the W3C has it.
    /// `None` where attempts are not traced.
    pub(super) fn headers() -> Option<Vec<(String, String)>> {
        if !is_on() {
            return None;
        }
        let context = Context::current();
        let by_propagator = caught(|| {
            let mut headers = Headers::default();
            let is_set = get_text_map_propagator(|propagator| {
                propagator.inject_context(&context, &mut headers);
                propagator.fields().next().is_some()
            });
            is_set.then_some(headers.0)
        });
        by_propagator.flatten().or_else(|| {
            let mut headers = Vec::new();
            current()?.inject(|name, value| headers.push((name.to_owned(), value.to_owned())));
            Some(headers)
        })
    }
}
