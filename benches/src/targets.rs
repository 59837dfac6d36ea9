//! What the core is meant to cost, as ratios of figures of one run.
//!
//! | target | bound |
//! | --- | --- |
//! | closed success, call window or consecutive | ≤ 2 × a locked add |
//! | closed success, time window | ≤ 2 × (a locked add + a coarse clock) |
//! | two threads on one breaker, per operation | ≤ 1.3 × one thread |
//! | open rejection | ≤ a precise clock + 5 ns |
//! | one thread | faster than every peer with the same kind of window |
//! | two threads on one breaker | 10 × faster than the fastest such peer |
//!
//! What else has a peer is set beside the fastest one without a bound.
//!
//! A target is met where the ratio of the medians meets it; that of the minima stands beside. A target
//! whose figures were not measured is left out.

use serde::Serialize;

use crate::{
    figures::Figures,
    rounds::Row,
    subject::{Operation, Whose, Window},
    subjects,
};

/// What a rejection may cost beyond the clock, in nanoseconds.
const REJECTION_BEYOND_CLOCK: f64 = 5.0;

const WINDOWS: [Window; 4] = [Window::Consecutive, Window::Calls, Window::Time, Window::SlowTime];

/// What a ratio must be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// This or less.
    AtMost(f64),
    /// Less than this.
    Below(f64),
    /// This or more.
    AtLeast(f64),
    /// Anything: it is no target.
    Free,
}

impl Bound {
    /// Whether `ratio` is within it; `None` where there is none.
    fn holds(self, ratio: f64) -> Option<bool> {
        match self {
            Self::AtMost(bound) => Some(ratio <= bound),
            Self::Below(bound) => Some(ratio < bound),
            Self::AtLeast(bound) => Some(ratio >= bound),
            Self::Free => None,
        }
    }

    /// In a table.
    pub fn spelled(self) -> String {
        match self {
            Self::AtMost(bound) => format!("≤ {bound:.1}"),
            Self::Below(bound) => format!("< {bound:.1}"),
            Self::AtLeast(bound) => format!("≥ {bound:.1}"),
            Self::Free => String::new(),
        }
    }
}

/// A target and what the run made of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    /// What by what.
    pub ratio: String,
    /// What it must be.
    pub bound: Bound,
    /// The ratio of the medians.
    pub median: f64,
    /// The ratio of the minima.
    pub minimum: f64,
    /// Whether the medians meet it; `None` where it is no target.
    pub met: Option<bool>,
}

/// The targets that the rows of a run can answer.
pub fn targets(rows: &[Row]) -> Vec<Target> {
    let sheet = Sheet { rows };
    let mut targets = Vec::new();
    let mut claim = |ratio: String, bound: Bound, top: Option<Figures>, bottom: Option<Figures>| {
        if let (Some(top), Some(bottom)) = (top, bottom) {
            let (median, minimum) = (top.median / bottom.median, top.minimum / bottom.minimum);
            targets.push(Target { ratio, bound, median, minimum, met: bound.holds(median) });
        }
    };

    let success = |window: Window| format!("{}, {}", Operation::Success.as_str(), window.as_str());
    let add = sheet.floor(subjects::ADD);
    let coarse_add = add.zip(sheet.floor(subjects::COARSE)).map(|(add, coarse)| sum(add, coarse));
    for window in [Window::Consecutive, Window::Calls] {
        let own = sheet.own(Operation::Success, window).and_then(|row| row.one);
        claim(format!("{} / locked add", success(window)), Bound::AtMost(2.0), own, add);
    }
    let timed = sheet.own(Operation::Success, Window::Time).and_then(|row| row.one);
    let name = format!("{} / (locked add + coarse clock)", success(Window::Time));
    claim(name, Bound::AtMost(2.0), timed, coarse_add);

    for row in rows.iter().filter(|row| row.subject.whose == Whose::Own) {
        if let Operation::Success | Operation::Rejection = row.subject.operation {
            let name = format!(
                "{}, {}: 2 threads / 1 thread",
                row.subject.operation.as_str(),
                row.subject.window.as_str()
            );
            claim(name, Bound::AtMost(1.3), row.two, row.one);
        }
    }

    let rejection = sheet.own(Operation::Rejection, Window::Time).and_then(|row| row.one);
    let clock = sheet.floor(subjects::PRECISE).map(|clock| plus(clock, REJECTION_BEYOND_CLOCK));
    let name = format!("open rejection / (precise clock + {REJECTION_BEYOND_CLOCK} ns)");
    claim(name, Bound::AtMost(1.0), rejection, clock);

    for window in WINDOWS {
        let own = sheet.own(Operation::Success, window);
        if let Some((name, peer)) = sheet.fastest(Operation::Success, Some(window), |row| row.one) {
            let name = format!("{}, 1 thread: own / {name}", success(window));
            claim(name, Bound::Below(1.0), own.and_then(|row| row.one), Some(peer));
        }
        if let Some((name, peer)) = sheet.fastest(Operation::Success, Some(window), |row| row.two) {
            let name = format!("{}, 2 threads: {name} / own", success(window));
            claim(name, Bound::AtLeast(10.0), Some(peer), own.and_then(|row| row.two));
        }
    }

    for row in rows.iter().filter(|row| row.subject.whose == Whose::Own) {
        let it = &row.subject;
        let window = match it.operation {
            Operation::Failure | Operation::Retry => Some(it.window),
            // Once it is open, it does not matter why.
            Operation::Rejection => None,
            _ => continue,
        };
        if let Some((name, peer)) = sheet.fastest(it.operation, window, |row| row.one) {
            let name = format!("{}, {}, 1 thread: own / {name}", it.operation.as_str(), it.label);
            claim(name, Bound::Free, row.one, Some(peer));
        }
    }
    targets
}

