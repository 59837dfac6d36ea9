//! Measures the core beside the floors of the machine and other crates, prints one table and the
//! targets, and writes both as JSON into the target directory.
//!
//! ```text
//! bench-core [--quick] [WORD …]
//! ```
//!
//! `--quick` only shows that everything runs. With words, only what has one of them in its title is
//! measured, beside the floors. The run measures; a target that is missed does not fail it.

use std::{env, io, process::ExitCode};

use overcurrent_benches::{
    report::Report,
    rounds::{Plan, measure},
    subject::Operation,
    subjects,
};

fn main() -> io::Result<ExitCode> {
    let (options, words): (Vec<String>, Vec<String>) =
        env::args().skip(1).partition(|argument| argument.starts_with('-'));
    if let Some(unknown) = options.iter().find(|option| *option != "--quick") {
        eprintln!("unknown option `{unknown}`; usage: bench-core [--quick] [WORD …]");
        return Ok(ExitCode::from(2));
    }
    let plan = if options.is_empty() { Plan::FULL } else { Plan::QUICK };
    let chosen = || {
        let mut chosen = subjects::all();
        chosen.retain(|subject| {
            let title = subject.title();
            let named = words.is_empty() || words.iter().any(|word| title.contains(word.as_str()));
            named || subject.operation == Operation::Floor
        });
        chosen
    };
    let report = Report::new(plan, measure(chosen, plan));
    print!("{}", report.text());
    println!("\nThe same as JSON: {}", report.write()?.display());
    Ok(ExitCode::SUCCESS)
}
