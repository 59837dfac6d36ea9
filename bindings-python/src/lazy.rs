//! Breakers and retries that come to life with their first use.
//!
//! INVARIANT: a life is begun once, with the GIL held.

use std::sync::{Arc, OnceLock};

use overcurrent::{Breaker, BreakerPolicy, Instant, Retry, RetryPolicy, register};
use pyo3::{PyTraverseError, PyVisit, prelude::*};

use crate::{budget::Budget, clock::Time, fork, unused::Unused};

/// The name of a breaker that was given none and belongs to no guard.
const NAMELESS: &str = "breaker";

/// What comes to life when it is asked for what it is then.
pub(crate) trait Lazy {
    type Core;
    fn core(&self) -> &Arc<Self::Core>;
}

/// A breaker. Until it is alive, a guard that is given it lends it what it has none of: a name, a clock, a seed.
pub(crate) struct LazyBreaker {
    name: Option<String>,
    policy: BreakerPolicy,
    seed: Option<u64>,
    time: Time,
    /// What its clock read when it was made, if it was given one.
    origin: Option<Instant>,
    live: OnceLock<Live>,
    /// What is told of it until then, if it has a name.
    unused: Option<Arc<Unused>>,
}

struct Live {
    core: Arc<Breaker>,
    time: Time,
}

impl LazyBreaker {
    /// One that is not alive.
    pub(crate) fn new(
        name: Option<String>,
        policy: BreakerPolicy,
        seed: Option<u64>,
        time: Time,
        origin: Option<Instant>,
    ) -> Self {
        let unused = name.as_deref().map(Unused::named);
        Self { name, policy, seed, time, origin, live: OnceLock::new(), unused }
    }

    /// One that is.
    pub(crate) fn of(core: &Arc<Breaker>, time: &Time, py: Python<'_>) -> Self {
        Self {
            name: None,
            policy: core.policy().clone(),
            seed: None,
            time: time.clone_ref(py),
            origin: None,
            live: OnceLock::from(Live { core: Arc::clone(core), time: time.clone_ref(py) }),
            unused: None,
        }
    }

    #[cold]
    fn enliven(&self, name: &str, time: &Time, seed: Option<u64>) -> &Arc<Breaker> {
        let live = self.live.get_or_init(|| {
            let name = self.name.as_deref().unwrap_or(name);
            let (clock, seed) = (time.clock(), self.seed.or(seed));
            let origin = self.origin.unwrap_or_else(|| clock.now());
            let core = Arc::new(Breaker::since(name, self.policy.clone(), clock, origin, seed));
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
    pub(crate) fn adopted(&self, name: &str, time: &Time, seed: Option<u64>) -> Arc<Breaker> {
        Arc::clone(self.enliven(name, time, seed))
    }

    /// Its clock, if that is settled.
    pub(crate) fn time(&self) -> Option<&Time> {
        self.live.get().map(|live| &live.time).or(self.origin.map(|_| &self.time))
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.time.traverse(visit)?;
        self.live.get().map_or(Ok(()), |live| live.time.traverse(visit))
    }
}

impl Lazy for LazyBreaker {
    type Core = Breaker;

    #[inline]
    fn core(&self) -> &Arc<Breaker> {
        match self.live.get() {
            Some(live) => &live.core,
            None => self.enliven(NAMELESS, &self.time, None),
        }
    }
}

/// A retry.
pub(crate) struct LazyRetry {
    pub(crate) policy: RetryPolicy,
    seed: Option<u64>,
    time: Time,
    /// The budget it was given.
    pub(crate) budget: Option<Py<Budget>>,
    live: OnceLock<Arc<Retry>>,
}

impl LazyRetry {
    /// One that is not alive.
    pub(crate) const fn new(
        policy: RetryPolicy,
        seed: Option<u64>,
        time: Time,
        budget: Option<Py<Budget>>,
    ) -> Self {
        Self { policy, seed, time, budget, live: OnceLock::new() }
    }

    pub(crate) const fn time(&self) -> &Time {
        &self.time
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.budget)?;
        self.time.traverse(visit)
    }
}

impl Lazy for LazyRetry {
    type Core = Retry;

    #[inline]
    fn core(&self) -> &Arc<Retry> {
        self.live.get_or_init(|| {
            let core = Retry::with(self.policy.clone(), self.time.clock(), self.seed);
            Arc::new(match &self.budget {
                Some(budget) => core.sharing(budget.get().adopted(&self.time)),
                None => core,
            })
        })
    }
}
