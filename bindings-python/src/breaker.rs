//! The breaker of one dependency.

use std::sync::Arc;

use overcurrent::{
    Breaker as Core, BreakerPolicy, Dialect, Filter, Instant, Metrics as Counted, Snapshot, Value,
};
use pyo3::{
    prelude::*,
    types::{PyMapping, PyString},
};

use crate::{
    behalf::within_current,
    caller::{Caller, Through},
    clock::{ManualClock, Time},
    error::{breaker_open, invalid},
    events::{Subscription, deliver, subscribed},
    hooks::{Hooks, Raw, Settings},
    imported::Imported,
    lazy::{Lazy, LazyBreaker},
    metrics::Metrics,
    permit::Permit,
    stay, switch,
    value::{entries, raw, secs, seed, span, text},
};

/// The state of a breaker; `overcurrent.Breaker` is built on it.
#[pyclass(frozen, subclass, extends = Caller, module = "overcurrent._core")]
pub(crate) struct Breaker {
    lazy: Arc<LazyBreaker>,
}

#[pymethods]
impl Breaker {
    /// A breaker of its own, where `source` is its name or `None`; or a part of a guard.
    #[new]
    fn new(
        source: &Bound<'_, PyAny>,
        fields: &Bound<'_, PyMapping>,
        hooks: Raw<'_>,
        clock: Option<Py<ManualClock>>,
        seed: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let py = source.py();
        if let Ok(part) = source.cast::<Part>() {
            return Ok(part.get().breaker(py));
        }
        let fields = Value::Table(entries(fields, |_, value| raw(value))?);
        let policy = BreakerPolicy::from_value(&fields, "", Dialect::Python);
        let origin = clock.as_ref().map(|clock| Instant::from_nanos(clock.get().now_ns()));
        let time = Time::new(clock);
        let name = if source.is_none() { None } else { Some(text(source, "name")?.into_owned()) };
        let (policy, seed) = (policy.map_err(|error| invalid(&error))?, seed.map(self::seed).transpose()?);
        let settings = Py::new(py, Settings::new(Hooks::new(hooks)?, time.clone_ref(py)))?;
        Ok(Self::around(LazyBreaker::new(name, policy, seed, time, origin), settings))
    }

    /// Its name.
    #[getter]
    fn name(&self) -> &str {
        self.core().name()
    }

    /// Where it stands; open shows as open until a call makes it half-open.
    #[getter]
    fn state(&self) -> &'static str {
        self.core().state().as_str()
    }

    /// Why it is open.
    #[getter]
    fn reason(&self) -> Option<&'static str> {
        self.core().reason().map(overcurrent::OpenReason::as_str)
    }

    /// How many outcomes came after their epoch was over, and changed nothing.
    #[getter]
    fn late(&self) -> u64 {
        self.core().late()
    }

    /// Seconds until it admits a probe.
    #[getter]
    fn retry_after(&self) -> Option<f64> {
        self.core().retry_after().map(secs)
    }

    /// Asks for admission.
    fn acquire(this: &Bound<'_, Self>) -> PyResult<Permit> {
        if switch::is_disabled() {
            return Ok(Permit::of_none());
        }
        let (py, settings) = (this.py(), this.as_super().get().settings.get());
        let answer = within_current(py, || this.get().core().acquire_owned())?;
        deliver(py)?;
        answer.map(Permit::new).map_err(|error| breaker_open(py, &error, &settings.breaker))
    }

    /// Opens it by hand, for so long or for the policy's cooldown.
    #[pyo3(signature = (for_=None))]
    fn trip(&self, py: Python<'_>, for_: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let length = for_.map(|length| span(length, "for")).transpose()?;
        let tripped = within_current(py, || self.core().trip(length.map(Into::into)))?;
        tripped.map_err(|error| invalid(&error))?;
        deliver(py)
    }

    /// Closes it, with everything forgotten.
    fn reset(&self, py: Python<'_>) -> PyResult<()> {
        within_current(py, || self.core().reset())?;
        deliver(py)
    }

    /// Rejects every call until `automatic`.
    fn force_open(&self, py: Python<'_>) -> PyResult<()> {
        within_current(py, || self.core().force_open())?;
        deliver(py)
    }

    /// Admits every call until `automatic`.
    fn force_closed(&self, py: Python<'_>) -> PyResult<()> {
        within_current(py, || self.core().force_closed())?;
        deliver(py)
    }

    /// Takes an override back.
    fn automatic(&self, py: Python<'_>) -> PyResult<()> {
        within_current(py, || self.core().automatic())?;
        deliver(py)
    }

    /// The state in portable form.
    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static LOADS: Imported = Imported::new("json", "loads");
        stay::call1(&LOADS.get(py)?, (self.core().snapshot().to_json(),))
    }

    /// Goes to the state of a snapshot.
    fn restore(&self, snapshot: &Bound<'_, PyAny>) -> PyResult<()> {
        static DUMPS: Imported = Imported::new("json", "dumps");
        let text = stay::call1(&DUMPS.get(snapshot.py())?, (snapshot,))?;
        let snapshot = Snapshot::from_json(&text.cast::<PyString>()?.to_cow()?);
        let restore = || snapshot.and_then(|snapshot| self.core().restore(&snapshot));
        within_current(text.py(), restore)?.map_err(|error| invalid(&error))?;
        deliver(text.py())
    }

    /// What it has counted.
    fn metrics(&self) -> Metrics {
        Counted::of(&**self.core()).into()
    }

    /// Where it stands and why, what would change that, and its last changes of state, in words.
    fn explain(&self) -> String {
        self.core().explain()
    }

    /// Has `callback` called with each event of the breaker.
    fn subscribe(&self, callback: &Bound<'_, PyAny>) -> PyResult<Subscription> {
        subscribed(self.events(), callback)
    }

    fn __repr__(&self) -> String {
        format!("<Breaker `{}`: {}>", self.name(), self.state())
    }
}

impl Breaker {
    fn around(lazy: LazyBreaker, settings: Py<Settings>) -> PyClassInitializer<Self> {
        let lazy = Arc::new(lazy);
        Caller::new(Through::breaker(Arc::clone(&lazy)), settings).of(Self { lazy })
    }

    fn core(&self) -> &Arc<Core> {
        self.lazy.core()
    }

    /// The breaker as a part of a guard, which lends it a name, a clock and a seed if it is not alive
    /// yet.
    pub(crate) fn adopted(&self, name: &str, time: &Time, seed: Option<u64>) -> Arc<Core> {
        self.lazy.adopted(name, time, seed)
    }

    /// Its events.
    pub(crate) fn events(&self) -> Filter {
        Filter::from(&**self.core())
    }

    /// Its clock, if that is settled.
    pub(crate) fn time(&self) -> Option<&Time> {
        self.lazy.time()
    }
}

/// The breaker that a guard made for itself, to be given a face in Python.
#[pyclass(frozen, module = "overcurrent._core")]
pub(crate) struct Part {
    core: Arc<Core>,
    settings: Py<Settings>,
}

impl Part {
    pub(crate) fn of(core: &Arc<Core>, settings: &Py<Settings>, py: Python<'_>) -> Self {
        Self { core: Arc::clone(core), settings: settings.clone_ref(py) }
    }

    fn breaker(&self, py: Python<'_>) -> PyClassInitializer<Breaker> {
        let lazy = LazyBreaker::of(&self.core, &self.settings.get().time, py);
        Breaker::around(lazy, self.settings.clone_ref(py))
    }
}
