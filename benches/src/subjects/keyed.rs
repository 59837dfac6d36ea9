//! This project's registry: finding what is there already.

use std::{
    collections::HashMap,
    hint::black_box,
    sync::{Arc, RwLock},
};

use overcurrent::{Breaker, BreakerPolicy, Registry};

use super::own;
use crate::subject::{Operation, Subject, Whose, Window};

const KEYS: usize = 1000;
const LABEL: &str = "one of 1000, by its name";

pub(super) fn all() -> Vec<Subject> {
    let names: Vec<String> = (0..KEYS).map(|number| format!("dependency-{number}")).collect();
    let key = names[KEYS / 2].clone();
    vec![plain(&names, key.clone()), registry(&names, key)]
}

fn registry(names: &[String], key: String) -> Subject {
    let policy = Arc::new(BreakerPolicy::default());
    let registry = Registry::new(KEYS);
    for name in names {
        let made = registry.get_or_create(name, |name| Breaker::new(name, Arc::clone(&policy)));
        assert!(made.is_ok(), "there is room");
    }
    own(Operation::Lookup, Window::None, LABEL, move || {
        black_box(&registry).get(black_box(&key)).expect("it is there")
    })
}

/// The plainest thing that does it.
fn plain(names: &[String], key: String) -> Subject {
    let policy = Arc::new(BreakerPolicy::default());
    let breaker = |name: &str| Arc::new(Breaker::new(name, Arc::clone(&policy)));
    let table: HashMap<String, Arc<Breaker>> =
        names.iter().map(|name| (name.clone(), breaker(name))).collect();
    let table = RwLock::new(table);
    let name = "RwLock<HashMap>";
    Subject::new(Operation::Lookup, Whose::Floor, name, Window::None, LABEL, move || {
        let table = black_box(&table).read().expect("no writer panics");
        Arc::clone(table.get(black_box(&key)).expect("it is there"))
    })
}
