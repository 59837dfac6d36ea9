//! Guards by key, all of one policy.
//!
//! The core keeps the guards; Python sees each through an object of its own, which is remembered weakly,
//! so that a key has one of them at a time and the core can tell which guards nobody holds.
//!
//! INVARIANT: neither lock is held while Python code runs or an object of Python's is dropped.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use overcurrent::{
    Clock, Dialect, Guard as Core, GuardPolicy, InvalidPolicy, Metrics as Counted, Name, Registry as Guards,
    Surrounds, register,
};
use pyo3::{
    PyTraverseError, PyVisit,
    prelude::*,
    types::{PyWeakrefMethods, PyWeakrefReference},
};

use crate::{
    budget::Budget,
    clock::ManualClock,
    error::{invalid, registry_full},
    events::deliver,
    fork,
    guard::{Guard, Kept, read},
    hooks::{Hooks, Raw, Settings},
    metrics::Metrics,
    value::{flag, raw, seed, text},
};

/// How many objects of Python's are remembered before the dead ones are looked for.
const FIRST_SWEEP: usize = 64;

/// The state of a registry; `overcurrent.Registry` is built on it.
#[pyclass(frozen, subclass, module = "overcurrent._core")]
pub(crate) struct Registry {
    guards: Arc<Guards<Core>>,
    /// What the name of each guard begins with.
    prefix: String,
    policy: GuardPolicy,
    clock: Arc<dyn Clock>,
    seed: Option<u64>,
    durations: bool,
    settings: Py<Settings>,
    budget: Option<Py<Budget>>,
    seen: Mutex<Seen>,
}

/// The objects by which Python sees the guards, by the names of the guards.
struct Seen {
    objects: HashMap<Name, Py<PyWeakrefReference>>,
    sweep_at: usize,
}

#[pymethods]
impl Registry {
    #[new]
    fn new(
        name: Option<&str>,
        capacity: &Bound<'_, PyAny>,
        policy: &Bound<'_, PyAny>,
        hooks: Raw<'_>,
        clock: Option<Py<ManualClock>>,
        seed: Option<&Bound<'_, PyAny>>,
        durations: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let py = policy.py();
        let capacity = self::capacity(capacity)?;
        let (policy, brought) = read(policy)?;
        if let Some(breaker) = &brought.breaker {
            return Err(invalid(&InvalidPolicy {
                path: "breaker".into(),
                value: raw(breaker.bind(py).as_any())?.to_string(),
                rule: "must be a policy in a registry, each key has a breaker of its own".into(),
            }));
        }
        let hooks = brought.hooks(py, &Hooks::new(hooks)?);
        let time = brought.time(py, clock)?;
        if let Some(budget) = &brought.budget {
            budget.get().adopted(&time);
        }
        let seed = seed.map(self::seed).transpose()?;
        let durations = flag(durations, "durations")?;
        let guards = Guards::new(capacity);
        let guards = Arc::new(if let Some(name) = name { guards.named(name) } else { guards });
        fork::remember(&guards);
        register(&guards);
        Ok(Self {
            guards,
            prefix: name.map(|name| format!("{name}/")).unwrap_or_default(),
            policy,
            clock: time.clock(),
            seed,
            durations,
            settings: Py::new(py, Settings::new(hooks, time))?,
            budget: brought.budget,
            seen: Mutex::new(Seen { objects: HashMap::new(), sweep_at: FIRST_SWEEP }),
        })
    }

