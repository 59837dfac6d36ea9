//! Replays vectors through the crate's public API with a manual clock.
//!
//! A vector is a policy, a seed and a list of steps, each with what must come of it. The format is
//! described in `docs/vectors.md`; the runners in Python and Node read the same files.

mod breaker;
mod budget;
mod retry;

use std::{collections::BTreeMap, fmt, fs, path::Path, time::Duration};

use overcurrent::{Span, Value};
use serde::Deserialize;

/// One vector.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// What it shows.
    pub name: String,
    /// What it is a vector of.
    pub kind: Kind,
    policy: Value,
    seed: String,
    steps: Vec<serde_json::Value>,
}

/// What a vector is about.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A breaker alone.
    Breaker,
    /// A retry alone.
    Retry,
    /// A budget alone.
    Budget,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Breaker => "breaker",
            Self::Retry => "retry",
            Self::Budget => "budget",
        })
    }
}

/// How many passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Whole vectors.
    pub vectors: usize,
    /// Steps.
    pub steps: usize,
}

/// The outcome of a folder of vectors.
#[derive(Debug, Default)]
pub struct Summary {
    /// What passed, by kind.
    pub passed: BTreeMap<Kind, Passed>,
    /// What did not, one line each.
    pub failures: Vec<String>,
}

/// Replays every vector in the `.json` files of `folder`, in the order of their names.
pub fn run(folder: &Path) -> Summary {
    let mut summary = Summary::default();
    let mut files: Vec<_> = match fs::read_dir(folder) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
        Err(error) => {
            summary.failures.push(format!("{}: {error}", folder.display()));
            return summary;
        }
    };
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    if files.is_empty() {
        summary.failures.push(format!("{}: holds no vectors", folder.display()));
    }
    for file in files {
        let vectors = fs::read_to_string(&file)
            .map_err(|error| error.to_string())
            .and_then(|text| serde_json::from_str::<Vec<Vector>>(&text).map_err(|error| error.to_string()));
        match vectors {
            Ok(vectors) => vectors.iter().for_each(|vector| summary.replay(vector)),
            Err(error) => summary.failures.push(format!("{}: {error}", file.display())),
        }
    }
    summary
}

impl Summary {
    fn replay(&mut self, vector: &Vector) {
        let passed = self.passed.entry(vector.kind).or_default();
        let mut stepped = 0;
        let outcome = match vector.kind {
            Kind::Breaker => breaker::replay(vector, &mut stepped),
            Kind::Retry => retry::replay(vector, &mut stepped),
            Kind::Budget => budget::replay(vector, &mut stepped),
        };
        passed.steps += stepped;
        match outcome {
            Ok(()) => passed.vectors += 1,
            Err(why) => {
                self.failures.push(format!("{} `{}`, step {}: {why}", vector.kind, vector.name, stepped + 1));
            }
        }
    }
}

impl Vector {
    fn seed(&self) -> Result<u64, String> {
        self.seed.parse().map_err(|_| format!("`{}` is no seed", self.seed))
    }

    /// Runs `replay` over the steps, counting those that passed.
    fn each<S: for<'d> Deserialize<'d>>(
        &self,
        stepped: &mut usize,
        mut replay: impl FnMut(S) -> Result<(), String>,
    ) -> Result<(), String> {
        for step in &self.steps {
            replay(S::deserialize(step).map_err(|error| error.to_string())?)?;
            *stepped += 1;
        }
        Ok(())
    }
}

/// A duration as vectors write it: whole digits and a unit.
fn duration(text: &str) -> Result<Duration, String> {
    let span = text.parse::<Span>().map_err(|rule| format!("`{text}` {rule}"))?;
    Ok(span.into())
}

/// Distinguishes a field that is absent (not checked) from one that is null (none).
fn present<'d, D: serde::Deserializer<'d>, T: Deserialize<'d>>(field: D) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}

fn expect<T: PartialEq + fmt::Debug>(what: &str, expected: &T, came: &T) -> Result<(), String> {
    if expected == came { Ok(()) } else { Err(format!("{what}: expected {expected:?}, came {came:?}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vector_passes() {
        let summary = run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors"));
        assert!(summary.failures.is_empty(), "{}", summary.failures.join("\n"));
        for kind in [Kind::Breaker, Kind::Retry, Kind::Budget] {
            assert!(summary.passed.get(&kind).is_some_and(|passed| passed.steps > 100), "too few of {kind}");
        }
    }
}
