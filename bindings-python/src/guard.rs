//! The guard: a policy, a breaker and a retry around a call.

use std::sync::Arc;

use overcurrent::{
    Dialect, Filter, Guard as Core, GuardPolicy, InvalidPolicy, Metrics as Counted, PolicyDocument, Registry,
    Surrounds, Value, register,
};
use pyo3::{PyTraverseError, PyVisit, prelude::*, types::PyMapping};

use crate::{
    breaker::{Breaker, Part},
    budget::Budget,
    caller::{Caller, Through},
    clock::{ManualClock, Time},
    error::invalid,
    events::{Subscription, subscribed},
    fork,
    hooks::{Hooks, Raw, Settings},
    metrics::Metrics,
    retry::{Retry, retry_fields},
    value::{entries, flag, raw, seed, text},
};

/// A validated policy from a document.
#[pyclass(frozen, module = "overcurrent._core")]
pub(crate) struct Policy {
    core: GuardPolicy,
}

#[pymethods]
impl Policy {
    /// The policy `name` in a document, whose file name says what it is written in.
    #[new]
    fn new(file_name: &str, text: &str, name: &str) -> PyResult<Self> {
        let read = PolicyDocument::parse(file_name, text).and_then(|document| document.guard(name));
        read.map(|core| Self { core }).map_err(|error| invalid(&error))
    }
}

/// The state of a guard; `overcurrent.Guard` is built on it.
#[pyclass(frozen, subclass, extends = Caller, module = "overcurrent._core")]
pub(crate) struct Guard {
    pub(crate) core: Arc<Core>,
    /// The breaker and the budget it was given.
    breaker: Option<Py<Breaker>>,
    budget: Option<Py<Budget>>,
    /// The registry that it is from, which lives on as long, as it is listed for a fork.
    _registry: Option<Arc<Registry<Core>>>,
}

/// A guard that a registry keeps, on its way to become an `overcurrent.Guard`.
#[pyclass(frozen, module = "overcurrent._core")]
pub(crate) struct Kept {
    core: Arc<Core>,
    registry: Arc<Registry<Core>>,
    settings: Py<Settings>,
    /// The budget that the registry was given.
    budget: Option<Py<Budget>>,
}

impl Kept {
    pub(crate) const fn new(
        core: Arc<Core>,
        registry: Arc<Registry<Core>>,
        settings: Py<Settings>,
        budget: Option<Py<Budget>>,
    ) -> Self {
        Self { core, registry, settings, budget }
    }

    fn guard(&self, py: Python<'_>) -> PyClassInitializer<Guard> {
        let budget = self.budget.as_ref().map(|budget| budget.clone_ref(py));
        let registry = Some(Arc::clone(&self.registry));
        let guard = Guard { core: Arc::clone(&self.core), breaker: None, budget, _registry: registry };
        Caller::new(Through::Guard(Arc::clone(&self.core)), self.settings.clone_ref(py)).of(guard)
    }
}

/// The live objects among the arguments.
#[derive(Default)]
pub(crate) struct Brought {
    pub(crate) breaker: Option<Py<Breaker>>,
    pub(crate) budget: Option<Py<Budget>>,
    retry: Option<Py<Retry>>,
}

#[pymethods]
impl Guard {
    #[new]
    fn new(
        py: Python<'_>,
        source: &Bound<'_, PyAny>,
        policy: &Bound<'_, PyAny>,
        hooks: Raw<'_>,
        clock: Option<Py<ManualClock>>,
        seed: Option<&Bound<'_, PyAny>>,
        durations: &Bound<'_, PyAny>,
    ) -> PyResult<PyClassInitializer<Self>> {
        if let Ok(kept) = source.cast::<Kept>() {
            return Ok(kept.get().guard(py));
        }
        let name = text(source, "name")?.into_owned();
        let (policy, brought) = read(policy)?;
        let hooks = brought.hooks(py, &Hooks::new(hooks)?);
        let time = brought.time(py, clock)?;
        let seed = seed.map(self::seed).transpose()?;
        let surrounds = Surrounds {
            clock: Some(time.clock()),
            seed,
            breaker: brought.breaker.as_ref().map(|breaker| breaker.get().adopted(&name, &time, seed)),
            budget: brought.budget.as_ref().map(|budget| budget.get().adopted(&time)),
            durations: flag(durations, "durations")?,
        };
        let core = Core::with(name, policy, surrounds, Dialect::Python).map_err(|error| invalid(&error))?;
        let (core, settings) = (Arc::new(core), Py::new(py, Settings::new(hooks, time))?);
        if let Some(own) = core.breaker().filter(|_| brought.breaker.is_none()) {
            fork::remember(own);
        }
        fork::remember(&core);
        register(&core);
        let Brought { breaker, budget, .. } = brought;
        let caller = Caller::new(Through::Guard(Arc::clone(&core)), settings);
        Ok(caller.of(Self { core, breaker, budget, _registry: None }))
    }

    /// Its name.
    #[getter]
    fn name(&self) -> &str {
        self.core.name()
    }

