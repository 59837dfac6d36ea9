//! Where a span is current, how it ends when the call does not, and tracers that fail.

use std::{
    future::{Future, poll_fn},
    sync::{Arc, Mutex},
    task::{Context as Task, Poll, Waker},
    time::Duration,
};

use opentelemetry::{Context, SpanId, trace::TraceContextExt};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, Span, SpanData, SpanProcessor},
};
use overcurrent::{Guard, opentelemetry::instrument};

use super::{Traced, builder, facts, names, turn};

/// The span that the code is in.
fn here() -> SpanId {
    Context::current().span().span_context().span_id()
}

#[test]
fn a_function_runs_in_the_span_of_its_attempt() {
    let traced = Traced::new();
    let guard = builder().build().expect("it is valid");
    let mut seen = Vec::new();
    let _ = guard.call(|_| {
        seen.push(here());
        Err::<(), _>(())
    });
    let spans: Vec<_> = traced.spans().iter().map(|span| span.span_context.span_id()).collect();
    assert_eq!(seen, spans);
    assert_eq!((here(), spans.len()), (SpanId::INVALID, 2));
}

/// Notes where it is dropped.
struct Dropped(Arc<Mutex<Vec<SpanId>>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.lock().expect("nobody panics").push(here());
    }
}

#[tokio::test(start_paused = true)]
async fn a_future_is_polled_and_dropped_in_the_span_of_its_attempt_and_only_it() {
    let traced = Traced::new();
    let guard = builder().build().expect("it is valid");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let caller = traced.caller();
    for is_cancelled in [false, true] {
        let mut call = Box::pin(guard.run(|_| {
            let (seen, dropped, mut polls) = (Arc::clone(&seen), Dropped(Arc::clone(&seen)), 0);
            seen.lock().expect("nobody panics").push(here());
            poll_fn(move |_| {
                let _kept = &dropped;
                seen.lock().expect("nobody panics").push(here());
                polls += 1;
                if polls < 2 { Poll::Pending } else { Poll::Ready(Ok::<_, ()>(())) }
            })
        }));
        let mut task = Task::from_waker(Waker::noop());
        {
            let _in_it = caller.clone().attach();
            assert!(call.as_mut().poll(&mut task).is_pending());
            assert_eq!(here(), caller.span().span_context().span_id());
        }
        if !is_cancelled {
            assert!(call.as_mut().poll(&mut task).is_ready());
        }
        drop(call);
        assert_eq!(here(), SpanId::INVALID);
        let spans = traced.spans();
        let span = spans.last().expect("it has ended");
        let outcome = if is_cancelled { "cancelled" } else { "success" };
        assert_eq!(facts(&span.attributes)["overcurrent.outcome"], outcome.into());
        assert_eq!(span.parent_span_id, caller.span().span_context().span_id());
        let seen = std::mem::take(&mut *seen.lock().expect("nobody panics"));
        assert_eq!(seen, vec![span.span_context.span_id(); if is_cancelled { 3 } else { 4 }]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_cut_says_so_in_its_span() {
    let traced = Traced::new();
    let guard = Guard::builder("payments")
        .attempt_timeout(Duration::from_millis(10))
        .no_retry()
        .build()
        .expect("it is valid");
    let result = guard.run(|_| std::future::pending::<Result<(), ()>>()).await;
    assert!(result.is_err());
    let spans = traced.spans();
    let said = facts(&spans[0].attributes);
    assert_eq!(
        (&said["overcurrent.outcome"], &said["error.type"]),
        (&"timeout".into(), &"ATTEMPT_TIMEOUT".into())
    );
    assert_eq!(names(&spans[0]), ["overcurrent.timeout", "overcurrent.give_up"]);
}

#[test]
fn the_span_of_a_function_that_panics_ends_too() {
    let traced = Traced::new();
    let guard = builder().build().expect("it is valid");
    let call = || guard.call(|_| -> Result<(), ()> { panic!("in the function") });
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err());
    assert_eq!(here(), SpanId::INVALID);
    let spans = traced.spans();
    assert_eq!(facts(&spans[0].attributes)["overcurrent.outcome"], "cancelled".into());
}

#[test]
fn spans_within_one_another_are_each_others_children() {
    let traced = Traced::new();
    let (outer, inner) = (builder().build().expect("it is valid"), builder().build().expect("it is valid"));
    let result = outer.call(|_| inner.call(|_| Ok::<_, ()>(())));
    assert!(result.is_ok());
    let spans = traced.spans();
    assert_eq!(spans[0].parent_span_id, spans[1].span_context.span_id());
    assert_eq!(spans[1].parent_span_id, SpanId::INVALID);
}

/// Panics whenever it is told something.
#[derive(Debug)]
struct Failing {
    at_start: bool,
}

impl SpanProcessor for Failing {
    fn on_start(&self, _: &mut Span, _: &Context) {
        assert!(!self.at_start, "it fails when a span begins");
    }

    fn on_end(&self, _: SpanData) {
        assert!(self.at_start, "it fails when a span ends");
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_tracer_that_panics_changes_nothing() {
    let _turn = turn();
    for at_start in [true, false] {
        let provider = SdkTracerProvider::builder().with_span_processor(Failing { at_start }).build();
        let tracing = instrument(&provider).expect("it is this test's turn");
        let guard = builder().build().expect("it is valid");
        let result = guard.call(|attempt| if attempt.attempt() == 1 { Err(()) } else { Ok("receipt") });
        assert_eq!(result.expect("the second attempt"), "receipt");
        let result = guard.run(|_| std::future::ready(Ok::<_, ()>("receipt"))).await;
        assert_eq!(result.expect("the first attempt"), "receipt");
        assert_eq!(here(), SpanId::INVALID);
        drop(tracing);
    }
}
