//! The docs, held to what they say: README's Rust example runs as it stands there, its commands are there,
//! and the page of fields is that of the validator. (README's Python and Node examples are run by the tests
//! of those languages.)

use std::{fs, path::Path};

/// The example of README, kept in step with it by the test below.
#[expect(clippy::unnecessary_wraps, reason = "the dependency of an example may never fail")]
mod example {
    include!("docs/example.rs");

    pub(super) fn run() {
        main().expect("the example runs");
    }
}

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).expect("it is there")
}

/// The first block of README in `language`.
fn block<'r>(readme: &'r str, language: &str) -> &'r str {
    let (_, rest) = readme.split_once(&format!("```{language}\n")).expect("README has such a block");
    rest.split_once("```").expect("the block ends").0
}

#[test]
fn the_rust_example_runs() {
    let readme = readme();
    assert_eq!(
        block(&readme, "rust"),
        include_str!("docs/example.rs"),
        "tests/tests/docs/example.rs differs"
    );
    let folder = std::env::temp_dir().join(format!("overcurrent-readme-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder to run in");
    fs::write(folder.join("overcurrent.toml"), block(&readme, "toml")).expect("the policy file");
    std::env::set_current_dir(&folder).expect("the only test of this process moves there");
    example::run();
    fs::remove_dir_all(&folder).expect("the folder goes");
}

#[test]
fn the_two_commands_are_targets() {
    let readme = readme();
    let makefile = include_str!("../../Makefile");
    for line in block(&readme, "sh").lines() {
        let target = line.split_whitespace().nth(1).expect("make TARGET");
        assert!(makefile.contains(&format!("\n{target}:")), "{target}");
    }
}

#[test]
fn the_page_of_fields_is_in_step_with_the_validator() {
    let page = include_str!("../../docs/policy.md");
    let made = overcurrent_tests::policy_docs::page();
    assert!(page == made, "make docs/policy.md anew: cargo run -p overcurrent-tests --bin policy-docs");
}

#[test]
fn the_page_of_events_names_every_field_in_its_order() {
    let page = include_str!("../../docs/events.md");
    // Whose call it was, in a table of its own.
    let whose = ["guard", "attempt", "trace_id", "span_id", "correlation_id"];
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let first = |field: &&str| {
        rows.iter()
            .position(|row| row.split('|').nth(1).is_some_and(|cell| cell.contains(&format!("`{field}`"))))
    };
    let places: Vec<_> = whose.iter().map(first).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
    for (name, fields) in overcurrent::Event::ALL {
        let row = rows.iter().find(|line| line.starts_with(&format!("| `{name}` |"))).expect(name);
        let cell = row.rsplit('|').nth(1).expect("the last cell");
        let own: Vec<_> = fields.iter().filter(|field| !whose.contains(field)).collect();
        assert_eq!(own.len() + if *name == "eviction" { 0 } else { whose.len() }, fields.len(), "`{name}`");
        let places: Vec<_> = own.iter().map(|field| cell.find(&format!("`{field}`"))).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "`{name}`: {places:?}");
    }
}

#[test]
fn readme_names_every_metric() {
    let readme = readme();
    for metric in overcurrent::Metric::ALL {
        assert!(readme.contains(&format!("`{}`", metric.name)), "{}", metric.name);
    }
}

#[test]
fn the_page_of_metrics_has_the_table_and_the_example() {
    let page = include_str!("../../docs/metrics.md");
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `overcurrent_")).collect();
    let made = overcurrent::Metric::ALL.iter().map(|metric| {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{}` | {} | {} | {} |", metric.name, metric.kind.as_str(), labels.join(", "), metric.help)
    });
    assert_eq!(rows, made.collect::<Vec<_>>());
    assert_eq!(block(page, "rust"), include_str!("../../core/examples/metrics.rs"));
}
