//! What one thread of JavaScript hands to another: guards and breakers, by a token.
//!
//! The objects themselves are the same for all threads; what JavaScript holds by number belongs to one. A token
//! is the key of a table for the whole process. It is random, so one from another process finds nothing.
//!
//! INVARIANT: an object stays in the table as long as a thread that gave a token of it has neither taken it
//! back nor ended.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use napi_derive::napi;
use overcurrent::{Breaker, Guard};

use crate::{
    guard::{GuardShape, shape},
    slab::{keep, with},
};

/// What can be shared.
#[derive(Clone)]
enum Object {
    Guard(Arc<Guard>),
    Breaker(Arc<Breaker>),
}

impl Object {
    fn of(handle: f64) -> napi::Result<Self> {
        let guard = with(handle, |guard: &mut Arc<Guard>| Arc::clone(guard)).map(Self::Guard);
        let breaker = || with(handle, |breaker: &mut Arc<Breaker>| Arc::clone(breaker)).map(Self::Breaker);
        Ok(guard.or_else(|_| breaker())?)
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Guard(one), Self::Guard(other)) => Arc::ptr_eq(one, other),
            (Self::Breaker(one), Self::Breaker(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

struct Entry {
    object: Object,
    /// How many threads have given a token of it.
    threads: usize,
}

static TABLE: Mutex<BTreeMap<String, Entry>> = Mutex::new(BTreeMap::new());

// Nothing panics under the lock, and nothing is dropped that could come back to it.
fn table() -> MutexGuard<'static, BTreeMap<String, Entry>> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The tokens that this thread has given; ended with it.
#[derive(Default)]
struct Given(Vec<String>);

impl Drop for Given {
    fn drop(&mut self) {
        for token in &self.0 {
            leave(token);
        }
    }
}

thread_local! {
    static GIVEN: RefCell<Given> = RefCell::default();
}

/// One thread less has given this token.
fn leave(token: &str) {
    let mut table = table();
    let Some(entry) = table.get_mut(token) else { return };
    entry.threads -= 1;
    let gone = if entry.threads == 0 { table.remove(token) } else { None };
    drop(table);
    drop(gone);
}

/// The token of a guard or a breaker; the same one each time.
#[napi]
pub(crate) fn share(handle: f64) -> napi::Result<String> {
    let object = Object::of(handle)?;
    let mut table = table();
    let known = table.iter().find_map(|(token, entry)| entry.object.is(&object).then(|| token.clone()));
    let token = known.unwrap_or_else(overcurrent::idempotency_key);
    GIVEN.with_borrow_mut(|given| {
        if !given.0.contains(&token) {
            table.entry(token.clone()).or_insert(Entry { object, threads: 0 }).threads += 1;
            given.0.push(token.clone());
        }
    });
    Ok(token)
}

/// Takes the tokens of this thread back that lead to a guard or a breaker.
#[napi]
pub(crate) fn unshare(handle: f64) -> napi::Result<()> {
    let object = Object::of(handle)?;
    let known = table().iter().find_map(|(token, entry)| entry.object.is(&object).then(|| token.clone()));
    let Some(token) = known else { return Ok(()) };
    let ours = GIVEN.with_borrow_mut(|given| {
        let place = given.0.iter().position(|other| *other == token);
        place.map(|place| given.0.swap_remove(place))
    });
    if ours.is_some() {
        leave(&token);
    }
    Ok(())
}

fn found(token: &str) -> Option<Object> {
    table().get(token).map(|entry| entry.object.clone())
}

/// The guard of a token, for this thread.
#[napi]
pub(crate) fn guard_of(token: String) -> Option<GuardShape> {
    match found(&token)? {
        Object::Guard(guard) => Some(shape(guard, (true, true))),
        Object::Breaker(_) => None,
    }
}

/// The breaker of a token, for this thread.
#[napi]
pub(crate) fn breaker_of(token: String) -> Option<f64> {
    match found(&token)? {
        Object::Breaker(breaker) => Some(keep(breaker)),
        Object::Guard(_) => None,
    }
}
