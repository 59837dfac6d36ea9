//! What HTTP and gRPC say, by the cases that every language runs: `tests/http.json`, `tests/grpc.json`.

use std::{fs, path::Path};

use overcurrent::{
    Dialect, Failure, Span, Value, Verdict, grpc,
    http::{self, Request},
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Http {
    repeatable: Vec<Repeatable>,
    answers: Vec<Answer>,
    errors: Vec<Failed>,
    retry_after: Vec<RetryAfter>,
    retry_after_header: Vec<RetryAfterHeader>,
    authority: Vec<Authority>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Grpc {
    statuses: Vec<Status>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeatable {
    method: String,
    #[serde(default)]
    key: bool,
    #[serde(default = "yes")]
    replayable: bool,
    expect: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    name: String,
    method: String,
    #[serde(default)]
    key: bool,
    #[serde(default = "yes")]
    replayable: bool,
    status: u16,
    retry_after: Option<String>,
    #[serde(default)]
    now: u64,
    expect: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failed {
    name: String,
    method: String,
    #[serde(default)]
    key: bool,
    #[serde(default = "yes")]
    replayable: bool,
    expect: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RetryAfter {
    header: String,
    #[serde(default)]
    now: u64,
    expect: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RetryAfterHeader {
    wait: String,
    expect: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Authority {
    scheme: String,
    host: String,
    port: Option<u16>,
    expect: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Status {
    name: String,
    number: u32,
    pushback: Option<String>,
    #[serde(default = "yes")]
    repeatable: bool,
    expect: Expected,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Expected {
    Success,
    Ignored,
    Failure { retryable: bool, hint: Option<String> },
}

impl Expected {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Success => Verdict::Success,
            Self::Ignored => Verdict::Ignored,
            Self::Failure { retryable, hint } => {
                Verdict::Failure(Failure { retryable: *retryable, hint: hint.as_deref().map(span) })
            }
        }
    }
}

const fn yes() -> bool {
    true
}

fn span(text: &str) -> Span {
    Span::from_value(&Value::from(text.to_owned()), "span", Dialect::Rust).expect("it is a duration")
}

fn read<C: for<'c> Deserialize<'c>>(file: &str) -> C {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = fs::read_to_string(&path).expect("it is there");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn request(method: &str, has_idempotency_key: bool, has_replayable_body: bool) -> Request<'_> {
    Request { method, has_idempotency_key, has_replayable_body }
}

#[test]
fn http_means_what_the_cases_say() {
    let http: Http = read("http.json");
    for case in &http.repeatable {
        let request = request(&case.method, case.key, case.replayable);
        assert_eq!(request.is_repeatable(), case.expect, "{request:?}");
    }
    for case in &http.answers {
        let request = request(&case.method, case.key, case.replayable);
        let (header, now) = (case.retry_after.as_deref(), Span::from_secs(case.now));
        let verdict = http::classify(request, case.status, header, now);
        assert_eq!(verdict, case.expect.verdict(), "{}", case.name);
    }
    for case in &http.errors {
        let verdict = http::classify_error(request(&case.method, case.key, case.replayable));
        assert_eq!(verdict, case.expect.verdict(), "{}", case.name);
    }
    for case in &http.retry_after {
        let wait = http::retry_after(&case.header, Span::from_secs(case.now));
        assert_eq!(wait, case.expect.as_deref().map(span), "{:?}", case.header);
    }
    for case in &http.retry_after_header {
        assert_eq!(http::retry_after_header(span(&case.wait)), case.expect, "{}", case.wait);
    }
    for case in &http.authority {
        assert_eq!(http::authority(&case.scheme, &case.host, case.port), case.expect);
    }
    let cases = http.repeatable.len() + http.answers.len() + http.errors.len() + http.retry_after.len();
    assert!(cases > 60, "only {cases} cases were found");
}

#[test]
fn grpc_means_what_the_cases_say() {
    let grpc: Grpc = read("grpc.json");
    for case in &grpc.statuses {
        let verdict = grpc::classify(case.number, case.pushback.as_deref(), case.repeatable);
        assert_eq!(verdict, case.expect.verdict(), "{} {:?}", case.name, case.pushback);
    }
    // The first ones are those that there are.
    for case in &grpc.statuses[..17] {
        assert_eq!(grpc::name(case.number), Some(case.name.as_str()));
    }
    assert_eq!([17, u32::MAX].map(grpc::name), [None, None]);
    assert!(grpc.statuses.len() > 17, "only {} cases were found", grpc.statuses.len());
}