fn sum(one: Figures, two: Figures) -> Figures {
    Figures { median: one.median + two.median, minimum: one.minimum + two.minimum, ..one }
}

fn plus(one: Figures, nanos: f64) -> Figures {
    Figures { median: one.median + nanos, minimum: one.minimum + nanos, ..one }
}

/// The rows of a run, to look up in.
#[derive(Clone, Copy)]
struct Sheet<'r> {
    rows: &'r [Row],
}

impl<'r> Sheet<'r> {
    fn floor(self, name: &str) -> Option<Figures> {
        let found = |row: &&Row| row.subject.whose == Whose::Floor && row.subject.name == name;
        self.rows.iter().find(found)?.one
    }

    fn own(self, operation: Operation, window: Window) -> Option<&'r Row> {
        self.of(Whose::Own, operation, Some(window)).next()
    }

    fn fastest(
        self,
        operation: Operation,
        window: Option<Window>,
        threads: fn(&Row) -> Option<Figures>,
    ) -> Option<(&'r str, Figures)> {
        self.of(Whose::Peer, operation, window)
            .filter_map(|row| Some((row.subject.name.as_str(), threads(row)?)))
            .min_by(|(_, one), (_, two)| one.median.total_cmp(&two.median))
    }

    fn of(self, whose: Whose, operation: Operation, window: Option<Window>) -> impl Iterator<Item = &'r Row> {
        self.rows.iter().filter(move |row| {
            let it = &row.subject;
            it.whose == whose && it.operation == operation && window.is_none_or(|window| it.window == window)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Subject;

    fn figures(nanos: f64) -> Figures {
        Figures { median: nanos, minimum: nanos / 2.0, slices: 9, disturbed: 0 }
    }

    fn row(operation: Operation, whose: Whose, name: &str, window: Window, one: f64, two: f64) -> Row {
        let subject = Subject::new(operation, whose, name, window, "a policy", || ());
        Row { subject, one: Some(figures(one)), two: Some(figures(two)) }
    }

    fn found<'t>(targets: &'t [Target], ratio: &str) -> &'t Target {
        targets.iter().find(|target| target.ratio == ratio).unwrap_or_else(|| panic!("{ratio}: {targets:?}"))
    }

    #[test]
    fn targets_are_ratios_of_what_was_measured() {
        let (success, none) = (Operation::Success, Window::None);
        let rows = [
            row(Operation::Floor, Whose::Floor, subjects::ADD, none, 4.0, 80.0),
            row(Operation::Floor, Whose::Floor, subjects::PRECISE, none, 20.0, 20.0),
            row(Operation::Floor, Whose::Floor, subjects::COARSE, none, 6.0, 6.0),
            row(success, Whose::Own, "own", Window::Calls, 9.0, 10.0),
            row(success, Whose::Own, "own", Window::Time, 16.0, 40.0),
            row(Operation::Rejection, Whose::Own, "own", Window::Time, 25.0, 25.0),
            row(Operation::Rejection, Whose::Peer, "quick", Window::Calls, 50.0, 50.0),
            row(success, Whose::Peer, "slow", Window::Calls, 50.0, 600.0),
            row(success, Whose::Peer, "fast", Window::Calls, 18.0, 90.0),
        ];
        let targets = targets(&rows);
        let ratio = |name: &str| {
            let target = found(&targets, name);
            (target.median, target.met)
        };
        assert_eq!(ratio("closed success, call window / locked add"), (2.25, Some(false)));
        assert_eq!(ratio("closed success, time window / (locked add + coarse clock)"), (1.6, Some(true)));
        assert_eq!(ratio("open rejection / (precise clock + 5 ns)"), (1.0, Some(true)));
        assert_eq!(ratio("closed success, time window: 2 threads / 1 thread"), (2.5, Some(false)));
        assert_eq!(ratio("closed success, call window, 1 thread: own / fast"), (0.5, Some(true)));
        assert_eq!(ratio("closed success, call window, 2 threads: fast / own"), (9.0, Some(false)));
        let rejections = "open rejection, a policy, 1 thread: own / quick";
        assert_eq!(ratio(rejections), (0.5, None));
        // Nothing is said of what was not measured.
        assert!(targets.iter().all(|target| !target.ratio.contains("consecutive")), "{targets:?}");
    }

    #[test]
    fn a_bound_is_met_on_its_own_side() {
        let at =
            |ratio| [Bound::AtMost(2.0), Bound::Below(2.0), Bound::AtLeast(2.0)].map(|it| it.holds(ratio));
        assert_eq!(at(1.9), [Some(true), Some(true), Some(false)]);
        assert_eq!(at(2.0), [Some(true), Some(false), Some(true)]);
        assert_eq!(at(2.1), [Some(false), Some(false), Some(true)]);
        assert_eq!(Bound::Free.holds(2.0), None);
    }
}
