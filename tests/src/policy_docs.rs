//! `docs/policy.md`, made from the tables of fields that the validator reads.

use std::fmt::Write as _;

use overcurrent::{BreakerPolicy, GuardPolicy, RetryPolicy, kernel::policy::FieldRow};

const HEAD: &str = "\
# The fields of a policy

A policy file holds any number of policies, `[policy.NAME]` each, in TOML or JSON. Durations are strings with a
unit (`\"250ms\"`); ratios are numbers. In Python the names are keyword arguments and a bare number of a duration
means seconds; in Node they are in camel case and a bare number means milliseconds. What the fields mean is said
in [semantics](semantics.md).

This page is made from the tables that the validator reads: `cargo run -p overcurrent-tests --bin policy-docs`.
";

/// The page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    table(&mut page, "Guard: `[policy.NAME]`", &GuardPolicy::fields());
    table(&mut page, "Retry: `[policy.NAME.retry]`", &RetryPolicy::fields());
    table(&mut page, "Breaker: `[policy.NAME.breaker]`", &BreakerPolicy::fields());
    page
}

fn table(page: &mut String, title: &str, rows: &[FieldRow]) {
    // Writing to a string cannot fail.
    let _ =
        write!(page, "\n## {title}\n\n| field | range | default | meaning |\n| --- | --- | --- | --- |\n");
    for FieldRow { name, unit, range, default, meaning } in rows {
        let unit = if *unit == "choice" { String::new() } else { format!("{unit}, ") };
        let _ = writeln!(page, "| `{name}` | {unit}{range} | {default} | {meaning} |");
    }
}
