//! What becomes of listeners that are slow, or panic, or leave, and of who they listen to.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use overcurrent::{
    Breaker, BreakerPolicy, Clock, Event, Filter, Guard, ManualClock, Registry, subscribe, subscribe_with,
};

const LONG: Duration = Duration::from_secs(60);

fn breaker(name: &str) -> Breaker {
    let policy = BreakerPolicy::consecutive_failures(1).build().expect("the policy is valid");
    Breaker::with(name, policy, Arc::new(ManualClock::new()), Some(1))
}

/// The epochs of changes of state.
fn epochs(events: impl IntoIterator<Item = Event>) -> Vec<u32> {
    let epoch = |event| match event {
        Event::StateChange { epoch, .. } => epoch,
        other => panic!("{other:?}"),
    };
    events.into_iter().map(epoch).collect()
}

#[test]
fn a_full_queue_forgets_its_oldest_event_and_counts_it() {
    let breaker = breaker("full");
    let (small, none, large) = (subscribe(&breaker, 2), subscribe(&breaker, 0), subscribe(&breaker, 100));
    (0..5).for_each(|_| breaker.reset());
    assert_eq!((small.dropped(), none.dropped(), large.dropped()), (3, 5, 0));
    assert_eq!(epochs(small.drain()), [5, 6]);
    assert_eq!(none.try_next(), None);
    assert_eq!(epochs(large.drain()), [2, 3, 4, 5, 6]);
    breaker.reset();
    assert_eq!((epochs(small.try_next()), small.dropped()), (vec![7], 3));
}

#[test]
fn who_has_left_hears_no_more_and_who_comes_hears_from_then_on() {
    let breaker = breaker("left");
    breaker.reset();
    let first = subscribe(&breaker, 10);
    breaker.reset();
    let second = subscribe(&breaker, 10);
    breaker.reset();
    assert_eq!(epochs(first.drain()), [3, 4]);
    drop(first);
    breaker.reset();
    assert_eq!(epochs(second.drain()), [4, 5]);
}

#[test]
fn each_hears_of_those_it_asked_for_whatever_their_names() {
    let guard = || Guard::builder("same").no_retry().clock(Arc::new(ManualClock::new())).build();
    let (one, other) = (guard().expect("it is valid"), guard().expect("it is valid"));
    let alone = breaker("same");
    let (of_one, of_breaker) = (subscribe(&one, 10), subscribe(&alone, 10));
    let of_ones_breaker = subscribe(&**one.breaker().expect("it has one"), 10);
    let all = subscribe(Filter::everything(), 100_000);
    for guard in [&one, &other] {
        let _ = guard.call(|_| Err::<(), _>("no"));
        guard.breaker().expect("it has one").reset();
    }
    alone.reset();
    let names = |events: Vec<Event>| events.iter().map(Event::name).collect::<Vec<_>>();
    assert_eq!(names(of_one.drain().collect()), ["give_up", "state_change"]);
    assert_eq!(names(of_ones_breaker.drain().collect()), ["state_change"]);
    assert_eq!(names(of_breaker.drain().collect()), ["state_change"]);
    let same = |event: &Event| event.fields().any(|(_, fact)| fact == overcurrent::Fact::Name("same".into()));
    assert_eq!(names(all.drain().filter(same).collect()).len(), 5);
}

#[test]
fn of_a_shared_breaker_each_of_its_guards_hears() {
    let shared = Arc::new(breaker("shared"));
    let guard = |name: &str| {
        Guard::builder(name).no_retry().shared_breaker(Arc::clone(&shared)).build().expect("it is valid")
    };
    let (one, other) = (guard("one"), guard("other"));
    let events = subscribe(&one, 10);
    shared.trip(None).expect("no time is given");
    let _ = other.call(|_| Ok::<_, ()>(()));
    let rejections: Vec<_> = events.drain().filter(|event| event.name() == "reject").collect();
    let [Event::Reject { caller, breaker, nth: 1, .. }] = &rejections[..] else { panic!("{rejections:?}") };
    assert_eq!((caller.guard.as_deref(), breaker.as_str()), (Some("other"), "shared"));
}

#[test]
fn of_many_rejections_the_first_may_do() {
    let breaker = breaker("rejects");
    let (each, first) = (subscribe(&breaker, 100), subscribe(Filter::from(&breaker).first_rejections(), 100));
    let reject = || assert!(breaker.acquire().is_err());
    breaker.trip(None).expect("no time is given");
    (0..3).for_each(|_| reject());
    breaker.trip(None).expect("no time is given");
    (0..2).for_each(|_| reject());
    breaker.reset();
    let told = |event: &Event| match event {
        Event::Reject { nth, .. } => ("reject", *nth),
        Event::StateChange { rejected, .. } => ("state_change", *rejected),
        other => panic!("{other:?}"),
    };
    let all: Vec<_> = each.drain().map(|event| told(&event)).collect();
    let some: Vec<_> = first.drain().map(|event| told(&event)).collect();
    let changes = [("state_change", 0), ("state_change", 3), ("state_change", 2)];
    assert_eq!(some, [changes[0], ("reject", 1), changes[1], ("reject", 1), changes[2]]);
    assert_eq!(
        all.iter().filter(|told| told.0 == "reject").map(|told| told.1).collect::<Vec<_>>(),
        [1, 2, 3, 1, 2]
    );
}

