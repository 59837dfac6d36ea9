//! This project's guard around a blocking function that succeeds.

use std::{hint::black_box, time::Duration};

use overcurrent::{BreakerPolicy, Guard, GuardBuilder};

use super::own;
use crate::subject::{Operation, Subject, Window};

pub(super) fn all() -> Vec<Subject> {
    let untimed = || Guard::builder("bench").no_deadline().no_attempt_timeout();
    // Without timeouts, how long a probe may take must be said.
    let patience = Duration::from_secs(30);
    let consecutive = BreakerPolicy::consecutive_failures(5).probe_timeout(patience);
    let timed = BreakerPolicy::draft().probe_timeout(patience);
    vec![
        guard(Window::Time, "every default", Guard::builder("bench")),
        guard(Window::Time, "no timeouts, else the defaults", untimed().breaker(timed)),
        guard(Window::Consecutive, "no timeouts, 5 in a row", untimed().breaker(consecutive)),
    ]
}

fn guard(window: Window, label: &'static str, builder: GuardBuilder) -> Subject {
    let guard = builder.build().expect("a valid policy");
    own(Operation::Guard, window, label, move || {
        black_box(&guard).call(|_| black_box(Ok::<u32, ()>(1))).expect("it is healthy")
    })
}