    fn __repr__(&self) -> String {
        format!("<Guard `{}`>", self.core.name())
    }

    /// The breaker it was given.
    #[getter]
    fn given_breaker(&self, py: Python<'_>) -> Option<Py<Breaker>> {
        self.breaker.as_ref().map(|breaker| breaker.clone_ref(py))
    }

    /// The breaker it made for itself; `None` where it was given one or has none.
    #[getter]
    fn own_breaker(this: &Bound<'_, Self>) -> Option<Part> {
        let guard = this.get();
        let core = guard.core.breaker().filter(|_| guard.breaker.is_none())?;
        Some(Part::of(core, &this.as_super().get().settings, this.py()))
    }

    /// Its retry budget; `None` where retries are not limited so.
    #[getter]
    fn budget(this: &Bound<'_, Self>) -> PyResult<Option<Py<Budget>>> {
        let (py, guard) = (this.py(), this.get());
        match (&guard.budget, guard.core.budget()) {
            (_, None) => Ok(None),
            (Some(budget), _) => Ok(Some(budget.clone_ref(py))),
            (None, Some(core)) => {
                let time = &this.as_super().get().settings.get().time;
                Py::new(py, Budget::of(core, time, py)).map(Some)
            }
        }
    }

    /// Has `callback` called with each event of the guard and of its breaker.
    fn subscribe(&self, callback: &Bound<'_, PyAny>) -> PyResult<Subscription> {
        subscribed(self.events(), callback)
    }

    /// What it and its breaker have counted.
    fn metrics(&self) -> Metrics {
        Counted::of(&*self.core).into()
    }

    /// What its calls have come to, and where its breaker stands, in words.
    fn explain(&self) -> String {
        self.core.explain()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.breaker)?;
        visit.call(&self.budget)
    }
}

impl Guard {
    /// Its events and those of its breaker.
    pub(crate) fn events(&self) -> Filter {
        Filter::from(&*self.core)
    }
}

impl Brought {
    /// The guard's own hooks; where it has none, those of its retry, else those of its breaker.
    pub(crate) fn hooks(&self, py: Python<'_>, own: &Hooks) -> Hooks {
        let retry = self.retry.as_ref().map(|retry| retry.bind(py).as_super());
        let breaker = self.breaker.as_ref().map(|breaker| breaker.bind(py).as_super());
        let given = [retry, breaker].into_iter().flatten().map(|caller| &caller.get().settings.get().hooks);
        let first = std::iter::once(own).chain(given).find(|hooks| !hooks.are_default());
        first.unwrap_or(own).clone_ref(py)
    }

    /// The guard's own clock, else that of what it was given; all must agree.
    pub(crate) fn time(&self, py: Python<'_>, own: Option<Py<ManualClock>>) -> PyResult<Time> {
        let own = own.map(|clock| Time::new(Some(clock)));
        let breaker = self.breaker.as_ref().and_then(|breaker| breaker.get().time());
        let budget = self.budget.as_ref().and_then(|budget| budget.get().time());
        let time = own.as_ref().or(breaker).or(budget).map_or(Time::new(None), |time| time.clone_ref(py));
        for (path, theirs) in [("breaker", breaker), ("retry.budget", budget)] {
            if theirs.is_some_and(|theirs| !theirs.agrees(&time)) {
                return Err(invalid(&InvalidPolicy {
                    path: path.into(),
                    value: "clock".into(),
                    rule: "must be the clock of the guard".into(),
                }));
            }
        }
        Ok(time)
    }
}

/// A policy from a document or written in Python, and the live objects in it.
pub(crate) fn read(policy: &Bound<'_, PyAny>) -> PyResult<(GuardPolicy, Brought)> {
    match policy.cast::<Policy>() {
        Ok(policy) => Ok((policy.get().core.clone(), Brought::default())),
        Err(_) => written(policy.cast()?),
    }
}

/// A policy written in Python, and the live objects in it.
fn written(fields: &Bound<'_, PyMapping>) -> PyResult<(GuardPolicy, Brought)> {
    let mut brought = Brought::default();
    let fields = entries(fields, |name, value| {
        if name == "breaker"
            && let Ok(breaker) = value.cast::<Breaker>()
        {
            brought.breaker = Some(breaker.clone().unbind());
            // Its own policy takes the place of this one's.
            return Ok(Value::Bool(false));
        }
        if name == "retry"
            && let Ok(retry) = value.cast::<Retry>()
        {
            brought.budget = retry.get().given_budget(value.py());
            brought.retry = Some(retry.clone().unbind());
            return Ok(retry.get().fields.clone());
        }
        if name == "retry"
            && let Ok(retry) = value.cast::<PyMapping>()
        {
            let (fields, budget) = retry_fields(retry)?;
            brought.budget = budget;
            return Ok(fields);
        }
        raw(value)
    })?;
    let policy = GuardPolicy::from_value(&Value::Table(fields), "", Dialect::Python);
    Ok((policy.map_err(|error| invalid(&error))?, brought))
}
