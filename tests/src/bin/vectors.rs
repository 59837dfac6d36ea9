//! Replays a folder of vectors in Rust: `vectors FOLDER`. Prints what passed per kind and every
//! failure; exits 1 if there is one.

use std::{path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: vectors FOLDER");
        return ExitCode::from(2);
    };
    let summary = overcurrent_tests::vectors::run(&folder);
    for (kind, passed) in &summary.passed {
        println!("rust    {kind:8} {:5} vectors {:7} steps passed", passed.vectors, passed.steps);
    }
    for failure in &summary.failures {
        println!("rust    FAILED {failure}");
    }
    if summary.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
