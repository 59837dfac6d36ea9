use super::*;

fn traced() -> TraceContext {
    TraceContext::root(std::array::from_fn(|place| u8::try_from(place).expect("there are 24")))
}

fn written(context: &TraceContext) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    context.inject(|name, value| headers.push((name, value.to_owned())));
    headers
}

#[test]
fn a_root_is_made_of_random_bytes_and_says_so() {
    let root = traced();
    let line = "00-000102030405060708090a0b0c0d0e0f-1011121314151617-03".to_owned();
    assert_eq!(written(&root), [(TRACEPARENT, line)]);
    assert!(root.is_random() && root.is_sampled());
    let zero = TraceContext::root([0; 24]);
    assert_eq!(written(&zero)[0].1, "00-00000000000000000000000000000001-0000000000000001-03");
}

#[test]
fn a_child_is_another_span_of_the_same_trace() {
    let root = traced().with_tracestate("rojo=1").with_correlation_id("order-7").expect("it is one");
    let span = SpanId::from_hex("00f067aa0ba902b7").expect("it is one");
    let child = root.child(span);
    assert_eq!((child.trace_id(), child.span_id()), (root.trace_id(), Some(span)));
    assert!(child.is_sampled() && child.is_random() && !child.clone().with_sampled(false).is_sampled());
    assert_eq!(child.tracestate(), Some("rojo=1"));
    assert_eq!(child.correlation_id().map(Name::as_str), Some("order-7"));
    assert_eq!(child.with_tracestate("Rojo=1").tracestate(), None);

    let none = TraceContext::default().child(span).with_sampled(true).with_tracestate("rojo=1");
    assert_eq!(none, TraceContext::default());
    assert!(none.is_empty() && !root.is_empty());
}

#[test]
fn what_has_a_trace_keeps_it_and_what_has_none_gets_one() {
    let unsampled = traced().with_sampled(false);
    assert_eq!(unsampled.clone().or_else(|| panic!("it has one")), unsampled);
    let came = TraceContext::default().with_correlation_id("order-7").expect("it is one");
    let rooted = came.or_else(|| TraceContext::root([7; 24]));
    assert_eq!(rooted.trace_id(), TraceId::from_bytes([7; 16]));
    assert_eq!(rooted.correlation_id().map(Name::as_str), Some("order-7"));
}

#[test]
fn flags_that_mean_nothing_yet_do_not_go_on() {
    let known = traced();
    let (Some(trace), Some(span)) = (known.trace_id(), known.span_id()) else { panic!("it has both") };
    assert!(written(&TraceContext::of(trace, span, 0xff))[0].1.ends_with("-03"));
}

#[test]
fn a_correlation_id_of_the_program_s_own_must_be_one() {
    for bad in ["", "two words", "gr\u{fc}n", "line\n", &"x".repeat(129)] {
        let error = TraceContext::default().with_correlation_id(bad).expect_err("it is none");
        assert_eq!(error.rule, "must be 1 to 128 visible ASCII characters");
        assert!(!error.to_string().contains('\n'));
    }
    assert!(TraceContext::default().with_correlation_id(&"x".repeat(128)).is_ok());
}
