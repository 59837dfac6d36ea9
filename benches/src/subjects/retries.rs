//! This project's retry where nothing fails.

use std::{hint::black_box, time::Duration};

use overcurrent::{BudgetPolicy, Guard, Retry, RetryPolicy};

use super::own;
use crate::subject::{Operation, Subject, Window};

pub(super) fn all() -> Vec<Subject> {
    let plain = Retry::new(RetryPolicy::default());
    let budgeted = RetryPolicy::draft().budget(BudgetPolicy::draft()).build().expect("a valid policy");
    let budgeted = Retry::new(budgeted);
    let deadlined = Retry::new(RetryPolicy::default());
    let guard = Guard::builder("bench").no_breaker().no_deadline().no_attempt_timeout();
    let guard = guard.retry(RetryPolicy::draft().no_budget()).build().expect("a valid policy");
    vec![
        retry("3 attempts", plain, None),
        retry("3 attempts, a budget", budgeted, None),
        retry("3 attempts, a deadline", deadlined, Some(Duration::from_secs(30))),
        own(Operation::Retry, Window::None, "3 attempts, by a guard with nothing else", move || {
            black_box(&guard).call(|_| black_box(Ok::<u32, ()>(1)))
        }),
    ]
}

fn retry(label: &'static str, retry: Retry, deadline: Option<Duration>) -> Subject {
    own(Operation::Retry, Window::None, label, move || {
        // The first attempt succeeds: there is nothing to tell the retry.
        black_box(black_box(&retry).start(deadline));
        black_box(Ok::<u32, ()>(1))
    })
}
