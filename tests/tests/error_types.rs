//! What failures are called, by the cases that every language runs: `tests/error-types.json`.

use std::{fs, path::Path};

use overcurrent::error_type;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    errors: Vec<Case>,
    values: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    status: Value,
    #[serde(default)]
    response: Value,
    #[serde(default)]
    code: Value,
    expect: String,
}

#[test]
fn failures_are_called_what_the_cases_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("error-types.json");
    let text = fs::read_to_string(file).expect("the cases are there");
    let cases: Cases = serde_json::from_str(&text).expect("the cases can be read");
    for Case { name, status, response, code, expect } in &cases.errors {
        let status = status.as_i64().or(response.as_i64());
        assert_eq!(error_type(status, code.as_str(), Some("class")), *expect, "{name}");
    }
    for Case { name, status, expect, .. } in &cases.values {
        assert_eq!(error_type(status.as_i64(), None, None), *expect, "{name}");
    }
    assert!(cases.errors.len() > 10 && cases.values.len() > 3, "some cases are missing");
}
