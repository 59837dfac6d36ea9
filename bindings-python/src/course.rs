//! How the calls of an adapted guard go: each with its machine, and without retries where it must not be
//! repeated.

use std::sync::Arc;

use overcurrent::{BreakerOpen, First, Guard};

use crate::machine::{Machine, Short, Subject};

/// A guard, and how its calls go.
pub(crate) struct Course {
    guard: Arc<Guard>,
    repeatable: bool,
}

impl Course {
    pub(crate) const fn new(guard: Arc<Guard>, repeatable: bool) -> Self {
        Self { guard, repeatable }
    }
}

impl Subject for Course {
    /// None: the protocol's rules are asked about each result, so each call needs its machine.
    fn first(&self) -> Option<First> {
        None
    }

    fn succeeded(&self, first: First) -> bool {
        self.guard.succeeded(first)
    }

    fn is_quiet(&self, first: First) -> bool {
        self.guard.is_quiet(first)
    }

    fn short(&self, _: First) -> Option<Short> {
        None
    }

    fn refused(&self) -> Option<BreakerOpen> {
        self.guard.refused()
    }

    fn is_bounded(&self) -> bool {
        self.guard.is_bounded()
    }

    fn adopt(&self, first: First) -> Machine {
        Subject::adopt(&self.guard, first)
    }

    fn start(&self) -> Machine {
        let machine = self.guard.start();
        if self.repeatable { machine } else { machine.once() }
    }
}
