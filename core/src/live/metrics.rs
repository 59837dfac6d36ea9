//! Who is measured, and what all of them have counted.
//!
//! What is registered is held weakly: it goes when its owner lets go of it. A guard brings its breaker along, a
//! registry its entries as they stand at each gathering; nothing is counted twice, however often it is
//! registered or found.
//!
//! INVARIANT: nothing of the user's runs or is dropped under the lock, which guards a list of weak references.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::{
    breaker::Breaker,
    guard::Guard,
    registry::{Kept, Registry},
};
use crate::kernel::{
    metric::{BreakerMetrics, GuardMetrics, Metrics, RegistryMetrics},
    name::Name,
};

static REGISTERED: Mutex<Registered> = Mutex::new(Registered { by_address: BTreeMap::new(), room: 64 });

/// What is registered. As long as there is a weak reference, nothing else comes to have its address.
struct Registered {
    by_address: BTreeMap<usize, Weak<dyn Measured>>,
    /// How many there may be before those that are gone are looked for.
    room: usize,
}

impl Registered {
    fn enter(&mut self, address: usize, one: Weak<dyn Measured>) {
        if self.by_address.len() >= self.room {
            self.sweep();
            self.room = self.room.max(2 * self.by_address.len());
        }
        self.by_address.insert(address, one);
    }

    /// Forgets those that are gone.
    fn sweep(&mut self) {
        self.by_address.retain(|_, one| one.strong_count() > 0);
    }
}

/// What can be measured: a [`Guard`], a [`Breaker`], or a [`Registry`] of either.
pub trait Measured: Measure + Send + Sync {}

fn registered() -> MutexGuard<'static, Registered> {
    REGISTERED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Measured for Guard {}
impl Measured for Breaker {}
impl<V: Measured + Kept> Measured for Registry<V> {}

/// Not to be named outside, so that nothing else can be measured.
pub trait Measure {
    /// Adds what it has counted.
    fn measure(&self, gathering: &mut Gathering);
}

/// Metrics, and whose are among them already.
#[derive(Debug, Default)]
pub struct Gathering {
    metrics: Metrics,
    /// By the numbers that they have for those who listen.
    seen: HashSet<u32>,
}

impl Measure for Guard {
    fn measure(&self, gathering: &mut Gathering) {
        if gathering.seen.insert(self.source().number()) {
            gathering.metrics.guards.push(self.metrics());
        }
        if let Some(breaker) = self.breaker() {
            breaker.measure(gathering);
        }
    }
}

impl Measure for Breaker {
    fn measure(&self, gathering: &mut Gathering) {
        if gathering.seen.insert(self.source().number()) {
            gathering.metrics.breakers.push(self.metrics());
        }
    }
}

impl<V: Measured + Kept> Measure for Registry<V> {
    fn measure(&self, gathering: &mut Gathering) {
        self.values().for_each(|value| value.measure(gathering));
        if let Some(name) = self.name().filter(|_| gathering.seen.insert(self.source().number())) {
            gathering.metrics.registries.push(RegistryMetrics::new(Name::from(name), self.evictions()));
        }
    }
}

/// Has `it` among those that [`metrics()`] reads, for as long as it lives: a guard with its breaker, a breaker, or
/// a registry with its entries. To register it again changes nothing.
///
/// ```
/// use overcurrent::{Guard, metrics, register};
/// use std::sync::Arc;
///
/// let guard = Arc::new(Guard::builder("payments").build()?);
/// register(&guard);
/// let _ = guard.call(|_| Ok::<_, ()>("paid"));
///
/// let text = metrics().prometheus();
/// assert!(text.contains(r#"overcurrent_calls_total{guard="payments",outcome="success"} 1"#));
/// # Ok::<(), overcurrent::InvalidPolicy>(())
/// ```
///
/// An entry of a [`Registry`] is better not registered by itself: the registry cannot forget it then.
pub fn register<M: Measured + 'static>(it: &Arc<M>) {
    let one: Weak<M> = Arc::downgrade(it);
    let one: Weak<dyn Measured> = one;
    registered().enter(Arc::as_ptr(it).addr(), one);
}

/// What all that is registered has counted.
pub fn metrics() -> Metrics {
    let registered: Vec<_> = {
        let mut registered = registered();
        registered.sweep();
        registered.by_address.values().cloned().collect()
    };
    let mut gathering = Gathering::default();
    // Here the last owner may let go of one meanwhile, so that it is dropped here.
    registered.iter().filter_map(Weak::upgrade).for_each(|one| one.measure(&mut gathering));
    gathering.metrics
}

impl Metrics {
    /// What a guard and its breaker have counted, or a breaker, or a registry and its entries.
    pub fn of(it: &impl Measured) -> Self {
        let mut gathering = Gathering::default();
        it.measure(&mut gathering);
        gathering.metrics
    }
}

impl Guard {
    /// What it has counted since it was made.
    ///
    /// ```
    /// use overcurrent::{Guard, StopReason};
    ///
    /// let guard = Guard::builder("payments").no_retry().build()?;
    /// let _ = guard.call(|_| Err::<(), _>("declined"));
    /// let metrics = guard.metrics();
    /// assert_eq!((metrics.give_ups.of(StopReason::AttemptsExhausted), metrics.in_flight), (1, 0));
    /// # Ok::<(), overcurrent::InvalidPolicy>(())
    /// ```
    pub fn metrics(&self) -> GuardMetrics {
        let mut metrics = GuardMetrics::of(self.named().clone());
        self.counts().read(&mut metrics);
        metrics.budget_tokens_micro = self.budget().map(|budget| budget.tokens_micro());
        metrics
    }
}

impl Breaker {
    /// What it has counted since it was made, and where it stands.
    ///
    /// ```
    /// use overcurrent::{Breaker, BreakerPolicy, RejectReason};
    ///
    /// let breaker = Breaker::new("payments", BreakerPolicy::consecutive_failures(1).build()?);
    /// breaker.acquire().unwrap().failure();
    /// let _ = breaker.acquire();
    /// assert_eq!(breaker.metrics().rejections.of(RejectReason::Open), 1);
    /// # Ok::<(), overcurrent::InvalidPolicy>(())
    /// ```
    pub fn metrics(&self) -> BreakerMetrics {
        let mut metrics = BreakerMetrics::of(self.named().clone(), self.state());
        self.counts().read(&mut metrics);
        metrics.late_results = self.late();
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registered_as(name: &str) -> usize {
        metrics().guards.iter().filter(|guard| guard.guard == name).count()
    }

    #[test]
    fn what_is_gone_is_forgotten_also_if_nobody_asks() {
        let mut all = Registered { by_address: BTreeMap::new(), room: 4 };
        let guards: Vec<_> = (0..3).map(|_| Arc::new(Guard::builder("g").build().expect("valid"))).collect();
        let mut enter = |guard: &Arc<Guard>| {
            let one: Weak<Guard> = Arc::downgrade(guard);
            all.enter(Arc::as_ptr(guard).addr(), one);
            all.by_address.len()
        };
        assert_eq!(guards.iter().map(&mut enter).last(), Some(3));
        for _ in 0..100 {
            assert!(enter(&Arc::new(Guard::builder("gone").build().expect("valid"))) <= 7);
        }
    }

    #[test]
    fn it_is_registered_once_and_as_long_as_it_lives() {
        let guard = Arc::new(Guard::builder("registered once").build().expect("valid"));
        assert_eq!(registered_as("registered once"), 0);
        (0..3).for_each(|_| register(&guard));
        assert_eq!(registered_as("registered once"), 1);
        drop(guard);
        assert_eq!(registered_as("registered once"), 0);
    }
}
