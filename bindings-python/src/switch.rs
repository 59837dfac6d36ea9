//! Two switches for tests, of the whole process: `instant` and `disabled`.
//!
//! | switch | while it is on | asked |
//! | --- | --- | --- |
//! | instant | a wait is not slept; it counts as time that has passed, for its call alone | before each wait |
//! | disabled | a call goes straight through: no machine of the core is asked, and no hook | when it begins |
//!
//! Each counts how often it was turned on, so that what turns it on may be nested and may overlap
//! among threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;

static INSTANT: Switch = Switch::new();
static DISABLED: Switch = Switch::new();

struct Switch {
    turned_on: AtomicUsize,
}

impl Switch {
    const fn new() -> Self {
        Self { turned_on: AtomicUsize::new(0) }
    }

    // ORDERING: relaxed, as nothing else is published by it: the thread that turned it on sees that,
    // and another one a moment later.
    #[inline]
    fn is_on(&self) -> bool {
        self.turned_on.load(Ordering::Relaxed) != 0
    }

    // ORDERING: as in `is_on`.
    fn turn(&self, on: bool) {
        let step = |times: usize| if on { times.checked_add(1) } else { times.checked_sub(1) };
        // Turned off more often than on, it stays off.
        let _ = self.turned_on.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
    }
}

/// Whether calls do not sleep.
pub(crate) fn is_instant() -> bool {
    INSTANT.is_on()
}

/// Whether calls that begin go straight through.
#[inline]
pub(crate) fn is_disabled() -> bool {
    DISABLED.is_on()
}

/// Turns `instant` on, or off once.
#[pyfunction]
pub(crate) fn turn_instant(on: bool) {
    INSTANT.turn(on);
}

/// Turns `disabled` on, or off once.
#[pyfunction]
pub(crate) fn turn_disabled(on: bool) {
    DISABLED.turn(on);
}
