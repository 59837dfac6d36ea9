//! Any text as a policy document: it is refused with a proper message, or holds what the documentation
//! says and can be used.

use std::sync::Arc;

use overcurrent::{Dialect, Guard, GuardPolicy, InvalidPolicy, ManualClock, PolicyDocument, Surrounds};

use crate::ranges;

/// No path, value or rule is longer, in bytes.
const LONGEST: usize = 4_000;

/// Reads `bytes` as the document `file_name` and checks what came of it.
pub fn check(file_name: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let document = match PolicyDocument::parse(file_name, &text) {
        Ok(document) => document,
        Err(error) => return message(&error),
    };
    for name in document.names() {
        let policy = document.guard(name).expect("a name that the document gave is in it");
        ranges::guard(&policy);
        usable(policy);
    }
    let missing = document.guard("no such name, by its length").expect_err("no fuzzer guesses it");
    sound(&missing);
}

/// A call through the guard that always fails comes to an end.
fn usable(policy: GuardPolicy) {
    let most = policy.retry.as_ref().map_or(1, |retry| retry.max_attempts);
    let brought =
        Surrounds { clock: Some(Arc::new(ManualClock::new())), seed: Some(1), ..Surrounds::default() };
    let guard = Guard::with("fuzzed", policy, brought, Dialect::Document).expect("nothing was brought");
    let mut attempts = 0;
    let result = guard.call(|_| {
        attempts += 1;
        Err::<(), _>(std::fmt::Error)
    });
    assert!(result.is_err());
    assert!((1..=most).contains(&attempts), "{attempts} attempts where at most {most} may be made");
}

/// Messages are one line of bounded length, end without a full stop, and say where, what and why.
fn sound(error: &InvalidPolicy) {
    let InvalidPolicy { path, value, rule } = error;
    assert_eq!(error.to_string(), format!("invalid policy at `{path}`: `{value}` {rule}"));
    for part in [path, value, rule] {
        assert!(!part.chars().any(char::is_control), "a control character in {part:?}");
        assert!(part.len() <= LONGEST, "{} bytes: {part}", part.len());
    }
    assert!(!path.is_empty(), "no path: {error}");
    assert!(!rule.is_empty() && !rule.ends_with(['.', ' ', '!']), "the rule ends badly: {error}");
}

/// Messages are lower case, but for what they quote. No rule about a field quotes what the user wrote.
fn message(error: &InvalidPolicy) {
    sound(error);
    let rule = &error.rule;
    // From the first word on, the parser of a format says in its own words what is wrong with a text:
    // `is not TOML: invalid date, expected `-` (MM-DD)`.
    let parser = ["is not TOML: ", "is not JSON: "].iter().find_map(|start| rule.strip_prefix(start));
    let own = parser.map_or(rule.as_str(), |words| words.split(' ').next().unwrap_or_default());
    let own: String = own.split('`').step_by(2).collect();
    assert!(!own.chars().any(char::is_uppercase), "not lower case: {error}");
}
