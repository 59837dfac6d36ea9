//! Events for JavaScript, which takes them after each call into here that may have made some.
//!
//! Each thread has subscriptions of its own. What any thread decides arrives in all of them that want it, and
//! sets the mark of theirs.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use napi::{
    Env,
    bindgen_prelude::{Either, Object},
};
use napi_derive::napi;
use overcurrent::{Breaker, Event, Fact, Filter, Guard, Severity, Subscription, subscribe};

use crate::{
    clock::{millis, number},
    raw::Args,
    slab::{Gone, with},
};

/// So many events may wait for one listener; more than a thread makes before it takes them.
const CAPACITY: usize = 4096;

thread_local! {
    static SUBSCRIPTIONS: RefCell<BTreeMap<u32, (Subscription, Source)>> = RefCell::default();
    static LAST: Cell<u32> = const { Cell::new(0) };
    /// Set with each arrival. One byte per thread that ever listened stays, as others may hold it.
    static MARK: &'static AtomicBool = Box::leak(Box::default());
}

/// Whose events a listener gets; held, as a registry could forget it else. Nothing for all events.
type Source = Option<Arc<dyn Any>>;

fn filter(source: f64) -> Result<(Filter, Source), Gone> {
    let guard = with(source, |guard: &mut Arc<Guard>| (Filter::from(&**guard), Arc::clone(guard)));
    if let Ok((filter, guard)) = guard {
        return Ok((filter, Some(guard)));
    }
    with(source, |breaker: &mut Arc<Breaker>| {
        let held: Arc<dyn Any> = Arc::clone(breaker) as _;
        (Filter::from(&**breaker), Some(held))
    })
}

/// Listens to a guard or a breaker, or to all there are; answers the listener's number. Of a breaker's
/// rejections it may hear just the first one after each change of state.
#[napi]
pub(crate) fn listen(source: Option<f64>, first_rejections: bool) -> napi::Result<u32> {
    let (filter, source) = source.map_or_else(|| Ok((Filter::everything(), None)), filter)?;
    let filter = if first_rejections { filter.first_rejections() } else { filter };
    let subscription = subscribe(filter, CAPACITY).marking(MARK.with(|mark| *mark));
    let listener = LAST.get() + 1;
    LAST.set(listener);
    SUBSCRIPTIONS.with_borrow_mut(|all| all.insert(listener, (subscription, source)));
    Ok(listener)
}

/// Ends a listener. What waits for it is forgotten.
#[napi]
pub(crate) fn unlisten(listener: u32) {
    let gone = SUBSCRIPTIONS.try_with(|all| all.borrow_mut().remove(&listener));
    drop(gone);
}

/// `heard()`: whether an event has arrived since this was asked last.
#[expect(clippy::unnecessary_wraps, reason = "of the shape of a hot function")]
pub(crate) fn heard(_: Args) -> Result<f64, Gone> {
    // ORDERING: acquire pairs with the release of who sets it, whose event is then there to be taken.
    Ok(f64::from(u8::from(MARK.with(|mark| mark.swap(false, Ordering::Acquire)))))
}

/// The events that wait, the oldest of each listener first: its number, the severity, the event, and so on.
#[napi]
pub(crate) fn take_events(env: Env) -> napi::Result<Vec<Either<u32, Object<'static>>>> {
    let waiting: Vec<(u32, Event)> = SUBSCRIPTIONS.with_borrow(|all| {
        let drained = all.iter().map(|(listener, (subscription, _))| (*listener, subscription.drain()));
        drained.flat_map(|(listener, events)| events.map(move |event| (listener, event))).collect()
    });
    let mut taken = Vec::with_capacity(waiting.len() * 3);
    for (listener, event) in waiting {
        taken.push(Either::A(listener));
        taken.push(Either::A(severity(&event)));
        taken.push(Either::B(object(env, &event)?));
    }
    Ok(taken)
}

/// How many events a listener lost, as too many waited.
#[napi]
pub(crate) fn events_dropped(listener: u32) -> f64 {
    SUBSCRIPTIONS
        .with_borrow(|all| all.get(&listener).map_or(0.0, |(subscription, _)| number(subscription.dropped())))
}

/// The names of all events.
#[napi]
pub(crate) fn event_names() -> Vec<String> {
    Event::ALL.iter().map(|(name, _)| camel(name)).collect()
}

/// How much an event matters: 0 for debugging, 1 worth a line, 2 a warning.
fn severity(event: &Event) -> u32 {
    match event.severity() {
        Severity::Debug => 0,
        Severity::Warning => 2,
        _ => 1,
    }
}

/// An event with its name and its fields, durations in ms; what is absent is undefined.
fn object(env: Env, event: &Event) -> napi::Result<Object<'static>> {
    let mut object = Object::new(&env)?;
    object.set("name", camel(event.name()))?;
    for (name, fact) in event.fields() {
        let name = camel(name);
        match fact {
            Fact::Name(text) => object.set(name, text.as_str())?,
            Fact::Word(word) => object.set(name, word)?,
            Fact::Count(count) => object.set(name, number(count))?,
            Fact::Span(span) => object.set(name, millis(span))?,
            _ => object.set(name, ())?,
        }
    }
    Ok(object)
}

/// A name in the case of JavaScript.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (initial, rest) = word.split_at(1);
        camel += &initial.to_ascii_uppercase();
        camel += rest;
    }
    camel
}
