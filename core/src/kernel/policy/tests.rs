//! What the policies take, what they refuse, and in which words.

use std::collections::HashSet;

use super::{decimal::decimal, field::FieldRow, quantity::duration, *};
use crate::kernel::{
    error::InvalidPolicy,
    time::{Ppm, Span},
};

const MS: fn(u64) -> Span = Span::from_millis;

fn number(text: &str) -> Value {
    Value::Number(text.to_owned())
}

fn table<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Table(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

fn rule<T: std::fmt::Debug>(result: Result<T, InvalidPolicy>) -> String {
    result.unwrap_err().rule
}

fn deadline(value: Value, dialect: Dialect) -> Result<Span, InvalidPolicy> {
    let policy = GuardPolicy::from_value(&table([("deadline", value)]), "", dialect)?;
    Ok(policy.deadline.unwrap_or_default())
}

fn ratio(text: &str) -> Result<u32, InvalidPolicy> {
    Ok(BudgetPolicy::from_value(&table([("ratio", number(text))]), "", Dialect::Node)?.ratio.parts())
}

#[test]
fn duration_text_is_exact_to_the_nanosecond() {
    for (text, nanos) in [
        ("0ms", 0),
        ("007ns", 7),
        ("1.0ns", 1),
        ("250ms", 250_000_000),
        ("1.5s", 1_500_000_000),
        ("0.000000001s", 1),
        ("1.000001000ms", 1_000_001),
        ("0.5m", 30_000_000_000),
        ("0.0000000000025h", 9),
        ("0.25h", 900_000_000_000),
        ("18446744073709551615ns", u64::MAX),
        ("5124095.57602h", 18_446_744_073_672_000_000),
    ] {
        assert_eq!(duration(text), Ok(Span::from_nanos(nanos)), "{text}");
    }
}

#[test]
fn each_bad_duration_text_has_its_rule() {
    for (text, part) in [
        ("", "digits with optional decimals"),
        ("ms", "digits with optional decimals"),
        (".5s", "digits with optional decimals"),
        ("5.s", "digits with optional decimals"),
        ("1.2.3s", "digits with optional decimals"),
        ("1e3ms", "digits with optional decimals"),
        ("1_000ms", "digits with optional decimals"),
        ("1,5s", "digits with optional decimals"),
        ("5S", "unknown unit"),
        ("5µs", "unknown unit"),
        ("5min", "unknown unit"),
        ("250", "must have a unit"),
        ("1.5", "must have a unit"),
        ("-1s", "sign"),
        ("+1s", "sign"),
        ("1 s", "spaces"),
        (" 1s", "spaces"),
        ("1m30s", "one unit only"),
        ("1.5ns", "fraction of a nanosecond"),
        ("0.0000000001s", "fraction of a nanosecond"),
        ("18446744073709551616ns", "too long"),
        ("5124096h", "too long"),
        ("99999999999999999999999999999999999999999999999999h", "too long"),
    ] {
        assert!(duration(text).is_err_and(|rule| rule.contains(part)), "{text}: {:?}", duration(text));
    }
}

#[test]
fn a_number_is_seconds_in_python_and_milliseconds_in_node_rounded_half_up() {
    for (text, dialect, nanos) in [
        ("10", Dialect::Python, 10_000_000_000),
        ("0.1", Dialect::Python, 100_000_000),
        ("1e-07", Dialect::Python, 100),
        ("1e-9", Dialect::Python, 1),
        ("1.5e-9", Dialect::Python, 2),
        ("1.4999e-9", Dialect::Python, 1),
        ("0.3000000000000000444", Dialect::Python, 300_000_000),
        ("18446744073.709551615", Dialect::Python, u64::MAX),
        ("250", Dialect::Node, 250_000_000),
        ("0.0000005", Dialect::Node, 1),
        ("5e-7", Dialect::Node, 1),
        ("1e+3", Dialect::Node, 1_000_000_000),
    ] {
        assert_eq!(deadline(number(text), dialect), Ok(Span::from_nanos(nanos)), "{text}");
    }
    for (text, part) in [
        ("NaN", "finite"),
        ("nan", "finite"),
        ("inf", "finite"),
        ("-Infinity", "finite"),
        ("-1", "must not be negative"),
        ("-1e-30", "must not be negative"),
        ("1e+21", "too long"),
        ("18446744073.7095516155", "too long"),
        ("1e999999999999999999999", "too long"),
        ("0", "must be above 0ms"),
        ("1e-999999999999999999999", "must be above 0ms"),
    ] {
        assert!(rule(deadline(number(text), Dialect::Python)).contains(part), "{text}");
    }
    assert_eq!(rule(deadline(number("5"), Dialect::Document)), "must have a unit, e.g. `\"250ms\"`");
    assert!(rule(deadline(number("5"), Dialect::Rust)).starts_with("must be a `Duration`"));
    assert!(rule(deadline(true.into(), Dialect::Python)).starts_with("must be a duration"));
}

#[test]
fn ratios_are_rounded_half_up_before_their_range_is_checked() {
    for (text, parts) in [
        ("0.5", 500_000),
        ("0", 0),
        ("-0.0", 0),
        ("0.0000004", 0),
        ("0.0000005", 1),
        ("5e-7", 1),
        ("1.0000004", 1_000_000),
        ("0.33333349", 333_333),
        ("100e-2", 1_000_000),
    ] {
        assert_eq!(ratio(text), Ok(parts), "{text}");
    }
    for text in ["1.0000005", "-0.1", "1e300", "2"] {
        assert_eq!(rule(ratio(text)), "must be 0 to 1", "{text}");
    }
    let rate =
        |text| BreakerPolicy::from_value(&table([("failure_rate", number(text))]), "", Dialect::Python);
    assert_eq!(rule(rate("0.0000004")), "must be above 0 and at most 1");
    assert!(rate("0.0000005").is_ok());
    assert_eq!(decimal(500_000, 6), "0.5");
    assert_eq!(decimal(2_000_000, 6), "2");
    assert_eq!(decimal(1, 6), "0.000001");
}

#[test]
fn whole_numbers_are_whole_in_their_text() {
    let attempts = |text| RetryPolicy::from_value(&table([("maxAttempts", number(text))]), "", Dialect::Node);
    assert_eq!(attempts("3").map(|policy| policy.max_attempts), Ok(3));
    for text in ["3.0", "3.5", "NaN", "1e-1"] {
        assert_eq!(rule(attempts(text)), "must be a whole number", "{text}");
    }
    for text in ["0", "-1", "1001", "1e+21", "99999999999999999999999999"] {
        assert_eq!(rule(attempts(text)), "must be 1 to 1000", "{text}");
    }
}

#[test]
fn defaults_are_what_an_empty_table_gives() {
    for dialect in [Dialect::Document, Dialect::Rust, Dialect::Python, Dialect::Node] {
        assert_eq!(BreakerPolicy::from_value(&Value::EMPTY, "", dialect), Ok(BreakerPolicy::default()));
        assert_eq!(RetryPolicy::from_value(&Value::EMPTY, "", dialect), Ok(RetryPolicy::default()));
        assert_eq!(BudgetPolicy::from_value(&Value::EMPTY, "", dialect), Ok(BudgetPolicy::default()));
        assert_eq!(GuardPolicy::from_value(&Value::EMPTY, "", dialect), Ok(GuardPolicy::default()));
    }
    let BudgetPolicy { ratio, refill_per_milli, capacity } = BudgetPolicy::default();
    assert_eq!((ratio.parts(), refill_per_milli, capacity), (200_000, 1_000, 10_000_000));
    let breaker = GuardPolicy::default().breaker.unwrap();
    assert_eq!((breaker.abandon_after, breaker.probe_timeout), (Some(MS(5_000)), MS(30_000)));
}

#[test]
fn which_tests_are_on_depends_on_which_fields_are_given() {
    let tests = |draft: BreakerDraft| {
        let policy = draft.build().unwrap();
        (policy.window.is_some(), policy.consecutive_failures, policy.consecutive_for_trickles)
    };
    let none = BreakerPolicy::draft;
    assert_eq!(tests(none()), (true, Some(10), true));
    assert_eq!(tests(none().abandon_after(MS(9).into()).cooldown(MS(9).into())), (true, Some(10), true));
    assert_eq!(tests(none().consecutive_failures(3)), (false, Some(3), false));
    assert_eq!(tests(none().slow_call(MS(9).into())), (true, None, false));
    assert_eq!(tests(none().minimum_calls(5)), (true, None, false));
    assert_eq!(tests(none().time_window(MS(9_000).into())), (true, None, false));
    assert_eq!(tests(none().failure_rate(0.5).consecutive_failures(3)), (true, Some(3), false));
}

#[test]
fn minimum_calls_fits_the_call_window() {
    let minimum = |draft: BreakerDraft| draft.build().map(|policy| policy.window.unwrap().minimum_calls);
    assert_eq!(minimum(BreakerPolicy::draft().call_window(5)), Ok(5));
    assert_eq!(minimum(BreakerPolicy::draft().call_window(50)), Ok(20));
    assert_eq!(minimum(BreakerPolicy::draft().call_window(50).minimum_calls(50)), Ok(50));
    let refused = minimum(BreakerPolicy::draft().call_window(10).minimum_calls(11)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "invalid policy at `minimum_calls`: `11` must not exceed the window of `10` calls"
    );
}

#[test]
fn a_guard_fits_the_breaker_to_its_limits() {
    let within = |draft: BreakerDraft, attempt, deadline| {
        let policy = draft.build().unwrap().within(attempt, deadline, "breaker", Dialect::Node)?;
        Ok::<_, InvalidPolicy>((policy.probe_timeout, policy.abandon_after))
    };
    let draft = BreakerPolicy::draft;
    let (short, long) = (Some(MS(2_000)), Some(MS(45_000)));
    assert_eq!(within(draft(), short, long), Ok((MS(30_000), Some(MS(1_000)))));
    assert_eq!(within(draft(), long, short), Ok((MS(45_000), Some(MS(22_500)))));
    assert_eq!(within(draft(), None, long), Ok((MS(45_000), None)));
    assert_eq!(within(draft().slow_call(MS(7).into()), long, None), Ok((MS(45_000), Some(MS(7)))));
    assert_eq!(
        within(draft().abandon_after(MS(9).into()).slow_call(MS(7).into()), long, None).unwrap().1,
        Some(MS(9))
    );
    let probing = || draft().probe_timeout(MS(3_000).into());
    assert_eq!(within(probing(), short, long), Ok((MS(3_000), Some(MS(1_000)))));
    assert_eq!(within(probing(), Some(MS(3_000)), long), Ok((MS(3_000), Some(MS(1_500)))));
    assert_eq!(within(probing(), None, None), Ok((MS(3_000), None)));
    assert_eq!(
        within(probing(), long, None).unwrap_err().to_string(),
        "invalid policy at `breaker.probeTimeout`: `3s` must not be below `attemptTimeout` of `45s`"
    );
    assert_eq!(rule(within(probing(), None, long)), "must not be below `deadline` of `45s`");
    assert_eq!(
        rule(within(draft(), None, None)),
        "is here, but the field is required where `attemptTimeout` and `deadline` are off"
    );
}

#[test]
fn null_is_absent_in_code_and_an_error_in_a_document() {
    let nothing = table([("max_attempts", Value::Null), ("backoff", Value::Null)]);
    assert_eq!(RetryPolicy::from_value(&nothing, "", Dialect::Python), Ok(RetryPolicy::default()));
    assert_eq!(rule(RetryPolicy::from_value(&nothing, "", Dialect::Document)), BACKOFF_RULE);
}

const BACKOFF_RULE: &str =
    "must be `none` or one of `constant`, `linear`, `exponential`, `schedule` with its fields";

#[test]
fn node_has_its_own_case_in_names_paths_and_suggestions() {
    let refused = |fields| GuardPolicy::from_value(&fields, "", Dialect::Node).unwrap_err().to_string();
    assert_eq!(
        refused(table([("attempt_timeout", number("5"))])),
        "invalid policy at `attempt_timeout`: `attempt_timeout` is not a field here, \
         did you mean `attemptTimeout`?"
    );
    assert_eq!(
        refused(table([("breaker", table([("slowRate", number("0.5"))]))])),
        "invalid policy at `breaker.slowRate`: `0.5` needs `slowCall`"
    );
}

#[test]
fn drafts_go_the_way_of_documents() {
    let (short, long) = (MS(100).into(), MS(5_000).into());
    let policy =
        RetryPolicy::exponential(short, long).multiplier(1.5).proportional_jitter(0.25).build().unwrap();
    let exponential =
        Backoff::Exponential { initial: MS(100), multiplier: Ppm::new(1_500_000), max: MS(5_000) };
    assert_eq!(policy.backoff, exponential);
    assert_eq!(policy.jitter, Jitter::Proportional(Ppm::new(250_000)));
    for backoff in [
        Backoff::None,
        Backoff::Constant { delay: MS(1) },
        Backoff::Linear { initial: MS(1), step: MS(2), max: MS(3) },
        exponential,
        Backoff::Schedule { delays: vec![MS(1), MS(0)] },
    ] {
        assert_eq!(RetryPolicy::draft().backoff(backoff.clone()).build().unwrap().backoff, backoff);
    }
    assert_eq!(RetryPolicy::draft().multiplier(3.0).build().unwrap().jitter, Jitter::Full);
    assert!(rule(RetryPolicy::constant(short).multiplier(3.0).build()).starts_with("is not a field here"));
    assert_eq!(RetryPolicy::linear(short, short, long).build().unwrap().budget, None);
    assert!(RetryPolicy::schedule([]).build().is_err());
    assert_eq!(RetryPolicy::no_backoff().build().unwrap().backoff, Backoff::None);
    let endless = RetryPolicy::constant(std::time::Duration::MAX).build();
    assert!(rule(endless).contains("too long"));

    let bare = GuardPolicy::draft().no_deadline().no_attempt_timeout().no_retry().no_breaker();
    let policy = bare.clone().when_open(WhenOpen::Wait).build().unwrap();
    assert_eq!((policy.deadline, policy.attempt_timeout, policy.when_open), (None, None, WhenOpen::Wait));
    assert_eq!((policy.retry, policy.breaker), (None, None));
    let unbudgeted = bare.clone().retry(RetryPolicy::draft().no_budget()).build().unwrap();
    assert_eq!(unbudgeted.retry, Some(RetryPolicy::default()));
    let nested = bare.retry(RetryPolicy::draft().budget(BudgetPolicy::draft().burst(0))).build().unwrap_err();
    assert_eq!(nested.to_string(), "invalid policy at `retry.budget.burst`: `0` must be 1 to 1000");
}

#[test]
fn every_field_is_declared_once_and_described() {
    let tables: [Vec<FieldRow>; 4] =
        [GuardPolicy::fields(), RetryPolicy::fields(), BudgetPolicy::fields(), BreakerPolicy::fields()];
    for rows in tables {
        let names: HashSet<_> = rows.iter().map(|row| row.name.clone()).collect();
        assert_eq!(names.len(), rows.len());
        assert!(rows.iter().all(|row| !row.range.is_empty() && !row.default.is_empty()));
        assert!(rows.iter().all(|row| !row.unit.is_empty() && !row.meaning.is_empty()));
    }
}

#[test]
fn a_bucket_is_at_least_a_millisecond_wide() {
    let window = |time: Span| BreakerPolicy::failure_rate(0.5).bucketed_window(time.into(), 10).build();
    let width = window(MS(10)).unwrap().window.map(|rules| rules.window);
    assert_eq!(width, Some(Window::Time { buckets: 10, width: MS(1) }));
    assert!(window(Span::from_nanos(9_999_999)).is_err());
}

#[test]
fn errors_show_long_and_odd_values_on_one_short_line() {
    let refused = deadline(Value::Text("\u{1b}[31m\n".repeat(100)), Dialect::Document).unwrap_err();
    assert!(refused.value.starts_with("\\u{1b}[31m\\n") && refused.value.ends_with('…'));
    assert!(refused.value.len() < 800 && !refused.value.contains(char::is_control));
    let odd = table([("a.b", Value::Null)]);
    assert_eq!(RetryPolicy::from_value(&odd, "retry", Dialect::Rust).unwrap_err().path, "retry.\"a.b\"");
    assert_eq!(RetryPolicy::from_value(&Value::Null, "", Dialect::Rust).unwrap_err().path, "policy");
}

#[cfg(all(feature = "toml", feature = "json"))]
mod documents {
    use super::*;

    #[test]
    fn an_error_shows_the_names_of_a_document_on_one_bounded_line() {
        let odd = PolicyDocument::from_json(r#"{"policy": {"a\nb": {}}}"#).expect("any name will do");
        let rule = odd.guard("payments").unwrap_err().rule;
        assert_eq!(rule, "is not in the document, only `a\\nb` can stand here");
        let near = odd.guard("a\nc").unwrap_err().rule;
        assert_eq!(near, "is not in the document, did you mean `a\\nb`?");

        let many: Vec<_> = (0..41).map(|index| format!(r#""policy-{index}": {{}}"#)).collect();
        let many = PolicyDocument::from_json(&format!(r#"{{"policy": {{{}}}}}"#, many.join(","))).unwrap();
        let rule = many.guard("x").unwrap_err().rule;
        assert!(rule.ends_with("`policy-39`, … can stand here"), "{rule}");
    }

    /// Documents and the error of each, shared by the tests of every language.
    const BAD: &str = include_str!("../../../../tests/bad-policies.json");

    const TOML: &str = r#"
        [policy.payments]
        deadline = "10s"
        attempt_timeout = "2s"
        retry = { max_attempts = 4, backoff = { exponential = { initial = "100ms", max = "5s" } }, jitter = "full", budget = { ratio = 0.2 } }
        breaker = { window = { time = "10s" }, failure_rate = 0.5, minimum_calls = 20, cooldown = "5s" }

        [policy.search]
        deadline = false
        retry = { jitter = { proportional = 0.25 }, backoff = { schedule = { delays = ["1ms", "0ms"] } }, budget = true }
        breaker = true

        [policy.bare]
        attempt_timeout = false
        when_open = "wait"
        retry = false
        breaker = false
    "#;

    const JSON: &str = r#"{"policy": {
        "payments": {
            "deadline": "10s", "attempt_timeout": "2s",
            "retry": {"max_attempts": 4, "backoff": {"exponential": {"initial": "100ms", "max": "5s"}}, "jitter": "full", "budget": {"ratio": 0.2}},
            "breaker": {"window": {"time": "10s"}, "failure_rate": 0.5, "minimum_calls": 20, "cooldown": "5s"}
        },
        "search": {
            "deadline": false,
            "retry": {"jitter": {"proportional": 0.25}, "backoff": {"schedule": {"delays": ["1ms", "0ms"]}}, "budget": true},
            "breaker": true
        },
        "bare": {"attempt_timeout": false, "when_open": "wait", "retry": false, "breaker": false}
    }}"#;

    #[test]
    fn both_formats_give_the_same_policies() {
        let document = PolicyDocument::from_toml(TOML).unwrap();
        assert_eq!(Ok(document.clone()), PolicyDocument::parse("overcurrent.JSON", JSON));
        assert_eq!(document.names().collect::<Vec<_>>(), ["payments", "search", "bare"]);

        let payments = document.guard("payments").unwrap();
        let breaker = payments.breaker.unwrap();
        let width = Window::Time { buckets: 10, width: MS(1_000) };
        assert_eq!(breaker.window.map(|rules| rules.window), Some(width));
        assert_eq!((breaker.consecutive_failures, breaker.abandon_after), (None, Some(MS(1_000))));
        let retry = payments.retry.unwrap();
        assert_eq!((retry.max_attempts, retry.budget), (4, Some(BudgetPolicy::default())));

        let search = document.guard("search").unwrap();
        assert_eq!((search.deadline, search.attempt_timeout), (None, Some(MS(10_000))));
        assert_eq!(search.retry.unwrap().jitter, Jitter::Proportional(Ppm::new(250_000)));
        let bare = document.guard("bare").unwrap();
        assert_eq!((bare.retry, bare.breaker, bare.when_open), (None, None, WhenOpen::Wait));
    }

    #[test]
    fn a_document_says_what_it_does_not_hold() {
        let empty = PolicyDocument::from_json("{}").unwrap();
        assert_eq!(rule(empty.guard("a")), "is not in the document, which is empty");
        let document = PolicyDocument::from_toml(TOML).unwrap();
        assert_eq!(
            rule(document.guard("unheard-of")),
            "is not in the document, only `payments`, `search`, `bare` can stand here"
        );
        assert_eq!(rule(PolicyDocument::parse("policy.yaml", "")), "must end in `.toml` or `.json`");
    }

    #[test]
    fn every_bad_document_is_refused_at_its_place_in_its_words() {
        let Value::List(cases) = serde_json::from_str(BAD).unwrap() else { panic!("not a list") };
        assert!(cases.len() >= 45);
        let mut names = HashSet::new();
        let mut wrong = Vec::new();
        for case in &cases {
            let Value::Table(fields) = case else { panic!("not a table: {case}") };
            let text = |name| fields.iter().find(|(key, _)| key == name).unwrap().1.to_string();
            assert!(names.insert(text("name")), "twice: {}", text("name"));
            let refused = match text("format").as_str() {
                "toml" => PolicyDocument::from_toml(&text("document")),
                "json" => PolicyDocument::from_json(&text("document")),
                other => panic!("unknown format {other}"),
            };
            let expected = InvalidPolicy { path: text("path"), value: text("value"), rule: text("rule") };
            if refused.as_ref() != Err(&expected) {
                wrong.push(format!("{}:\n  expected {expected:?}\n  got      {refused:?}", text("name")));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn an_exponent_has_digits() {
    for text in ["1e", "1e+", "1e-", "1ex", "1e1x"] {
        assert!(ratio(text).is_err(), "{text}");
    }
    assert_eq!(ratio("1e-1"), Ok(100_000));
}

#[test]
fn a_draft_of_a_shape_has_that_shape() {
    let millis = std::time::Duration::from_millis;
    let backoff = |draft: RetryDraft| draft.build().map(|policy| policy.backoff);
    assert_eq!(
        backoff(RetryPolicy::exponential(millis(20), millis(300))),
        Ok(Backoff::Exponential { initial: MS(20), multiplier: Ppm::new(2_000_000), max: MS(300) })
    );
    assert_eq!(
        backoff(RetryPolicy::linear(millis(20), millis(5), millis(300))),
        Ok(Backoff::Linear { initial: MS(20), step: MS(5), max: MS(300) })
    );
}

#[test]
fn a_duration_alone_is_read_as_one_in_a_policy() {
    assert_eq!(Span::from_value(&Value::from(1.5), "hint", Dialect::Python), Ok(MS(1_500)));
    let refused = Span::from_value(&Value::from(true), "hint", Dialect::Python).unwrap_err();
    assert_eq!((refused.path.as_str(), refused.value.as_str()), ("hint", "true"));
}

#[test]
fn a_small_float_is_written_out_as_far_as_others_write_it() {
    assert_eq!(Value::from(1e-5), number("1e-5"));
    assert_eq!(Value::from(9e-6), number("0.000009"));
    assert_eq!(Value::from(0.0), number("0.0"));
}

#[test]
#[cfg(feature = "toml")]
fn a_float_of_a_document_is_shown_as_its_shortest_decimal() {
    let text = "[policy.p]\nretry = { budget = { ratio = 1.500 } }";
    let refused = PolicyDocument::from_toml(text).unwrap_err();
    assert_eq!((refused.path.as_str(), refused.value.as_str()), ("policy.p.retry.budget.ratio", "1.5"));
}

#[test]
#[cfg(any(feature = "toml", feature = "json"))]
fn a_format_that_a_build_lacks_is_named_with_its_feature() {
    let rule = |ending| super::text::unreadable("file", ending).rule;
    assert_eq!(rule("toml"), "is of a format this build was made without, feature `toml`");
    assert_eq!(rule("yaml"), "must end in `.toml` or `.json`");
}

#[test]
fn what_no_policy_can_hold_is_refused_by_name() {
    use serde::{
        Deserialize as _,
        de::value::{BytesDeserializer, Error},
    };
    let refused = Value::deserialize(BytesDeserializer::<Error>::new(b"x")).unwrap_err();
    assert_eq!(refused.to_string(), "invalid type: byte array, expected a value");
}
