//! All subjects, in the order of the table.

mod breakers;
mod budgets;
mod floors;
mod guards;
mod keyed;
mod peers;
mod retries;

pub(crate) use floors::{ADD, COARSE, PRECISE};
pub(crate) use peers::CRATES;

use crate::subject::{Operation, Subject, Whose, Window};

/// The name of this project.
const OWN: &str = "overcurrent";

/// One outcome in so many is a success where failures are recorded, so that no breaker opens.
const ONE_SUCCESS_IN: u64 = 10;

/// Every subject.
pub fn all() -> Vec<Subject> {
    let groups = [
        floors::all(),
        breakers::all(),
        retries::all(),
        budgets::all(),
        guards::all(),
        keyed::all(),
        peers::all(),
    ];
    let mut all: Vec<_> = groups.into_iter().flatten().collect();
    // The sort is stable: the floors first, then by operation, the own ones before the peers.
    all.sort_by_key(|subject| subject.operation as u8);
    all
}

fn own<R>(
    operation: Operation,
    window: Window,
    label: &'static str,
    once: impl Fn() -> R + Send + Sync + 'static,
) -> Subject {
    Subject::new(operation, Whose::Own, OWN, window, label, once)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread};

    use super::*;

    #[test]
    fn every_subject_does_what_it_says_also_on_two_threads() {
        for subject in all() {
            subject.run(120);
            if subject.pair {
                thread::scope(|scope| {
                    let two = [scope.spawn(|| subject.run(120)), scope.spawn(|| subject.run(120))];
                    for thread in two {
                        assert!(thread.join().is_ok(), "{subject:?}");
                    }
                });
            }
        }
    }

    #[test]
    fn no_two_subjects_have_one_title() {
        let mut seen = HashSet::new();
        for subject in all() {
            assert!(seen.insert(subject.title()), "{subject:?} is there twice");
        }
    }
}
