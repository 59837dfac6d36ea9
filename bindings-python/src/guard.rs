//! The guard: a policy, a breaker and a retry around a call.

use std::sync::Arc;

use overcurrent::{
    AttemptTimeout, BreakerOpen, DeadlineExceeded, Dialect, Filter, Guard as Core, GuardPolicy, Instant,
    InvalidPolicy, PolicyDocument, Span, Surrounds, Value, Verdict,
    kernel::call::{Call as Running, Rejection, Settled, Step},
};
use pyo3::{
    PyTraverseError, PyVisit,
    prelude::*,
    types::{PyBool, PyMapping},
};

use crate::{
    breaker::Breaker,
    budget::Budget,
    call::{Call, Machine},
    clock::{ManualClock, Time},
    error::invalid,
    events::{Subscription, subscribed},
    hooks::{Hooks, Raw, Settings},
    retry::Retry,
    switch,
    value::{entries, raw},
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
#[pyclass(frozen, subclass, module = "overcurrent._core")]
pub(crate) struct Guard {
    pub(crate) core: Arc<Core>,
    pub(crate) settings: Py<Settings>,
    /// The breaker and the budget it was given.
    breaker: Option<Py<Breaker>>,
    budget: Option<Py<Budget>>,
}

/// A guard that a registry keeps, on its way to become an `overcurrent.Guard`.
#[pyclass(frozen, module = "overcurrent._core")]
pub(crate) struct Kept {
    core: Arc<Core>,
    settings: Py<Settings>,
    /// The budget that the registry was given.
    budget: Option<Py<Budget>>,
}

impl Kept {
    pub(crate) const fn new(core: Arc<Core>, settings: Py<Settings>, budget: Option<Py<Budget>>) -> Self {
        Self { core, settings, budget }
    }

    fn guard(&self, py: Python<'_>) -> Guard {
        let budget = self.budget.as_ref().map(|budget| budget.clone_ref(py));
        Guard { core: Arc::clone(&self.core), settings: self.settings.clone_ref(py), breaker: None, budget }
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
    ) -> PyResult<Self> {
        if let Ok(kept) = source.cast::<Kept>() {
            return Ok(kept.get().guard(py));
        }
        let name: String = source.extract()?;
        let (policy, brought) = read(policy)?;
        let hooks = brought.hooks(py, &Hooks::new(hooks)?);
        let time = brought.time(py, clock)?;
        let seed = seed.map(self::seed).transpose()?;
        let surrounds = Surrounds {
            clock: Some(time.clock()),
            seed,
            breaker: brought.breaker.as_ref().map(|breaker| breaker.get().adopted(&name, &time, seed)),
            budget: brought.budget.as_ref().map(|budget| budget.get().adopted(&time)),
        };
        let core = Core::with(name, policy, surrounds, Dialect::Python).map_err(|error| invalid(&error))?;
        let settings = Py::new(py, Settings { hooks, time })?;
        Ok(Self { core: Arc::new(core), settings, breaker: brought.breaker, budget: brought.budget })
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

    /// Whether it has a breaker.
    #[getter]
    fn has_breaker(&self) -> bool {
        self.core.breaker().is_some()
    }

    /// Its retry budget; `None` where retries are not limited so.
    #[getter]
    fn budget(&self, py: Python<'_>) -> PyResult<Option<Py<Budget>>> {
        match (&self.budget, self.core.budget()) {
            (_, None) => Ok(None),
            (Some(budget), _) => Ok(Some(budget.clone_ref(py))),
            (None, Some(core)) => Py::new(py, Budget::of(core, &self.settings.get().time, py)).map(Some),
        }
    }

    /// Begins a call that waits in the calling thread; its first attempt may be made.
    fn begin(slf: &Bound<'_, Self>) -> PyResult<Call> {
        let py = slf.py();
        let settings = slf.get().settings.clone_ref(py);
        Call::blocking(py, settings, GuardRun::begin(slf))
    }

    /// Begins a call that leaves the waiting to its caller.
    fn begin_async(slf: &Bound<'_, Self>) -> Call {
        let settings = slf.get().settings.clone_ref(slf.py());
        Call::new(settings, GuardRun::begin(slf))
    }

    /// Has `callback` called with each event of the guard and of its breaker.
    fn subscribe(&self, callback: &Bound<'_, PyAny>) -> PyResult<Subscription> {
        subscribed(self.events(), callback)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.settings)?;
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
        let retry = self.retry.as_ref().map(|retry| &retry.get().settings);
        let breaker = self.breaker.as_ref().map(|breaker| &breaker.get().settings);
        let given = [retry, breaker].into_iter().flatten().map(|settings| &settings.get().hooks);
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

/// The fields of a retry written in Python, and the budget in it, if that is a live one.
pub(crate) fn retry_fields(fields: &Bound<'_, PyMapping>) -> PyResult<(Value, Option<Py<Budget>>)> {
    let mut brought = None;
    let fields = entries(fields, |name, value| {
        if name == "budget"
            && let Ok(budget) = value.cast::<Budget>()
        {
            brought = Some(budget.clone().unbind());
            return Ok(Value::Bool(true));
        }
        raw(value)
    })?;
    Ok((Value::Table(fields), brought))
}

/// A seed for tests.
pub(crate) fn seed(seed: &Bound<'_, PyAny>) -> PyResult<u64> {
    let whole = if seed.is_instance_of::<PyBool>() { None } else { seed.extract().ok() };
    match whole {
        Some(seed) => Ok(seed),
        None => Err(invalid(&InvalidPolicy {
            path: "seed".into(),
            value: raw(seed)?.to_string(),
            rule: format!("must be a whole number from 0 to {}", u64::MAX),
        })),
    }
}

/// A guarded call under way.
pub(crate) struct GuardRun {
    guard: Py<Guard>,
    call: Running,
    /// When it began, until the first step is taken at the same instant.
    begun: Option<Instant>,
    /// The waits that were not slept: its time is ahead of the clock by so much.
    skipped: Span,
}

impl GuardRun {
    #[expect(clippy::inline_always, reason = "a run is large, and each call that returns it copies it")]
    #[inline(always)]
    pub(crate) fn begin(guard: &Bound<'_, Guard>) -> Machine {
        if switch::is_disabled() {
            return Machine::Off;
        }
        let core = &*guard.get().core;
        let now = core.now();
        Machine::Guard(Self {
            call: core.begin(now),
            begun: Some(now),
            skipped: Span::ZERO,
            guard: guard.clone().unbind(),
        })
    }

    /// The same call, of which no failure is retried.
    pub(crate) fn once(self) -> Self {
        Self { call: self.call.once(), ..self }
    }

    #[inline]
    fn now(&self) -> Instant {
        self.guard.get().core.now().after(self.skipped)
    }

    /// Takes a wait that was not slept for time that has passed.
    pub(crate) const fn skip(&mut self, span: Span) {
        self.skipped = self.skipped.saturating_add(span);
    }

    #[inline]
    pub(crate) fn next(&mut self) -> Step {
        let now = self.begun.take().unwrap_or_else(|| self.now());
        let core = &*self.guard.get().core;
        self.call.next(core.policy(), core, now)
    }

    #[inline]
    pub(crate) fn settled(&mut self, verdict: Verdict) -> Settled {
        let (core, now) = (&*self.guard.get().core, self.now());
        self.call.settled(core.policy(), core, verdict, now)
    }

    pub(crate) fn cut(&mut self) -> Settled {
        let (core, now) = (&*self.guard.get().core, self.now());
        self.call.cut(core.policy(), core, now)
    }

    pub(crate) fn cancelled(&mut self) {
        let (core, now) = (&*self.guard.get().core, self.now());
        self.call.cancelled(core, now);
    }

    pub(crate) const fn attempts(&self) -> u32 {
        self.call.attempts()
    }

    pub(crate) fn remaining(&self) -> Option<Span> {
        self.call.attempt_remaining(self.now())
    }

    pub(crate) fn elapsed(&self) -> Span {
        self.call.elapsed(self.now())
    }

    pub(crate) fn name(&self) -> &str {
        self.guard.get().core.name()
    }

    pub(crate) fn refusal(&self, rejection: Rejection) -> BreakerOpen {
        self.guard.get().core.refusal(rejection)
    }

    pub(crate) fn attempt_timeout(&self) -> AttemptTimeout {
        self.guard.get().core.attempt_timeout(&self.call)
    }

    pub(crate) fn deadline_exceeded(&self) -> DeadlineExceeded {
        self.guard.get().core.deadline_exceeded(&self.call)
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.guard)
    }
}
