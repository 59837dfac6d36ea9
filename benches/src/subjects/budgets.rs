//! This project's retry budget.

use std::hint::black_box;

use overcurrent::{Budget, BudgetPolicy};

use super::own;
use crate::subject::{Operation, Subject, Window};

pub(super) fn all() -> Vec<Subject> {
    let full = Budget::new(BudgetPolicy::default());
    let empty = Budget::new(policy(0.0));
    while empty.withdraw() {}
    let generous = Budget::new(policy(1.0));
    vec![
        budget("deposit when full", move || black_box(&full).deposit()),
        budget("withdraw, denied", move || assert!(!black_box(&empty).withdraw(), "it never refills")),
        budget("deposit of a token and withdraw, granted", move || {
            black_box(&generous).deposit();
            assert!(black_box(&generous).withdraw(), "what was deposited can be withdrawn");
        }),
    ]
}

/// Each call deposits so much of a token; time gives none.
fn policy(ratio: f64) -> BudgetPolicy {
    let draft = BudgetPolicy::draft().ratio(ratio).min_per_second(0.0).burst(1000);
    draft.build().expect("a valid policy")
}

fn budget(label: &'static str, once: impl Fn() + Send + Sync + 'static) -> Subject {
    own(Operation::Budget, Window::None, label, once)
}
