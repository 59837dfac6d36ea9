//! What the headers of a request say of its trace, by the cases that every language runs:
//! `tests/trace-context.json`; and what holds of any headers at all.

use std::{fs, path::Path};

use overcurrent::TraceContext;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    r#in: Vec<(String, String)>,
    /// Nothing where the headers say nothing.
    expect: Option<Said>,
    /// In this order.
    out: Vec<(String, String)>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Said {
    trace_id: Option<String>,
    span_id: Option<String>,
    sampled: bool,
    random: bool,
    tracestate: Option<String>,
    baggage: Option<String>,
    correlation_id: Option<String>,
}

impl From<&TraceContext> for Said {
    fn from(context: &TraceContext) -> Self {
        Self {
            trace_id: context.trace_id().map(|id| id.to_string()),
            span_id: context.span_id().map(|id| id.to_string()),
            sampled: context.is_sampled(),
            random: context.is_random(),
            tracestate: context.tracestate().map(str::to_owned),
            baggage: context.baggage().map(str::to_owned),
            correlation_id: context.correlation_id().map(|id| id.as_str().to_owned()),
        }
    }
}

fn read<V: AsRef<[u8]>>(headers: &[(String, V)]) -> TraceContext {
    TraceContext::extract(|name| {
        headers.iter().filter(move |(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    })
}

fn written(context: &TraceContext) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    context.inject(|name, value| headers.push((name.to_owned(), value.to_owned())));
    headers
}

#[test]
fn every_case_is_read_and_written_as_it_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("trace-context.json");
    let text = fs::read_to_string(file).expect("the cases are there");
    let cases: Vec<Case> = serde_json::from_str(&text).expect("they are cases");
    assert!(cases.len() >= 60, "only {} cases", cases.len());
    for Case { name, r#in: headers, expect, out } in cases {
        let context = read(&headers);
        assert_eq!(context.is_empty(), expect.is_none(), "{name}");
        assert_eq!(Said::from(&context), expect.unwrap_or_default(), "{name}");
        assert_eq!(written(&context), out, "{name}");
    }
}

/// Values of a header: nearly right ones, as a change of a right one, and any bytes.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let right = prop::sample::select(vec![
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-more",
        "rojo=1, congo = 2,,a@b=c d",
        "userId=alice;ttl=3,b=2",
        "order-7",
    ]);
    let nearly = (right, any::<prop::sample::Index>(), any::<u8>(), any::<bool>());
    prop_oneof![
        nearly.prop_map(|(right, place, byte, change)| {
            let mut bytes = right.as_bytes().to_vec();
            if change {
                *place.get_mut(&mut bytes) = byte;
            }
            bytes
        }),
        prop::collection::vec(any::<u8>(), 0..80),
        "[ -~\t]{0,300}".prop_map(String::into_bytes),
    ]
}

fn headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let name = prop::sample::select(TraceContext::HEADERS.to_vec()).prop_map(str::to_owned);
    prop::collection::vec((name, value()), 0..6)
}

proptest! {
    #[test]
    fn what_any_bytes_say_goes_on_and_says_the_same_again(headers in headers()) {
        let context = read(&headers);
        let out = written(&context);
        prop_assert_eq!(&read(&out), &context);
        for (name, value) in &out {
            prop_assert!(!value.is_empty(), "{} is empty", name);
            prop_assert!(value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')), "{:?}", value);
            prop_assert_eq!(value.trim(), value);
        }
        prop_assert!(out.is_empty() == context.is_empty());
    }
}
