//! Guards by key, all of one policy.
//!
//! The core keeps the guards. What JavaScript holds of one is its key: each use looks the guard up, and makes it
//! where it was forgotten. So an object that waits to be collected holds no place, and one that is used is always
//! the key's own. What runs or is listened to holds the guard itself.
//!
//! INVARIANT: a key that has a guard of its own, apart from the registry, keeps that one, so none of its state is
//! lost.

use std::{cell::OnceCell, rc::Rc, sync::Arc};

use napi::bindgen_prelude::{Either, Either3, Unknown};
use napi_derive::napi;
use overcurrent::{
    Breaker, Budget, Clock, Dialect, Guard, GuardPolicy, InvalidPolicy, Name, PolicyDocument, Registry,
    RegistryFull, Surrounds, Value, register,
};

use crate::{
    clock::{chosen, number, tell},
    error::Refused,
    guard::{Brought, GuardShape, limit},
    slab::{Gone, keep, with},
    value::value,
};

/// A registry, and how its guards are made.
pub(crate) struct Guards {
    kept: Arc<Registry<Guard>>,
    /// What the name of each guard begins with.
    prefix: String,
    policy: GuardPolicy,
    clock: Arc<dyn Clock>,
    seed: Option<u64>,
    budget: Option<Arc<Budget>>,
    durations: bool,
}

impl Guards {
    pub(crate) fn kept(&self) -> &Registry<Guard> {
        &self.kept
    }

    fn make(&self, name: &str) -> Result<Guard, InvalidPolicy> {
        let surrounds = Surrounds {
            clock: Some(Arc::clone(&self.clock)),
            seed: self.seed,
            breaker: None,
            budget: self.budget.clone(),
            durations: self.durations,
        };
        Guard::with(name, self.policy.clone(), surrounds, Dialect::Node)
    }
}

/// What is seen of the guard of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Guard,
    Breaker,
    Budget,
}

struct Key {
    guards: Rc<Guards>,
    name: Name,
    /// Its guard, where it was called while the registry had forgotten it and had no room.
    apart: OnceCell<Arc<Guard>>,
}

impl Key {
    fn guard(&self) -> Option<Arc<Guard>> {
        if let Some(apart) = self.apart.get() {
            return Some(Arc::clone(apart));
        }
        let Guards { kept, .. } = &*self.guards;
        if let Some(guard) = kept.get(&self.name) {
            return Some(guard);
        }
        let made = self.guards.make(&self.name).ok()?;
        kept.get_or_create(&self.name, |_| made).ok().or_else(|| {
            let made = self.guards.make(&self.name).ok()?;
            Some(Arc::clone(self.apart.get_or_init(|| {
                let made = Arc::new(made);
                register(&made);
                made
            })))
        })
    }
}

/// A part of the guard of a key, as JavaScript holds it.
pub(crate) struct Keyed {
    key: Rc<Key>,
    part: Part,
}

impl Keyed {
    fn of(&self, part: Part) -> Option<Arc<Guard>> {
        (self.part == part).then(|| self.key.guard())?
    }

    pub(crate) fn guard(&self) -> Option<Arc<Guard>> {
        self.of(Part::Guard)
    }

    pub(crate) fn breaker(&self) -> Option<Arc<Breaker>> {
        self.of(Part::Breaker)?.breaker().cloned()
    }

    pub(crate) fn budget(&self) -> Option<Arc<Budget>> {
        self.of(Part::Budget)?.budget().cloned()
    }
}

/// No room for a key.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub(crate) struct Full {
    /// The whole message.
    pub message: String,
    /// What the guard would have been named.
    pub guard: String,
    /// How many guards there may be.
    pub capacity: f64,
}

impl From<RegistryFull> for Full {
    fn from(error: RegistryFull) -> Self {
        let message = error.to_string();
        Self { message, guard: error.name.into(), capacity: whole(error.capacity) }
    }
}

fn whole(count: usize) -> f64 {
    number(count as u64)
}

fn capacity(given: &Value) -> Result<usize, InvalidPolicy> {
    let whole = if let Value::Number(text) = given { text.parse().ok() } else { None };
    whole.filter(|capacity| *capacity > 0).ok_or_else(|| InvalidPolicy {
        path: "capacity".into(),
        value: given.to_string(),
        rule: "must be a whole number of at least 1".into(),
    })
}

