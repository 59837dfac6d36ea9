//! The entries of a registry in a ring, an index over them, and the hand that looks for room.
//!
//! The hand goes round (the CLOCK algorithm). An entry that was looked up since the hand last passed gets
//! a second chance; one that is held or has something to remember stays. A look-up marks its entry only
//! where it is not marked yet, so threads that look up write nothing they share. Each new key brings the
//! hand some looks; what it does not need is saved up, until it is enough to go round twice. So a search
//! is thorough where that is rare, and a flood of keys that find no room does not make each one search
//! everything.
//!
//! INVARIANT: the index points to each entry by its own key. No place is ever vacated, only given to
//! another entry, so a walk by place meets every entry that stays.

use std::{
    hash::{BuildHasher, RandomState},
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hashbrown::HashTable;

use super::kept::Forget;
use crate::kernel::name::Name;

/// How many looks at an entry a new key brings.
const LOOKS: usize = 512;

/// A key and its value.
#[derive(Debug)]
pub(super) struct Entry<V> {
    key: Name,
    value: Arc<V>,
    /// Whether it was looked up since the hand last passed.
    used: AtomicBool,
}

impl<V> Entry<V> {
    /// Not marked: a key that never comes again makes room before one that does.
    pub(super) const fn new(key: Name, value: Arc<V>) -> Self {
        Self { key, value, used: AtomicBool::new(false) }
    }

    /// Its key; its value goes.
    pub(super) fn into_key(self) -> Name {
        self.key
    }
}

/// The entries of a registry.
#[derive(Debug)]
pub(super) struct Ring<V> {
    entries: Vec<Entry<V>>,
    /// The place of each entry.
    index: HashTable<usize>,
    hand: usize,
    /// The looks that the hand may still have.
    looks: usize,
    evictions: u64,
}

impl<V> Ring<V> {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), index: HashTable::new(), hand: 0, looks: 0, evictions: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) const fn evictions(&self) -> u64 {
        self.evictions
    }

    pub(super) const fn forget_evictions(&mut self) {
        self.evictions = 0;
    }

    /// The value at a place.
    pub(super) fn at(&self, place: usize) -> Option<&Arc<V>> {
        self.entries.get(place).map(|entry| &entry.value)
    }

    /// The value of `key`, marked as looked up.
    pub(super) fn find(&self, hash: u64, key: &str) -> Option<&Arc<V>> {
        let place = *self.index.find(hash, |place| self.entries[*place].key == *key)?;
        let entry = &self.entries[place];
        // ORDERING: relaxed; the mark guards no other data.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(&entry.value)
    }
}

impl<V: Forget> Ring<V> {
    /// Enters a key, of this hash, that is not there. Answers with what had to make room, if anything.
    ///
    /// # Errors
    /// The new entry, where there is no room.
    pub(super) fn enter(
        &mut self,
        entry: Entry<V>,
        hash: u64,
        capacity: usize,
        hasher: &RandomState,
    ) -> Result<Option<Entry<V>>, Entry<V>> {
        let place = self.entries.len();
        // Two rounds find whatever can make room, as the first takes the marks.
        self.looks = (self.looks + LOOKS).min(2 * place);
        if place < capacity {
            self.entries.push(entry);
            self.point(hash, place, hasher);
            return Ok(None);
        }
        let Some(place) = self.idle() else { return Err(entry) };
        let gone = hasher.hash_one(self.entries[place].key.as_str());
        if let Ok(pointer) = self.index.find_entry(gone, |at| *at == place) {
            pointer.remove();
        }
        let evicted = mem::replace(&mut self.entries[place], entry);
        self.point(hash, place, hasher);
        self.evictions += 1;
        Ok(Some(evicted))
    }

    fn point(&mut self, hash: u64, place: usize, hasher: &RandomState) {
        let entries = &self.entries;
        self.index.insert_unique(hash, place, |at| hasher.hash_one(entries[*at].key.as_str()));
    }

    /// The place of the next entry that can make room.
    fn idle(&mut self) -> Option<usize> {
        while self.looks > 0 {
            self.looks -= 1;
            let place = self.hand;
            self.hand = if place + 1 < self.entries.len() { place + 1 } else { 0 };
            let entry = &mut self.entries[place];
            if mem::take(entry.used.get_mut()) {
                continue;
            }
            // Not a mere count: there is no other reference, weak or strong, from which one could be made.
            if Arc::get_mut(&mut entry.value).is_some_and(Forget::forgettable) {
                return Some(place);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::{kernel::policy::BreakerPolicy, live::breaker::Breaker};

    /// Tries a new key; whether it found room.
    fn enter(ring: &mut Ring<Breaker>, hasher: &RandomState, number: usize, capacity: usize) -> bool {
        let key = Name::from(format!("key {number}"));
        let value = Arc::new(Breaker::new(key.clone(), BreakerPolicy::default()));
        let hash = hasher.hash_one(key.as_str());
        ring.enter(Entry::new(key, value), hash, capacity, hasher).is_ok()
    }

    #[test]
    fn a_search_goes_round_twice_where_that_is_rare_and_else_has_its_looks() {
        const CAPACITY: usize = 3 * LOOKS;
        let (mut ring, hasher) = (Ring::new(), RandomState::new());
        let mut numbers = 0..;
        let mut enter = |ring: &mut _| enter(ring, &hasher, numbers.next().unwrap_or_default(), CAPACITY);
        let hold = |ring: &Ring<_>, places: Range<usize>| -> Vec<_> {
            places.filter_map(|place| ring.at(place).cloned()).collect()
        };
        assert!((0..CAPACITY).all(|_| enter(&mut ring)), "there is room");

        let held = hold(&ring, 0..CAPACITY - 1);
        assert!(enter(&mut ring), "the last place is found, though all others are held");
        assert_eq!((ring.hand, ring.looks), (0, CAPACITY), "after one of two rounds");
        let spent = [(2 * LOOKS, false), (0, true), (LOOKS, false), (2 * LOOKS, false), (0, true)];
        for (hand, entered) in [(0, true)].into_iter().chain(spent) {
            assert_eq!((enter(&mut ring), ring.hand), (entered, hand), "what was saved up is spent soon");
        }

        drop(held);
        ring.hand = 0;
        ring.at(0).into_iter().for_each(|value| value.force_open());
        assert!(enter(&mut ring), "an idle one is near");
        assert_eq!((ring.hand, ring.looks), (2, LOOKS - 2), "the open one is passed, the next one goes");
        assert!((0..6).all(|_| enter(&mut ring)), "each saves up again");
        ring.hand = 0;
        let _held = hold(&ring, 0..CAPACITY - 1);
        assert!(enter(&mut ring), "so the last place is found again");
        assert_eq!((ring.len(), ring.evictions()), (CAPACITY, 12));
    }

    #[test]
    fn every_entry_is_found_by_its_key_and_no_other() {
        const CAPACITY: usize = 100;
        let (mut ring, hasher) = (Ring::new(), RandomState::new());
        for number in 0..10 * CAPACITY {
            assert!(enter(&mut ring, &hasher, number, CAPACITY), "all are idle");
        }
        assert_eq!((ring.index.len(), ring.len()), (CAPACITY, CAPACITY));
        for number in 0..10 * CAPACITY {
            let key = format!("key {number}");
            let found = ring.find(hasher.hash_one(key.as_str()), &key);
            let last = number >= 9 * CAPACITY;
            assert_eq!(found.map(|value| value.name()), last.then_some(key.as_str()));
        }
    }
}
