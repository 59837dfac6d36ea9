//! What is a span, what it says, and whose child it is.

use std::{sync::Arc, time::Duration};

use opentelemetry::{
    Context,
    trace::{SpanKind, Status, TraceContextExt, TraceId},
};
use overcurrent::{
    Breaker, BreakerPolicy, Error, Event, Failure, Filter, Guard, ManualClock, TraceContext, Verdict,
    subscribe, subscribe_in_place,
};

use super::{Traced, builder, events, facts, facts_of, ids, names};

#[test]
fn each_attempt_is_a_child_of_the_callers_span_and_tells_what_was_decided() {
    let traced = Traced::new();
    let guard = builder().breaker(BreakerPolicy::consecutive_failures(2)).build().expect("it is valid");
    let told = subscribe(&guard, 10);
    let caller = traced.caller();
    {
        let _in_it = caller.clone().attach();
        let _ = guard.call(|_| Err::<(), _>("it is down"));
    }
    let spans = traced.spans();
    let [first, second] = &spans[..] else { panic!("{spans:?}") };
    let parent = caller.span().span_context().clone();
    for span in [first, second] {
        assert_eq!((span.name.as_ref(), &span.span_kind), ("payments attempt", &SpanKind::Client));
        assert_eq!(span.span_context.trace_id(), parent.trace_id());
        assert_eq!(span.parent_span_id, parent.span_id());
        assert_eq!(span.status, Status::error(""));
        assert_eq!(span.instrumentation_scope.name(), "overcurrent");
    }
    let common = facts_of([
        ("overcurrent.guard", "payments".into()),
        ("overcurrent.attempt", 1.into()),
        ("overcurrent.breaker", "payments".into()),
        ("overcurrent.breaker.state", "closed".into()),
        ("overcurrent.outcome", "failure".into()),
        ("error.type", "&str".into()),
    ]);
    assert_eq!(facts(&first.attributes), common);
    let mut again = common;
    again.extend(facts_of([("overcurrent.attempt", 2.into()), ("http.request.resend_count", 1.into())]));
    assert_eq!(facts(&second.attributes), again);

    let retry = facts_of([
        ("overcurrent.guard", "payments".into()),
        ("overcurrent.attempt", 1.into()),
        ("overcurrent.wait", 0.07.into()),
        ("overcurrent.origin", "backoff".into()),
    ]);
    assert_eq!(events(first), [("overcurrent.retry".to_owned(), retry)]);
    assert_eq!(names(second), ["overcurrent.state_change", "overcurrent.give_up"]);
    assert_eq!(events(second)[0].1["overcurrent.new"], "open".into());

    // Who listens gets the same identifiers.
    let told: Vec<_> = std::iter::from_fn(|| told.try_next()).collect();
    let heard = told.iter().map(|event| (event.name(), event.caller().map(|of| (of.trace_id, of.span_id))));
    let (first, second) = (Some(ids(first)), Some(ids(second)));
    assert_eq!(heard.collect::<Vec<_>>(), [("retry", first), ("state_change", second), ("give_up", second)]);
}

#[test]
fn a_success_says_so_and_nothing_of_an_error() {
    let traced = Traced::new();
    let guard = builder().build().expect("it is valid");
    let results: Vec<_> = (0..2).map(|_| guard.call(|_| Ok::<_, ()>("receipt")).is_ok()).collect();
    assert_eq!(results, [true, true]);
    for span in traced.spans() {
        let said = facts(&span.attributes);
        assert_eq!(said["overcurrent.outcome"], "success".into());
        assert!(!said.contains_key("error.type") && !said.contains_key("http.request.resend_count"));
        assert_eq!((span.status, span.parent_span_id), (Status::Unset, opentelemetry::SpanId::INVALID));
    }
}