    /// The guard of a key: the object that Python knows it by, else a `Kept` to make one of, which `see` is
    /// to be told. It is made if it is not there.
    fn enter<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        let name = self.named(&text(key, "key")?);
        if let Some(object) = self.object(py, &name) {
            return Ok(object);
        }
        let core = match self.guards.get(&name) {
            Some(core) => core,
            None => self.make(py, &name)?,
        };
        self.kept(py, core)
    }

    /// As `enter`, but `None` if the guard is not there.
    fn find<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = key.py();
        let name = self.named(&text(key, "key")?);
        match (self.object(py, &name), self.guards.get(&name)) {
            (Some(object), _) => Ok(Some(object)),
            (None, Some(core)) => self.kept(py, core).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Remembers the object for a guard, and answers it; or the one that another thread was first with.
    fn see<'py>(&self, guard: &Bound<'py, Guard>) -> PyResult<Bound<'py, PyAny>> {
        let py = guard.py();
        let name = Name::from(guard.get().core.name());
        let reference = PyWeakrefReference::new(guard.as_any())?.unbind();
        let mut seen = self.seen();
        if let Some(object) = seen.objects.get(&name).and_then(|object| object.bind(py).upgrade()) {
            drop(seen);
            return Ok(object);
        }
        let replaced = seen.objects.insert(name, reference);
        let swept = seen.sweep(py);
        drop(seen);
        drop((replaced, swept));
        Ok(guard.clone().into_any())
    }

    /// What its guards have counted, and how many have made room for others.
    fn metrics(&self) -> Metrics {
        Counted::of(&*self.guards).into()
    }

    /// The keys that it holds.
    fn keys(&self) -> Vec<String> {
        self.guards.values().map(|core| core.name()[self.prefix.len()..].to_owned()).collect()
    }

    fn __len__(&self) -> usize {
        self.guards.len()
    }

    /// How many guards it may hold.
    #[getter]
    fn capacity(&self) -> usize {
        self.guards.capacity()
    }

    /// How many guards have made room for others.
    #[getter]
    fn evictions(&self) -> u64 {
        self.guards.evictions()
    }

    fn __repr__(&self) -> String {
        format!("<Registry of {} guards, of at most {}>", self.guards.len(), self.guards.capacity())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.settings)?;
        visit.call(&self.budget)
    }
}

impl Registry {
    fn named(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn make(&self, py: Python<'_>, name: &str) -> PyResult<Arc<Core>> {
        let surrounds = Surrounds {
            clock: Some(Arc::clone(&self.clock)),
            seed: self.seed,
            breaker: None,
            budget: self.budget.as_ref().map(|budget| budget.get().adopted(&self.settings.get().time)),
            durations: self.durations,
        };
        let made = Core::with(name, self.policy.clone(), surrounds, Dialect::Python);
        let made = made.map_err(|error| invalid(&error))?;
        let entered = self.guards.get_or_create(name, |_| made);
        deliver(py)?;
        entered.map_err(|error| registry_full(py, error))
    }

    fn kept<'py>(&self, py: Python<'py>, core: Arc<Core>) -> PyResult<Bound<'py, PyAny>> {
        let budget = self.budget.as_ref().map(|budget| budget.clone_ref(py));
        Ok(Bound::new(py, Kept::new(core, Arc::clone(&self.guards), self.settings.clone_ref(py), budget))?
            .into_any())
    }

    fn object<'py>(&self, py: Python<'py>, name: &str) -> Option<Bound<'py, PyAny>> {
        self.seen().objects.get(name).and_then(|object| object.bind(py).upgrade())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Takes out what is dead, now and then. What comes back is for the caller to drop.
    fn sweep<'py>(&mut self, py: Python<'py>) -> (Vec<Py<PyWeakrefReference>>, Vec<Bound<'py, PyAny>>) {
        let (mut dead, mut living) = (Vec::new(), Vec::new());
        if self.objects.len() < self.sweep_at {
            return (dead, living);
        }
        dead.extend(
            self.objects
                .extract_if(|_, object| {
                    let upgraded = object.bind(py).upgrade();
                    let is_dead = upgraded.is_none();
                    living.extend(upgraded);
                    is_dead
                })
                .map(|(_, object)| object),
        );
        self.sweep_at = FIRST_SWEEP.max(2 * self.objects.len());
        (dead, living)
    }
}

/// A number of guards.
fn capacity(given: &Bound<'_, PyAny>) -> PyResult<usize> {
    let whole = if given.is_instance_of::<pyo3::types::PyBool>() { None } else { given.extract().ok() };
    whole.filter(|capacity| *capacity > 0).ok_or_else(|| match raw(given) {
        Ok(value) => invalid(&InvalidPolicy {
            path: "capacity".into(),
            value: value.to_string(),
            rule: "must be a whole number of at least 1".into(),
        }),
        Err(error) => error,
    })
}
