//! Guards by name, no more than so many.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use super::guard::Guard;
use crate::kernel::outcome::Position;

/// A bounded table of guards by name. When it is full, a guard makes room that nobody holds and whose
/// breaker is closed.
///
/// ```
/// use overcurrent::{Guard, Registry};
///
/// let registry = Registry::new(100);
/// let one = registry.get_or_create("payments", || Guard::builder("payments").build().unwrap()).unwrap();
/// let same = registry.get_or_create("payments", || unreachable!()).unwrap();
/// assert!(std::sync::Arc::ptr_eq(&one, &same));
/// ```
#[derive(Debug)]
pub struct Registry {
    capacity: usize,
    guards: RwLock<HashMap<String, Arc<Guard>>>,
    evictions: AtomicU64,
}

/// The registry is full, and every guard in it is held or has a breaker that is not closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the registry holds `{capacity}` guards, none of them idle and closed, and has no room for `{name}`")]
pub struct RegistryFull {
    /// The guard that found no room.
    pub name: String,
    /// How many guards the registry may hold.
    pub capacity: usize,
}

impl Registry {
    /// An empty registry for at most `capacity` guards.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, guards: RwLock::default(), evictions: AtomicU64::new(0) }
    }

    /// The guard `name`, made by `create` if it is not there. `create` runs outside the lock; if two
    /// threads make the same guard, the first to enter it wins and both get that one.
    ///
    /// # Errors
    /// [`RegistryFull`] where there is no room.
    pub fn get_or_create(
        &self,
        name: &str,
        create: impl FnOnce() -> Guard,
    ) -> Result<Arc<Guard>, RegistryFull> {
        if let Some(guard) = self.get(name) {
            return Ok(guard);
        }
        let made = Arc::new(create());
        let mut guards = self.guards.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(guard) = guards.get(name) {
            return Ok(Arc::clone(guard));
        }
        if guards.len() >= self.capacity {
            let idle = guards.iter().find(|(_, guard)| is_idle(guard)).map(|(name, _)| name.clone());
            let idle = idle.ok_or_else(|| RegistryFull { name: name.to_owned(), capacity: self.capacity })?;
            guards.remove(&idle);
            // ORDERING: relaxed; a counter that is only read.
            self.evictions.fetch_add(1, Ordering::Relaxed);
        }
        guards.insert(name.to_owned(), Arc::clone(&made));
        Ok(made)
    }

    /// The guard `name`, if it is there.
    pub fn get(&self, name: &str) -> Option<Arc<Guard>> {
        self.guards.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// How many guards it holds.
    pub fn len(&self) -> usize {
        self.guards.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many guards have made room for others.
    pub fn evictions(&self) -> u64 {
        // ORDERING: relaxed; a counter that is only read.
        self.evictions.load(Ordering::Relaxed)
    }
}

/// Nobody else holds it, and forgetting it would let no call through that it would have rejected.
fn is_idle(guard: &Arc<Guard>) -> bool {
    let closed = guard.breaker().is_none_or(|breaker| breaker.state() == Position::Closed);
    closed && Arc::strong_count(guard) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(name: &str) -> Guard {
        Guard::builder(name).build().expect("the defaults are valid")
    }

    #[test]
    fn only_idle_closed_guards_make_room() {
        let registry = Registry::new(2);
        let held = registry.get_or_create("held", || guard("held")).expect("there is room");
        let open = registry.get_or_create("open", || guard("open")).expect("there is room");
        open.breaker().expect("it has one").force_open();
        drop(open);
        let full = registry.get_or_create("new", || guard("new")).expect_err("neither can go");
        assert_eq!((full.name.as_str(), full.capacity), ("new", 2));

        drop(held);
        registry.get_or_create("new", || guard("new")).expect("`held` is idle now");
        assert!(registry.get("held").is_none() && registry.get("open").is_some());
        assert_eq!((registry.len(), registry.evictions()), (2, 1));
    }
}
