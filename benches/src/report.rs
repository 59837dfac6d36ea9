//! A run as text, one table, and the same as JSON.

use std::{
    env,
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
    thread,
};

use serde_json::{Value, json};

use crate::{
    figures::Figures,
    rounds::{Plan, Row},
    subjects,
    targets::{Target, targets},
};

/// The width of the prose; the tables take theirs.
const COLUMNS: usize = 110;

/// What a run found.
#[derive(Debug)]
pub struct Report {
    plan: Plan,
    rows: Vec<Row>,
    targets: Vec<Target>,
}

impl Report {
    /// The report of `rows`, measured by `plan`.
    pub fn new(plan: Plan, rows: Vec<Row>) -> Self {
        Self { plan, targets: targets(&rows), rows }
    }

    /// How it was measured.
    fn method(&self) -> String {
        let slice = self.plan.slice;
        let done = self.rows.iter().filter_map(|row| Some(row.one?.slices)).max().unwrap_or(0);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let measured = self.rows.iter().flat_map(|row| [row.one, row.two]).flatten();
        let (slices, disturbed) = measured.fold((0, 0), |(slices, disturbed), figures| {
            (slices + figures.slices, disturbed + figures.disturbed)
        });
        let peers = subjects::CRATES
            .map(|name| format!("{name} {}", version(LOCK, name).unwrap_or("of unknown version")))
            .join(", ");
        format!(
            "{done} interleaved rounds on {cores} cores: in each, every row has a slice of {slice:?} for each \
             number of threads, in an order drawn anew. Figures are nanoseconds per operation, the median \
             and the minimum of the slices. The loops are inside of what is measured; the empty one is a \
             row. Two threads start together on one object and meet in the whole slice; their figure is the \
             time of both by the operations of both. {disturbed} of {slices} slices, in which a thread \
             waited for a core or missed the other for more than 5 % of the time, are left out; * marks \
             figures of the least disturbed ones, for want of others. With two threads read the median: \
             the host of a virtual machine may stop one of them unseen. Where failures are recorded, one \
             outcome in ten is a success, so that none opens. Beside: {peers}."
        )
    }

    /// The text: the method, the table and the targets.
    pub fn text(&self) -> String {
        let mut text = wrapped(&self.method(), COLUMNS) + "\n";
        let head = ["operation", "whose", "policy", "1 thread", "min", "2 threads", "min"];
        let rows = self.rows.iter().map(|row| {
            let it = &row.subject;
            let [one, least_one] = spelled(row.one);
            let [two, least_two] = spelled(row.two);
            let label = it.label.to_owned();
            [it.operation.as_str().to_owned(), it.name.clone(), label, one, least_one, two, least_two]
        });
        align(&mut text, head, rows.collect(), 3);
        text.push_str("\nRatios; those with a bound are targets, met or missed by the medians:\n\n");
        let head = ["ratio", "bound", "medians", "minima", ""];
        let rows = self.targets.iter().map(|target| {
            let met = match target.met {
                Some(true) => "met",
                Some(false) => "MISSED",
                None => "",
            };
            let [median, minimum] = [target.median, target.minimum].map(|ratio| format!("{ratio:.2}"));
            [target.ratio.clone(), target.bound.spelled(), median, minimum, met.to_owned()]
        });
        align(&mut text, head, rows.collect(), 1);
        text
    }

    /// The same for a program.
    pub fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                let it = &row.subject;
                json!({
                    "operation": it.operation,
                    "whose": it.whose,
                    "name": it.name,
                    "window": it.window,
                    "policy": it.label,
                    "one_thread": row.one,
                    "two_threads": row.two,
                })
            })
            .collect();
        json!({ "method": self.method(), "unit": "ns", "rows": rows, "targets": self.targets })
    }

    /// Writes the JSON beside what cargo builds, and says where.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&self) -> io::Result<PathBuf> {
        let path = target_directory(&env::current_exe()?).join("bench-core.json");
        fs::write(&path, format!("{:#}\n", self.json()))?;
        Ok(path)
    }
}

/// The directory that cargo built `program` in, which it marks; else the one it uses by default.
fn target_directory(program: &Path) -> PathBuf {
    let marked = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    marked.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target"), Path::to_owned)
}