#[test]
fn what_went_wrong_is_named_by_whoever_judges_it() {
    struct Code;
    impl overcurrent::Classify<u16, ()> for Code {
        fn classify(&self, _: &Result<u16, ()>) -> Verdict {
            Verdict::Failure(Failure::FINAL)
        }

        fn error_type(&self, result: &Result<u16, ()>) -> Option<std::borrow::Cow<'static, str>> {
            result.ok().map(|code| code.to_string().into())
        }
    }
    let traced = Traced::new();
    let guard = builder().build().expect("it is valid");
    let judged = |verdict: Verdict| move |_: &Result<u16, ()>| verdict;
    let _ = guard.call_with(&Code, |_| Ok(503));
    let _ = guard.call_with(&judged(Verdict::Failure(Failure::FINAL)), |_| Ok(503));
    let _ = guard.call_with(&judged(Verdict::Ignored), |_| Ok(404));
    let _ = guard.call_with(&judged(Verdict::Ignored), |_| Err(()));
    let _ = guard.call_with(&judged(Verdict::Success), |_| Err(()));
    let said: Vec<_> = traced.spans().iter().map(|span| facts(&span.attributes)).collect();
    let said: Vec<_> = said
        .iter()
        .map(|said| {
            (said["overcurrent.outcome"].to_string(), said.get("error.type").map(ToString::to_string))
        })
        .collect();
    let word = |outcome: &str, error: Option<&str>| (outcome.to_owned(), error.map(str::to_owned));
    let expected = [
        word("failure", Some("503")),
        word("failure", Some("_OTHER")),
        word("ignored", None),
        word("ignored", Some("()")),
        word("success", None),
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_rejection_by_another_breaker_is_called_by_its_code() {
    let traced = Traced::new();
    let inner = overcurrent::Breaker::new("inner", BreakerPolicy::draft().build().expect("it is valid"));
    inner.force_open();
    let guard = builder().build().expect("it is valid");
    let rejected = guard.call(|_| inner.acquire().map(overcurrent::Permit::success));
    assert!(rejected.is_err());
    let said = facts(&traced.spans()[0].attributes);
    assert_eq!(
        (&said["overcurrent.outcome"], &said["error.type"]),
        (&"ignored".into(), &"BREAKER_OPEN".into())
    );
}

#[test]
fn a_function_that_came_too_late_is_a_timeout_by_its_code() {
    let traced = Traced::new();
    let clock = ManualClock::new();
    let make = |deadline: bool| {
        let limit = Duration::from_secs(1);
        let builder = Guard::builder("slow").no_retry().clock(Arc::new(clock.clone()));
        let builder = if deadline { builder.deadline(limit) } else { builder.attempt_timeout(limit) };
        builder.build().expect("it is valid")
    };
    for deadline in [false, true] {
        let result = make(deadline).call(|_| {
            clock.advance(Duration::from_secs(2));
            Ok::<_, ()>(())
        });
        assert!(result.is_err());
    }
    let said = traced.spans().into_iter().map(|span| {
        let said = facts(&span.attributes);
        assert_eq!(span.status, Status::error(""));
        assert_eq!(said["overcurrent.outcome"], "timeout".into());
        assert_eq!(names(&span)[0], "overcurrent.timeout");
        said["error.type"].to_string()
    });
    assert_eq!(said.collect::<Vec<_>>(), ["ATTEMPT_TIMEOUT", "DEADLINE_EXCEEDED"]);
}

#[test]
fn a_rejection_is_told_to_the_callers_span() {
    let traced = Traced::new();
    let guard = builder().breaker(BreakerPolicy::consecutive_failures(1)).build().expect("it is valid");
    guard.breaker().expect("it has one").force_open();
    let caller = traced.caller();
    {
        let _in_it = caller.clone().attach();
        assert!(matches!(guard.call(|_| Ok::<_, ()>(())), Err(Error::BreakerOpen(_))));
    }
    caller.span().end();
    let spans = traced.spans();
    assert_eq!((spans.len(), spans[0].name.as_ref()), (1, "request"), "no attempt was made");
    assert_eq!(names(&spans[0]), ["overcurrent.reject"]);
    assert_eq!(events(&spans[0])[0].1["overcurrent.reason"], "forced_open".into());
}

#[test]
fn a_breaker_alone_makes_no_span_and_tells_the_current_one() {
    let traced = Traced::new();
    let breaker = Breaker::new("alone", BreakerPolicy::consecutive_failures(1).build().expect("it is valid"));
    let caller = traced.caller();
    {
        let _in_it = caller.clone().attach();
        breaker.acquire().expect("it is closed").failure();
    }
    breaker.reset();
    caller.span().end();
    let spans = traced.spans();
    assert_eq!(spans.len(), 1);
    assert_eq!(names(&spans[0]), ["overcurrent.state_change"], "the reset was none of its business");
}

#[test]
fn a_span_is_not_told_what_was_decided_in_another() {
    let traced = Traced::new();
    let guard = builder().build().expect("it is valid");
    let other = Guard::builder("other").no_retry().build().expect("it is valid");
    // What it decides is told once it has returned, in the span of the attempt that it was told of.
    let listening = subscribe_in_place(Filter::from(&guard), move |_| {
        let _ = other.call(|_| Err::<(), _>(()));
    });
    let _ = guard.call(|_| Err::<(), _>(()));
    drop(listening);
    let spans = traced.spans();
    let own = |name: &str| spans.iter().filter(|span| span.name == name).map(names).collect::<Vec<_>>();
    assert_eq!(own("payments attempt"), [["overcurrent.retry"], ["overcurrent.give_up"]]);
    assert_eq!(own("other attempt").len(), 2);
}

#[test]
fn a_trace_that_begins_here_is_recorded_unless_it_says_otherwise() {
    let traced = Traced::new();
    let guard = builder().build().expect("it is valid");
    let begun = TraceContext::begin();
    let flags =
        || guard.call(|_| Ok::<_, ()>(Context::current().span().span_context().trace_flags().to_u8()));
    assert_eq!(begun.scope(flags).ok(), Some(3), "sampled and random");
    let unrecorded = TraceContext::default().or_else(|| TraceContext::begin().with_sampled(false));
    assert_eq!(unrecorded.scope(flags).map(|flags| flags & 1).ok(), Some(0), "not sampled");

    let [span] = &traced.spans()[..] else { panic!("one trace is recorded") };
    assert_eq!(ids(span).0, begun.trace_id());
}

#[test]
fn without_a_span_the_attempt_is_a_child_of_the_one_that_a_request_came_with() {
    let traced = Traced::new();
    let guard = builder().build().expect("it is valid");
    let headers = [
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("tracestate", "rojo=1,congo=t61"),
        ("x-correlation-id", "order-7"),
    ];
    let came = TraceContext::extract(|name| {
        headers.iter().filter(move |header| header.0 == name).map(|header| header.1)
    });
    let told = subscribe(&guard, 10);
    let _ = came.scope(|| guard.call(|_| Err::<(), _>(())));
    let unsampled = came.with_sampled(false);
    let _ = unsampled.scope(|| guard.call(|_| Ok::<_, ()>(())));

    let spans = traced.spans();
    assert_eq!(spans.len(), 2, "what was not sampled is not recorded");
    for span in &spans {
        assert_eq!(span.span_context.trace_id(), TraceId::from(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736));
        assert_eq!(span.parent_span_id.to_string(), "00f067aa0ba902b7");
        assert!(span.parent_span_is_remote);
        assert_eq!(span.span_context.trace_state().header(), "rojo=1,congo=t61");
    }
    let first: Option<Event> = told.try_next();
    let caller = first.as_ref().and_then(Event::caller).expect("it is of a call");
    assert_eq!((caller.trace_id, caller.span_id), ids(&spans[0]));
    assert_eq!(caller.correlation_id.as_deref(), Some("order-7"));
    assert_eq!(events(&spans[0])[0].1["overcurrent.correlation_id"], "order-7".into());
}

#[test]
fn nothing_is_traced_before_or_after_and_twice_is_refused() {
    let mut traced = Traced::new();
    let guard = builder().build().expect("it is valid");
    let refused = overcurrent::opentelemetry::instrument(&traced.provider).expect_err("it is traced");
    assert!(refused.to_string().contains("already"));
    let _ = guard.call(|_| {
        // What is under way is traced to its end.
        traced.instrumentation = None;
        Ok::<_, ()>(())
    });
    assert_eq!(traced.spans().len(), 1);
    let told = subscribe(&guard, 10);
    let caller = traced.caller();
    let _in_it = caller.attach();
    let _ = guard.call(|_| Err::<(), _>(()));
    assert_eq!(traced.spans().len(), 1);
    assert_eq!(told.try_next().and_then(|event| event.caller()?.span_id), None);
}
