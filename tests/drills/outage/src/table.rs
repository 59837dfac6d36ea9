//! The table of a finished run, for the terminal.

use std::fmt::Write;

use crate::{
    run::Run,
    summary::{Row, rows},
};

/// The heads of the columns; the report uses the same.
pub const HEADS: [&str; 10] = [
    "client",
    "calls",
    "answers",
    "errors",
    "rejected",
    "attempts per call",
    "requests in outage",
    "most open at once",
    "wait in vain",
    "first answer after",
];

/// What the less obvious columns mean.
const NOTES: &str = "\
requests in outage: those that reached the upstream while it failed
wait in vain: the mean time until a caller without an answer knows that there is none
first answer after: from the end of the outage
";

/// The cells of a row, in the order of [`HEADS`].
pub fn cells(row: &Row) -> [String; 10] {
    let who = row.language.map_or("all", |language| language.title());
    let time = |time: Option<f64>| time.map_or_else(|| "–".to_owned(), duration);
    [
        format!("{who} {}", row.mode.word()),
        row.fates.calls.to_string(),
        row.fates.answers.to_string(),
        row.fates.errors.to_string(),
        row.fates.rejections.to_string(),
        format!("{:.2}", row.fates.attempts_per_call()),
        row.load.to_string(),
        row.most_open.to_string(),
        time(row.fates.wait_in_vain()),
        time(row.first_answer),
    ]
}

/// Milliseconds in the unit that reads best.
pub fn duration(milliseconds: f64) -> String {
    if milliseconds >= 1000.0 {
        let seconds = format!("{:.2}", milliseconds / 1000.0);
        format!("{} s", seconds.strip_suffix(".00").unwrap_or(&seconds))
    } else if milliseconds >= 10.0 {
        format!("{milliseconds:.0} ms")
    } else {
        format!("{milliseconds:.1} ms")
    }
}

/// The whole table as text.
pub fn text(run: &Run) -> String {
    let body: Vec<_> = rows(run).iter().map(|row| (row.language.is_none(), cells(row))).collect();
    // A head may take two lines; the widths are those of its longer one.
    let heads = HEADS.map(|head| head.split_at(split(head)));
    let widths: Vec<usize> = (0..HEADS.len())
        .map(|column| {
            let (above, below) = heads[column];
            let cells = body.iter().map(|(_, cells)| cells[column].chars().count());
            cells.chain([above.chars().count(), below.trim().chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let mut out = String::new();
    line(&mut out, &widths, heads.map(|(above, _)| above.trim()));
    line(&mut out, &widths, heads.map(|(_, below)| below.trim()));
    rule(&mut out, &widths);
    for (together, cells) in &body {
        line(&mut out, &widths, std::array::from_fn(|column| cells[column].as_str()));
        if *together {
            rule(&mut out, &widths);
        }
    }
    out.push_str(NOTES);
    out
}

/// Where a head of several words is broken: at the space nearest to its middle.
fn split(head: &str) -> usize {
    let middle = head.len() / 2;
    head.match_indices(' ').map(|(at, _)| at).min_by_key(|at| at.abs_diff(middle)).unwrap_or(0)
}

fn line(out: &mut String, widths: &[usize], cells: [&str; HEADS.len()]) {
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        // Writing to a string does not fail.
        let _ = if column == 0 { write!(out, "{cell:width$}") } else { write!(out, "  {cell:>width$}") };
    }
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
}

fn rule(out: &mut String, widths: &[usize]) {
    let whole = widths.iter().sum::<usize>() + 2 * (widths.len() - 1);
    out.push_str(&"─".repeat(whole));
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(duration(3.123), "3.1 ms");
        assert_eq!(duration(312.4), "312 ms");
        assert_eq!(duration(2349.0), "2.35 s");
        assert_eq!(duration(1000.0), "1 s");
    }

    #[test]
    fn heads_break_at_a_space() {
        assert_eq!("requests in outage".split_at(split("requests in outage")).0, "requests");
        assert_eq!(split("calls"), 0);
    }
}
