//! Many threads at one registry.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use overcurrent::{Breaker, BreakerPolicy, Name, Registry};

const THREADS: usize = 4;

/// Counts the breakers that exist.
#[derive(Clone, Debug)]
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn breaker(&self, name: Name, policy: &Arc<BreakerPolicy>) -> Breaker {
        self.0.fetch_add(1, Ordering::Relaxed);
        let own = self.clone();
        Breaker::new(name, Arc::clone(policy)).on_transition(move |_| _ = &own)
    }
}

/// One of the clones per breaker is dropped with it.
impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Who holds what: for each key how many threads, and where their value lies.
#[derive(Debug, Default)]
struct Holders(Mutex<BTreeMap<String, (usize, usize)>>);

impl Holders {
    fn take(&self, key: &str, value: &Arc<Breaker>) {
        let mut holders = self.0.lock().unwrap();
        let at = Arc::as_ptr(value).addr();
        let held = holders.entry(key.to_owned()).or_insert((0, at));
        assert!(held.0 == 0 || held.1 == at, "two live breakers of `{key}`");
        *held = (held.0 + 1, at);
    }

    fn give(&self, key: &str) {
        self.0.lock().unwrap().get_mut(key).unwrap().0 -= 1;
    }
}

/// A walk over the numbers below `end`, another for each seed.
fn walk(seed: usize, end: usize) -> impl Iterator<Item = usize> {
    (1..).map(move |step: u64| {
        let mixed = overcurrent::kernel::random::mix(step ^ (seed as u64) << 32);
        usize::try_from(mixed % end as u64).unwrap()
    })
}

#[test]
fn all_threads_get_the_same_value_of_a_key() {
    const KEYS: usize = 50;
    let (registry, barrier) = (Registry::new(KEYS), Barrier::new(THREADS));
    let policy = Arc::new(BreakerPolicy::default());
    let got: Vec<Vec<Arc<Breaker>>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    let create = |name| Breaker::new(name, Arc::clone(&policy));
                    (0..KEYS)
                        .map(|key| registry.get_or_create(&format!("key {key}"), create).unwrap())
                        .collect()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for values in &got {
        assert!(values.iter().zip(&got[0]).all(|(value, first)| Arc::ptr_eq(value, first)));
    }
    assert_eq!((registry.len(), registry.evictions()), (KEYS, 0));
}

#[test]
fn a_key_never_has_two_breakers_in_use_however_looks_and_evictions_race() {
    const KEYS: usize = 12;
    const STEPS: usize = 20_000;
    // Each thread holds one value at most, so there is always one to evict.
    const CAPACITY: usize = THREADS;
    let registry = Registry::new(CAPACITY);
    let (policy, holders) = (Arc::new(BreakerPolicy::default()), Holders::default());
    let (alive, created) = (Alive(Arc::new(AtomicUsize::new(1))), AtomicUsize::new(0));
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (registry, policy, holders, alive) = (&registry, &policy, &holders, &alive);
            let (created, barrier) = (&created, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for number in walk(thread, KEYS).take(STEPS) {
                    let key = format!("key {number}");
                    let create = |name| {
                        created.fetch_add(1, Ordering::Relaxed);
                        alive.breaker(name, policy)
                    };
                    let value = registry.get(&key);
                    let value = value.unwrap_or_else(|| registry.get_or_create(&key, create).unwrap());
                    assert_eq!(value.name(), key);
                    holders.take(&key, &value);
                    assert!(registry.len() <= CAPACITY);
                    let again = registry.get(&key).expect("what is held is not evicted");
                    assert!(Arc::ptr_eq(&value, &again));
                    holders.give(&key);
                }
            });
        }
    });
    assert_eq!((registry.len(), registry.values().count()), (CAPACITY, CAPACITY));
    assert_eq!(alive.0.load(Ordering::Relaxed), 1 + CAPACITY, "what left is gone, and what lost a race");
    let entered = registry.evictions() + CAPACITY as u64;
    let created = created.load(Ordering::Relaxed) as u64;
    assert!(registry.evictions() > 1_000 && entered <= created, "{entered} entered of {created}");
}

#[test]
fn open_breakers_survive_a_flood_from_many_threads() {
    const CAPACITY: usize = 64;
    let registry = Registry::new(CAPACITY);
    let policy = Arc::new(BreakerPolicy::default());
    let create = |name| Breaker::new(name, Arc::clone(&policy));
    let open = |number| registry.get_or_create(&format!("open {number}"), create).unwrap();
    let addresses: Vec<_> = (0..CAPACITY / 2)
        .map(|number| {
            open(number).force_open();
            Arc::as_ptr(&open(number)).addr()
        })
        .collect();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (registry, create) = (&registry, &create);
            scope.spawn(move || {
                for number in 0..2_000 {
                    registry.get_or_create(&format!("flood {thread} {number}"), create).unwrap();
                }
            });
        }
    });
    for (number, address) in addresses.into_iter().enumerate() {
        assert_eq!(Arc::as_ptr(&registry.get(&format!("open {number}")).unwrap()).addr(), address);
    }
    let entered = CAPACITY / 2 + THREADS * 2_000;
    assert_eq!((registry.len(), registry.evictions()), (CAPACITY, (entered - CAPACITY) as u64));
}