const LOCK: &str = include_str!("../../Cargo.lock");

/// The version of a package in a lock file.
fn version<'l>(lock: &'l str, name: &str) -> Option<&'l str> {
    let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{name}\"\n")))?;
    entry.lines().find_map(|line| line.strip_prefix("version = "))?.split('"').nth(1)
}

fn spelled(figures: Option<Figures>) -> [String; 2] {
    let Some(figures) = figures else { return [String::new(), String::new()] };
    let mark = if figures.doubtful() { "*" } else { "" };
    [number(figures.median) + mark, number(figures.minimum)]
}

fn number(nanos: f64) -> String {
    if nanos < 100.0 { format!("{nanos:.1}") } else { format!("{nanos:.0}") }
}

/// `text` in lines of at most so many `columns`.
fn wrapped(text: &str, columns: usize) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > 0 {
            let fits = column + 1 + width <= columns;
            lines.push(if fits { ' ' } else { '\n' });
            column = if fits { column + 1 } else { 0 };
        }
        lines.push_str(word);
        column += width;
    }
    lines.push('\n');
    lines
}

/// Lays rows out in columns: the first `left` to the left, the others to the right.
fn align<const N: usize>(text: &mut String, head: [&str; N], rows: Vec<[String; N]>, left: usize) {
    let all: Vec<[String; N]> = [head.map(str::to_owned)].into_iter().chain(rows).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    for row in &all {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Writing to a string cannot fail.
            let _ = if column < left {
                write!(line, "{cell:<width$}  ")
            } else {
                write!(line, "{cell:>width$}  ")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::subject::{Operation, Subject, Whose, Window};

    fn report() -> Report {
        let figures = |nanos| Some(Figures { median: nanos, minimum: nanos, slices: 7, disturbed: 1 });
        let row = |operation, whose, name: &str, window, nanos| Row {
            subject: Subject::new(operation, whose, name, window, "a policy", || ()),
            one: figures(nanos),
            two: None,
        };
        let rows = vec![
            row(Operation::Floor, Whose::Floor, subjects::ADD, Window::None, 2.0),
            row(Operation::Success, Whose::Own, "own", Window::Calls, 123.4),
        ];
        let slice = Duration::from_millis(2);
        Report::new(Plan { rounds: 7, slice, limit: Duration::MAX }, rows)
    }

    #[test]
    fn the_text_has_the_method_the_rows_and_the_targets() {
        let text = report().text();
        assert!(text.starts_with("7 interleaved rounds"), "{text}");
        assert!(text.contains(" 2 of 14 slices"), "{text}");
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        let has = |words: &[&str]| lines.iter().any(|line| line == words);
        assert!(has(&["floor", "locked", "add", "a", "policy", "2.0", "2.0"]), "{text}");
        assert!(has(&["closed", "success", "own", "a", "policy", "123", "123"]), "{text}");
        let target = "closed success, call window / locked add  ≤ 2.0    61.70   61.70  MISSED";
        assert!(text.lines().any(|line| line == target), "{text}");
    }

    #[test]
    fn the_json_says_the_same() {
        let json = report().json();
        assert_eq!(json["rows"][1]["one_thread"]["median"], 123.4);
        assert_eq!(json["rows"][1]["two_threads"], Value::Null);
        assert_eq!(json["rows"][1]["operation"], "success");
        assert_eq!(json["targets"][0]["met"], false);
        assert_eq!(json["targets"][0]["bound"]["at_most"], 2.0);
    }

    #[test]
    fn every_crate_measured_is_in_the_lock_file() {
        for name in subjects::CRATES {
            assert!(version(LOCK, name).is_some(), "{name}");
        }
        let lock = "[[package]]\nname = \"a-b\"\nversion = \"1.2.3\"\n[[package]]\nname = \"b\"\nversion = \"4.5.6\"\n";
        assert_eq!((version(lock, "b"), version(lock, "c")), (Some("4.5.6"), None));
    }

    #[test]
    fn prose_is_wrapped_between_words() {
        assert_eq!(wrapped("one two three", 7), "one two\nthree\n");
        assert_eq!(wrapped("one two three", 6), "one\ntwo\nthree\n");
        assert_eq!(wrapped("longer than that", 3), "longer\nthan\nthat\n");
    }
}
