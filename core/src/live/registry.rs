//! Breakers or guards by key, no more than so many.
//!
//! Looking up takes a lock that only its own shard of the readers shares, so threads that look up do not
//! fight over it (but with the feature `fork`, see `lock`). Entering takes all of it, to find room and to
//! write.
//!
//! INVARIANT: a key has one value at a time. What makes room is held by nobody, and nobody can come to
//! hold it meanwhile: that takes the lock. Neither a value is made under the lock nor is one dropped; of
//! foreign code only a clock is read there.

mod kept;
mod lock;
mod ring;
mod values;

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Arc, PoisonError},
};

use super::events::{About, Source, tell};
use crate::kernel::{error::ErrorCode, event::Event, name::Name};
use lock::{Lock, ReadGuard, WriteGuard};
use ring::{Entry, Ring};

pub use kept::Kept;
pub use values::Values;

/// A bounded table of [`Breaker`](crate::Breaker)s or [`Guard`](crate::Guard)s by key.
///
/// When it is full, a new key takes the place of one that is idle: nobody else holds its value, it has
/// not been looked up lately, and its breaker is closed and has nothing to be forgiven. So a flood of new
/// keys cannot make it forget a breaker that rejects.
///
/// ```
/// use overcurrent::{Breaker, BreakerPolicy, Registry};
/// use std::sync::Arc;
///
/// let policy = Arc::new(BreakerPolicy::failure_rate(0.5).build()?);
/// let hosts = Registry::new(10_000);
/// let breaker = |host| hosts.get_or_create(host, |name| Breaker::new(name, Arc::clone(&policy)));
///
/// let one = breaker("api-1.example")?;
/// let same = breaker("api-1.example")?;
/// assert!(Arc::ptr_eq(&one, &same));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Keep the [`Arc`] where one key is called again and again: that saves the look-up, and what is held is
/// never forgotten. A [`Weak`](std::sync::Weak) holds too.
///
/// # Limits
///
/// What is forgotten and made anew has counted nothing, also no failures of late, and a guard's retry
/// budget is full. A breaker that has opened stays, also if it is never called again; where such have
/// taken all the places, [`Breaker::reset`](crate::Breaker::reset) makes them idle.
pub struct Registry<V> {
    capacity: usize,
    name: Option<Name>,
    source: Source,
    /// Keyed at random, as keys may come from strangers.
    hasher: RandomState,
    ring: Lock<Ring<V>>,
}

/// The registry is full, and nothing in it is idle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the registry is full with {capacity} entries, none of them idle and closed: no room for `{name}`")]
pub struct RegistryFull {
    /// The key that found no room.
    pub name: Name,
    /// How many entries the registry may hold.
    pub capacity: usize,
}

impl RegistryFull {
    /// Its code.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::RegistryFull
    }
}

impl<V> Registry<V> {
    /// An empty registry for at most `capacity` entries. It takes memory as it fills.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            name: None,
            source: Source::new(),
            hasher: RandomState::new(),
            ring: Lock::new(Ring::new()),
        }
    }

    /// The same with a name, under which its metrics tell of evictions.
    #[must_use]
    pub fn named(self, name: impl Into<Name>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Its name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) const fn source(&self) -> &Source {
        &self.source
    }

    /// The value of `key`, if it is there.
    pub fn get(&self, key: &str) -> Option<Arc<V>> {
        let hash = self.hasher.hash_one(key);
        self.read().find(hash, key).cloned()
    }

    /// All values, one after the other. Each is held only while it is looked at, so what makes room
    /// meanwhile is not hindered; what enters meanwhile may be missed.
    pub fn values(&self) -> Values<'_, V> {
        Values::new(&self.ring)
    }

    /// How many entries it holds.
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many entries it may hold.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many entries have made room for others.
    pub fn evictions(&self) -> u64 {
        self.read().evictions()
    }

    pub(crate) fn forget_evictions(&self) {
        self.write().forget_evictions();
    }

    // A panic under the lock, as of a clock, leaves the ring whole: all it did was look.

    fn read(&self) -> ReadGuard<'_, Ring<V>> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> WriteGuard<'_, Ring<V>> {
        self.ring.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Kept> Registry<V> {
    /// The value of `key`; if it is not there, the one that `create` makes, given the key as a name. A
    /// value that takes this name shares its text with the registry.
    ///
    /// `create` runs outside the lock. If two threads make the same entry, the first to enter it wins
    /// and both get that one.
    ///
    /// # Errors
    /// [`RegistryFull`] where it is full and nothing in it is idle. To find that out it goes through all
    /// entries twice; but where new keys would need more than 512 looks each, on average, the search is
    /// broken off, and the next one goes on from there. So a flood of keys that find no room costs little.
    pub fn get_or_create(&self, key: &str, create: impl FnOnce(Name) -> V) -> Result<Arc<V>, RegistryFull> {
        let hash = self.hasher.hash_one(key);
        if let Some(value) = self.read().find(hash, key) {
            return Ok(Arc::clone(value));
        }
        let name = Name::from(key);
        let made = Arc::new(create(name.clone()));
        let entry = Entry::new(name.clone(), Arc::clone(&made));
        let left = {
            let mut ring = self.write();
            if let Some(value) = ring.find(hash, key) {
                return Ok(Arc::clone(value));
            }
            ring.enter(entry, hash, self.capacity, &self.hasher)
        };
        // What left the registry, or could not enter it, is dropped here, where the lock is not held.
        match left {
            Ok(evicted) => {
                if let Some(evicted) = evicted {
                    tell(|| (About::default(), Event::Eviction { key: evicted.into_key() }));
                }
                Ok(made)
            }
            Err(_refused) => Err(RegistryFull { name, capacity: self.capacity }),
        }
    }
}

impl<V> fmt::Debug for Registry<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("capacity", &self.capacity)
            .field("len", &self.len())
            .field("evictions", &self.evictions())
            .finish_non_exhaustive()
    }
}
