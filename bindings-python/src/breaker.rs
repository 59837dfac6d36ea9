//! The breaker of one dependency.

use std::sync::{Arc, OnceLock};

use overcurrent::{
    Breaker as Core, BreakerPolicy, Dialect, Filter, Instant, Metrics as Counted, Snapshot, Value, register,
};
use pyo3::{
    PyTraverseError, PyVisit,
    prelude::*,
    types::{PyDict, PyMapping, PyString, PyTuple},
};

use crate::{
    behalf::within_current,
    blocking,
    call::Call,
    clock::{ManualClock, Time},
    error::{breaker_open, invalid},
    events::{Subscription, deliver, subscribed},
    first, fork,
    hooks::{Hooks, Raw, Settings},
    imported::Imported,
    metrics::Metrics,
    permit::Permit,
    switch,
    unused::Unused,
    value::{entries, raw, secs, seed, span, text},
};

/// The name of a breaker that was given none and belongs to no guard.
const NAMELESS: &str = "breaker";

/// The state of a breaker; `overcurrent.Breaker` is built on it.
///
/// It comes to life with its first use. Until then a guard that is given it lends it what it has none
/// of: a name, a clock, a seed.
#[pyclass(frozen, subclass, module = "overcurrent._core")]
pub(crate) struct Breaker {
    name: Option<String>,
    policy: BreakerPolicy,
    seed: Option<u64>,
    /// What its clock read when it was made, if it was given one.
    origin: Option<Instant>,
    pub(crate) settings: Py<Settings>,
    live: OnceLock<Live>,
    /// What is told of it until then, if it has a name.
    unused: Option<Arc<Unused>>,
}

struct Live {
    core: Arc<Core>,
    time: Time,
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
    ) -> PyResult<Self> {
        let py = source.py();
        if let Ok(part) = source.cast::<Part>() {
            return Ok(part.get().breaker(py));
        }
        let fields = Value::Table(entries(fields, |_, value| raw(value))?);
        let policy = BreakerPolicy::from_value(&fields, "", Dialect::Python);
        let origin = clock.as_ref().map(|clock| Instant::from_nanos(clock.get().now_ns()));
        let time = Time::new(clock);
        let name = if source.is_none() { None } else { Some(text(source, "name")?) };
        Ok(Self {
            policy: policy.map_err(|error| invalid(&error))?,
            seed: seed.map(self::seed).transpose()?,
            origin,
            settings: Py::new(py, Settings::new(Hooks::new(hooks)?, time))?,
            live: OnceLock::new(),
            unused: name.as_deref().map(Unused::named),
            name,
        })
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
    fn acquire(&self, py: Python<'_>) -> PyResult<Permit> {
        if switch::is_disabled() {
            return Ok(Permit::of_none());
        }
        let answer = within_current(py, || self.core().acquire_owned())?;
        deliver(py)?;
        answer.map(Permit::new).map_err(|error| breaker_open(py, &error, &self.settings.get().breaker))
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
        LOADS.get(py)?.call1((self.core().snapshot().to_json(),))
    }

    /// Goes to the state of a snapshot.
    fn restore(&self, snapshot: &Bound<'_, PyAny>) -> PyResult<()> {
        static DUMPS: Imported = Imported::new("json", "dumps");
        let text = DUMPS.get(snapshot.py())?.call1((snapshot,))?;
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

    /// Makes a call that waits in the calling thread; `kwargs` is nobody else's.
    #[pyo3(name = "_run", signature = (function, args, kwargs, /))]
    fn run<'py>(
        &self,
        function: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        blocking::run(self.core(), &self.settings, function, args, kwargs)
    }

    /// The call that `_run` makes with `kwargs`, for somebody else.
    #[pyo3(name = "_running", signature = (kwargs, /))]
    fn running<'py>(&self, kwargs: &Bound<'py, PyDict>) -> PyResult<Option<Bound<'py, Call>>> {
        blocking::find(self.core(), &self.settings, kwargs)
    }

    /// Begins a call that waits in the calling thread.
    #[pyo3(name = "_begin")]
    fn begin<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Call>> {
        first::begin(py, self.core(), &self.settings)
    }

    /// Begins a call that leaves the waiting to its caller: its first attempt, or `None`, and nothing is begun.
    #[pyo3(name = "_first")]
    fn first<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        first::first(py, self.core(), &self.settings)
    }

    /// Begins the same, to be resumed.
    #[pyo3(name = "_begin_async")]
    fn begin_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, Call>> {
        first::begin_async(py, self.core(), &self.settings)
    }

    /// Whether the attempt of what `_first` gave, which has returned, is over with that.
    #[pyo3(name = "_ended", signature = (begun, /))]
    fn ended(&self, begun: &Bound<'_, PyAny>) -> PyResult<bool> {
        first::ended(begun.py(), self.core(), begun)
    }

    /// The call of what `_first` gave, for its loop.
    #[pyo3(name = "_full", signature = (begun, kwargs, /))]
    fn full<'py>(
        &self,
        begun: &Bound<'py, PyAny>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, Call>> {
        first::full(self.core(), &self.settings, begun, kwargs)
    }

    /// The call of what `_first` gave, for somebody else.
    #[pyo3(name = "_lend", signature = (begun, kwargs, /))]
    fn lend<'py>(
        &self,
        begun: &Bound<'py, PyAny>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, Call>> {
        first::lend(self.core(), &self.settings, begun, kwargs)
    }

    fn __repr__(&self) -> String {
        format!("<Breaker `{}`: {}>", self.name(), self.state())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.settings)
    }
}

impl Breaker {
    #[inline]
    fn core(&self) -> &Arc<Core> {
        match self.live.get() {
            Some(live) => &live.core,
            None => self.enliven(NAMELESS, &self.settings.get().time, None),
        }
    }

    #[cold]
    fn enliven(&self, name: &str, time: &Time, seed: Option<u64>) -> &Arc<Core> {
        let live = self.live.get_or_init(|| {
            let name = self.name.as_deref().unwrap_or(name);
            let (clock, seed) = (time.clock(), self.seed.or(seed));
            let origin = self.origin.unwrap_or_else(|| clock.now());
            let core = Arc::new(Core::since(name, self.policy.clone(), clock, origin, seed));
            fork::remember(&core);
            register(&core);
            if let Some(unused) = &self.unused {
                unused.used();
            }
            Live { core, time: Python::attach(|py| time.clone_ref(py)) }
        });
        &live.core
    }

    /// The breaker as a part of a guard, which lends it a name, a clock and a seed if it is not alive
    /// yet.
    pub(crate) fn adopted(&self, name: &str, time: &Time, seed: Option<u64>) -> Arc<Core> {
        Arc::clone(self.enliven(name, time, seed))
    }

    /// Its events.
    pub(crate) fn events(&self) -> Filter {
        Filter::from(&**self.core())
    }

    /// Its clock, if that is settled.
    pub(crate) fn time(&self) -> Option<&Time> {
        self.live.get().map(|live| &live.time).or(self.origin.map(|_| &self.settings.get().time))
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

    fn breaker(&self, py: Python<'_>) -> Breaker {
        let time = self.settings.get().time.clone_ref(py);
        Breaker {
            name: None,
            policy: self.core.policy().clone(),
            seed: None,
            origin: None,
            settings: self.settings.clone_ref(py),
            live: OnceLock::from(Live { core: Arc::clone(&self.core), time }),
            unused: None,
        }
    }
}
