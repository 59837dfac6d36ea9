//! A retry budget.

use std::sync::{Arc, OnceLock};

use overcurrent::{Budget as Core, BudgetPolicy, Dialect, Value};
use pyo3::{PyTraverseError, PyVisit, prelude::*};

use crate::{
    clock::{ManualClock, Time},
    error::invalid,
    value::raw,
};

/// A retry budget, to be shared by all that may add retries to one dependency.
///
/// Without a clock it comes to life with its first use. Until then a guard or retry that is given it
/// lends it its own.
#[pyclass(frozen, weakref, module = "overcurrent")]
pub(crate) struct Budget {
    policy: BudgetPolicy,
    live: OnceLock<Live>,
}

struct Live {
    core: Arc<Core>,
    time: Time,
}

#[pymethods]
impl Budget {
    #[new]
    #[pyo3(signature = (*, ratio=None, min_per_second=None, burst=None, clock=None))]
    fn new(
        ratio: Option<&Bound<'_, PyAny>>,
        min_per_second: Option<&Bound<'_, PyAny>>,
        burst: Option<&Bound<'_, PyAny>>,
        clock: Option<Py<ManualClock>>,
    ) -> PyResult<Self> {
        let mut fields = Vec::new();
        for (name, value) in [("ratio", ratio), ("min_per_second", min_per_second), ("burst", burst)] {
            if let Some(value) = value {
                fields.push((name.to_owned(), raw(value)?));
            }
        }
        let policy = BudgetPolicy::from_value(&Value::Table(fields), "", Dialect::Python);
        let policy = policy.map_err(|error| invalid(&error))?;
        let budget = Self { policy, live: OnceLock::new() };
        if clock.is_some() {
            budget.enliven(&Time::new(clock));
        }
        Ok(budget)
    }

    /// Deposits for one call.
    fn deposit(&self) {
        self.core().deposit();
    }

    /// Takes a token for one retry, if there is one.
    fn withdraw(&self) -> bool {
        self.core().withdraw()
    }

    /// The micro-tokens held; a token is 1,000,000.
    #[getter]
    fn tokens_micro(&self) -> u64 {
        self.core().tokens_micro()
    }

    fn __repr__(&self) -> String {
        format!("<Budget of {} micro-tokens>", self.tokens_micro())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.time().map_or(Ok(()), |time| time.traverse(&visit))
    }
}

impl Budget {
    /// The budget that a guard or retry made for itself.
    pub(crate) fn of(core: &Arc<Core>, time: &Time, py: Python<'_>) -> Self {
        let live = Live { core: Arc::clone(core), time: time.clone_ref(py) };
        Self { policy: *core.policy(), live: OnceLock::from(live) }
    }

    fn core(&self) -> &Arc<Core> {
        match self.live.get() {
            Some(live) => &live.core,
            None => self.enliven(&Time::new(None)),
        }
    }

    fn enliven(&self, time: &Time) -> &Arc<Core> {
        let live = self.live.get_or_init(|| {
            let core = Arc::new(Core::with_clock(self.policy, time.clock()));
            Live { core, time: Python::attach(|py| time.clone_ref(py)) }
        });
        &live.core
    }

    /// The budget as a part of a guard or retry, which lends it its clock if it is not alive yet.
    pub(crate) fn adopted(&self, time: &Time) -> Arc<Core> {
        Arc::clone(self.enliven(time))
    }

    /// Its clock, if that is settled.
    pub(crate) fn time(&self) -> Option<&Time> {
        self.live.get().map(|live| &live.time)
    }
}