#[test]
fn a_listener_that_panics_loses_one_event_and_nobody_else_any() {
    let breaker = breaker("panics");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let own = Arc::clone(&heard);
    let panicking = subscribe_with(&breaker, 10, move |event| {
        let epoch = epochs([event])[0];
        assert!(epoch != 3, "on purpose");
        own.lock().expect("not while it panics").push(epoch);
    })
    .expect("there is a thread");
    let other = subscribe(&breaker, 10);
    (0..3).for_each(|_| breaker.reset());
    assert_eq!(epochs(other.drain()), [2, 3, 4]);
    let panics = panicking;
    while panics.panics() == 0 {
        thread::yield_now();
    }
    panics.finish();
    assert_eq!(*heard.lock().expect("nobody panicked there"), [2, 4]);
}

#[test]
fn a_listener_that_hangs_holds_up_nobody() {
    let breaker = breaker("hangs");
    let (release, held) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel();
    let (sender, receiver) = mpsc::channel();
    let listening = subscribe_with(&breaker, 2, move |event| {
        began.send(()).expect("the test goes on");
        held.recv().expect("it is released");
        sender.send(epochs([event])[0]).expect("the test goes on");
    })
    .expect("there is a thread");
    breaker.reset();
    begun.recv_timeout(LONG).expect("it was called");
    (0..5).for_each(|_| breaker.reset());
    assert_eq!(listening.dropped(), 3, "two wait while it hangs");
    drop(release);
    drop(begun);
    drop(listening);
    drop(receiver);
}

#[test]
fn what_was_told_before_a_listener_ended_is_still_heard() {
    let breaker = breaker("ends");
    let (sender, receiver) = mpsc::channel();
    let listening =
        subscribe_with(&breaker, 10, move |event| sender.send(epochs([event])[0]).expect("it is heard"))
            .expect("a thread");
    (0..3).for_each(|_| breaker.reset());
    listening.finish();
    breaker.reset();
    assert_eq!(receiver.iter().collect::<Vec<_>>(), [2, 3, 4]);
}

#[test]
fn a_listener_may_make_decisions_itself() {
    let guard = Arc::new(
        Guard::builder("itself").no_retry().clock(Arc::new(ManualClock::new())).build().expect("it is valid"),
    );
    let own = Arc::clone(&guard);
    let (sender, receiver) = mpsc::channel();
    let listening = subscribe_with(&*guard, 10, move |event| {
        if let Event::GiveUp { .. } = event {
            own.breaker().expect("it has one").trip(None).expect("no time is given");
            assert!(own.call(|_| Ok::<_, ()>(())).is_err(), "it is open");
        }
        sender.send(event.name()).expect("it is heard");
    })
    .expect("a thread");
    let _ = guard.call(|_| Err::<(), _>("no"));
    let heard: Vec<_> = (0..3).map(|_| receiver.recv_timeout(LONG).expect("it comes")).collect();
    assert_eq!(heard, ["give_up", "state_change", "reject"]);
    listening.finish();
}

#[test]
fn who_waits_for_an_event_gets_it_or_the_end_of_his_patience() {
    let breaker = Arc::new(breaker("waits"));
    let events = subscribe(&*breaker, 10);
    assert_eq!(events.next_timeout(Duration::ZERO), None);
    let other = Arc::clone(&breaker);
    let teller = thread::spawn(move || other.reset());
    assert_eq!(epochs(events.next_timeout(LONG)), [2]);
    teller.join().expect("it does not panic");
}

#[test]
fn a_mark_is_set_by_each_arrival() {
    static MARK: AtomicBool = AtomicBool::new(false);
    let breaker = breaker("marks");
    let events = subscribe(&breaker, 10).marking(&MARK);
    breaker.acquire().expect("it is closed").success();
    assert!(!MARK.swap(false, Ordering::Acquire), "nothing was told");
    for epoch in [2, 3] {
        breaker.reset();
        assert!(MARK.swap(false, Ordering::Acquire));
        assert_eq!(epochs(events.drain()), [epoch]);
    }
}

#[test]
fn a_registry_tells_what_it_forgets() {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
    let policy = Arc::new(BreakerPolicy::consecutive_failures(1).build().expect("the policy is valid"));
    let registry = Registry::new(1);
    let events = subscribe(Filter::everything(), 100_000);
    for key in ["evicted first", "evicted second", "kept"] {
        let made = registry
            .get_or_create(key, |name| Breaker::with(name, Arc::clone(&policy), Arc::clone(&clock), Some(1)));
        drop(made.expect("the one in it is idle"));
    }
    let keys = events.drain().filter_map(|event| match event {
        Event::Eviction { key, .. } => Some(key.to_string()),
        _ => None,
    });
    assert_eq!(keys.collect::<Vec<_>>(), ["evicted first", "evicted second"]);
}