/// A registry of a policy given in code.
#[napi]
pub(crate) fn registry_new(
    name: Option<String>,
    capacity: Unknown<'_>,
    policy: Unknown<'_>,
    brought: Brought,
) -> napi::Result<Either<f64, Refused>> {
    let policy = GuardPolicy::from_value(&value(&policy)?, "", Dialect::Node);
    made(name, &capacity, policy, brought)
}

/// A registry of the policy `policy` in a document, whose file name says what it is written in.
#[napi]
pub(crate) fn registry_read(
    file: String,
    text: String,
    policy: String,
    name: Option<String>,
    capacity: Unknown<'_>,
    brought: Brought,
) -> napi::Result<Either<f64, Refused>> {
    let policy = PolicyDocument::parse(&file, &text).and_then(|document| document.guard(&policy));
    made(name, &capacity, policy, brought)
}

fn made(
    name: Option<String>,
    capacity: &Unknown<'_>,
    policy: Result<GuardPolicy, InvalidPolicy>,
    brought: Brought,
) -> napi::Result<Either<f64, Refused>> {
    tell(brought.now);
    let capacity = self::capacity(&value(capacity)?);
    let (policy, capacity) = match (policy, capacity) {
        (Ok(policy), Ok(capacity)) => (policy, capacity),
        (Err(error), _) | (_, Err(error)) => return Ok(Either::B(error.into())),
    };
    let budget = brought.budget.map(|budget| with(budget, |it: &mut Arc<Budget>| Arc::clone(it)));
    let kept = Registry::new(capacity);
    let kept = Arc::new(match &name {
        Some(name) => kept.named(name.as_str()),
        None => kept,
    });
    register(&kept);
    Ok(Either::A(keep(Rc::new(Guards {
        kept,
        prefix: name.map(|name| format!("{name}/")).unwrap_or_default(),
        policy,
        clock: chosen(brought.clock)?,
        seed: brought.seed.map(|seed| seed.get_u64().1),
        budget: budget.transpose()?,
        durations: brought.durations,
    }))))
}

fn of(registry: f64) -> Result<Rc<Guards>, Gone> {
    with(registry, |registry: &mut Rc<Guards>| Rc::clone(registry))
}

/// The name of the guard of a key.
#[napi]
pub(crate) fn registry_named(registry: f64, key: String) -> napi::Result<String> {
    Ok(format!("{}{key}", of(registry)?.prefix))
}

/// The guard of this name, which is made if it is not there.
#[napi]
pub(crate) fn registry_enter(
    registry: f64,
    name: String,
    now: f64,
) -> napi::Result<Either3<GuardShape, Refused, Full>> {
    tell(now);
    let guards = of(registry)?;
    let guard = match guards.kept.get(&name) {
        Some(guard) => guard,
        None => match guards.make(&name) {
            Ok(made) => match guards.kept.get_or_create(&name, |_| made) {
                Ok(guard) => guard,
                Err(full) => return Ok(Either3::C(full.into())),
            },
            Err(error) => return Ok(Either3::B(error.into())),
        },
    };
    let brings = guards.budget.is_some();
    let key = Rc::new(Key { guards, name: name.into(), apart: OnceCell::new() });
    let part = |part| keep(Keyed { key: Rc::clone(&key), part });
    Ok(Either3::A(GuardShape {
        handle: part(Part::Guard),
        breaker: guard.breaker().map(|_| part(Part::Breaker)),
        budget: guard.budget().filter(|_| !brings).map(|_| part(Part::Budget)),
        limit: limit(guard.policy()),
        durations: guard.measures_durations(),
    }))
}

/// Whether the guard of this name is there.
#[napi]
pub(crate) fn registry_has(registry: f64, name: String) -> napi::Result<bool> {
    Ok(of(registry)?.kept.get(&name).is_some())
}

/// The keys that are there now.
#[napi]
pub(crate) fn registry_keys(registry: f64) -> napi::Result<Vec<String>> {
    let guards = of(registry)?;
    Ok(guards.kept.values().map(|guard| guard.name()[guards.prefix.len()..].to_owned()).collect())
}

/// How much there is in it.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub(crate) struct Extent {
    /// The guards.
    pub size: f64,
    /// How many there may be.
    pub capacity: f64,
    /// How many have made room for others.
    pub evictions: f64,
}

/// How much there is in a registry.
#[napi]
pub(crate) fn registry_extent(registry: f64) -> napi::Result<Extent> {
    let guards = &of(registry)?.kept;
    Ok(Extent {
        size: whole(guards.len()),
        capacity: whole(guards.capacity()),
        evictions: number(guards.evictions()),
    })
}
