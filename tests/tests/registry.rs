//! A registry: one value per key, no more than so many, and only idle closed ones make room.

#[path = "registry/threads.rs"]
mod threads;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use overcurrent::{
    Breaker, BreakerPolicy, Clock, Guard, Instant, ManualClock, Name, Position, Registry, RegistryFull, Span,
};

/// Opens at the second failure in a row; after the first opening for 1 s, after the next for 2 s.
fn breaker(name: Name, clock: &ManualClock) -> Breaker {
    let policy = BreakerPolicy::consecutive_failures(2).cooldown(Duration::from_secs(1)).cooldown_jitter(0.0);
    Breaker::with(name, policy.build().unwrap(), Arc::new(clock.clone()), Some(1))
}

/// Enters breakers on a clock that stands still.
fn enter(registry: &Registry<Breaker>, key: &str) -> Result<Arc<Breaker>, RegistryFull> {
    registry.get_or_create(key, |name| breaker(name, &ManualClock::new()))
}

fn fail(breaker: &Breaker, times: usize) {
    for _ in 0..times {
        breaker.acquire().unwrap().failure();
    }
}

/// Whether the only entry of a registry makes room for another, after `prepare`.
fn makes_room(prepare: impl FnOnce(&Breaker, &ManualClock)) -> bool {
    let (registry, clock) = (Registry::new(1), ManualClock::new());
    let first = registry.get_or_create("first", |name| breaker(name, &clock)).unwrap();
    prepare(&first, &clock);
    drop(first);
    let entered = enter(&registry, "second").is_ok();
    assert_eq!((registry.len(), registry.evictions()), (1, u64::from(entered)));
    assert_eq!((registry.get("first").is_none(), registry.get("second").is_some()), (entered, entered));
    entered
}

#[test]
fn a_key_is_created_once_and_found_again() {
    let registry = Registry::new(2);
    assert!(registry.is_empty() && registry.get("a").is_none());
    let a = enter(&registry, "a").unwrap();
    let same = registry.get_or_create("a", |_| unreachable!("it is there")).unwrap();
    assert!(Arc::ptr_eq(&a, &same) && Arc::ptr_eq(&a, &registry.get("a").unwrap()));
    assert_eq!((a.name(), registry.len(), registry.capacity(), registry.evictions()), ("a", 1, 2, 0));
}

#[test]
fn a_value_may_bear_another_name_than_its_key() {
    let registry = Registry::new(1);
    let create = |_| breaker("payments".into(), &ManualClock::new());
    let one = registry.get_or_create("tenant 1", create).unwrap();
    assert_eq!(one.name(), "payments");
    assert!(registry.get("payments").is_none());
    drop(one);
    let create = |_| breaker("payments".into(), &ManualClock::new());
    registry.get_or_create("tenant 2", create).unwrap();
    assert!(registry.get("tenant 1").is_none() && registry.get("tenant 2").is_some());
}

#[test]
fn only_a_closed_and_forgiven_breaker_makes_room() {
    assert!(makes_room(|_, _| {}), "new");
    assert!(makes_room(|breaker, _| fail(breaker, 1)), "closed, with a failure counted");
    assert!(!makes_room(|breaker, _| fail(breaker, 2)), "open");
    assert!(!makes_room(|breaker, _| breaker.trip(None).unwrap()), "tripped");
    assert!(!makes_room(|breaker, _| breaker.force_open()), "forced open");
    assert!(!makes_room(|breaker, _| breaker.force_closed()), "forced closed");
    assert!(makes_room(|breaker, _| {
        breaker.force_open();
        breaker.reset();
    }));

    let probed = |then: fn(&Breaker), wait: u64| {
        makes_room(|breaker, clock| {
            fail(breaker, 2);
            clock.advance(Duration::from_secs(1));
            then(breaker);
            clock.advance(Duration::from_millis(wait));
        })
    };
    assert!(!probed(|_| {}, 0), "open, and a probe is due");
    assert!(!probed(|breaker| breaker.acquire().unwrap().cancelled(), 0), "half-open");
    assert!(!probed(|breaker| breaker.acquire().unwrap().success(), 999), "closed, not forgiven yet");
    assert!(probed(|breaker| breaker.acquire().unwrap().success(), 1000), "closed and forgiven");
}

#[test]
fn what_somebody_holds_stays() {
    let registry = Registry::new(2);
    let held = enter(&registry, "held").unwrap();
    let weakly = Arc::downgrade(&enter(&registry, "weakly held").unwrap());
    let full = enter(&registry, "new").unwrap_err();
    assert_eq!((full.name.as_str(), full.capacity), ("new", 2));
    assert_eq!(
        full.to_string(),
        "the registry is full with 2 entries, none of them idle and closed: no room for `new`"
    );
    assert!(registry.get("new").is_none());

    let permit = held.acquire_owned().unwrap();
    drop(held);
    enter(&registry, "new").unwrap_err();
    permit.success();
    enter(&registry, "new").unwrap();
    assert!(registry.get("held").is_none() && weakly.upgrade().is_some());
    drop(weakly);
    enter(&registry, "newer").unwrap();
    assert_eq!((registry.len(), registry.evictions()), (2, 2));
}

#[test]
fn a_key_that_is_looked_up_gets_a_second_chance() {
    let registry = Registry::new(3);
    for key in ["a", "b", "c"] {
        enter(&registry, key).unwrap();
    }
    enter(&registry, "a").unwrap();
    enter(&registry, "d").unwrap();
    assert!(registry.get("b").is_none(), "the first that was not looked up");
    assert!(registry.get("c").is_some());
    enter(&registry, "e").unwrap();
    assert!(registry.get("a").is_none(), "its second chance is over, while `c` has just got one");
    assert_eq!(["c", "d", "e"].map(|key| registry.get(key).is_some()), [true; 3]);
}

#[test]
fn a_flood_of_keys_leaves_open_breakers_and_busy_ones_where_they_are() {
    let registry = Registry::new(50);
    for number in 0..10 {
        enter(&registry, &format!("open {number}")).unwrap().force_open();
    }
    let busy = enter(&registry, "busy").unwrap();
    fail(&busy, 1);
    drop(busy);
    for number in 0..1_000 {
        enter(&registry, &format!("flood {number}")).unwrap();
        if number % 10 == 0 {
            assert!(registry.get("busy").is_some(), "looked up in time at {number}");
        }
    }
    for number in 0..10 {
        let open = registry.get(&format!("open {number}")).unwrap();
        assert_eq!(open.state(), Position::ForcedOpen);
    }
    fail(&registry.get("busy").unwrap(), 1);
    assert_eq!(registry.get("busy").unwrap().state(), Position::Open, "its first failure still counts");
    assert_eq!((registry.len(), registry.evictions()), (50, 1_011 - 50));
}

#[test]
fn an_evicted_key_comes_back_as_new() {
    let registry = Registry::new(1);
    fail(&enter(&registry, "a").unwrap(), 1);
    enter(&registry, "b").unwrap();
    let a = enter(&registry, "a").unwrap();
    fail(&a, 1);
    assert_eq!(a.state(), Position::Closed, "the failure before is forgotten");
    assert_eq!((registry.len(), registry.evictions()), (1, 2));
}

#[test]
fn a_registry_of_no_capacity_is_always_full() {
    let registry = Registry::new(0);
    assert_eq!(enter(&registry, "a").unwrap_err(), RegistryFull { name: "a".into(), capacity: 0 });
    assert_eq!((registry.len(), registry.evictions(), registry.values().count()), (0, 0, 0));
}

#[test]
fn the_values_come_one_by_one_and_hinder_nothing() {
    let registry = Registry::new(3);
    for key in ["a", "b", "c"] {
        enter(&registry, key).unwrap();
    }
    let mut walk = registry.values();
    assert_eq!(walk.next().unwrap().name(), "a");
    enter(&registry, "d").expect("no lock is held by a walk, nor any value");
    assert!(registry.get("a").is_none(), "nor has the walk looked anything up");
    let rest: Vec<String> = walk.map(|value| value.name().to_owned()).collect();
    assert_eq!(rest, ["b", "c"], "what stays comes once");
    let mut all: Vec<String> = registry.values().map(|value| value.name().to_owned()).collect();
    all.sort();
    assert_eq!(all, ["b", "c", "d"]);
}

/// Runs `job` on a thread of its own, so that a deadlock fails the test.
fn without_deadlock(job: impl FnOnce() + Send + 'static) {
    let (done, waiting) = mpsc::channel();
    let thread = thread::spawn(move || {
        job();
        let _ = done.send(());
    });
    assert_ne!(waiting.recv_timeout(Duration::from_secs(20)), Err(mpsc::RecvTimeoutError::Timeout));
    thread.join().unwrap();
}

#[test]
fn of_two_that_create_a_key_the_first_to_enter_wins() {
    without_deadlock(|| {
        let registry = Registry::new(2);
        let mut inner = None;
        let outer = registry.get_or_create("a", |name| {
            // No lock is held, so the same key can be entered meanwhile.
            inner = Some(enter(&registry, "a").unwrap());
            breaker(name, &ManualClock::new())
        });
        assert!(Arc::ptr_eq(&outer.unwrap(), &inner.unwrap()));
        assert_eq!(registry.len(), 1);
    });
}

#[test]
fn a_panic_of_create_leaves_the_registry_as_it_was() {
    let registry = Registry::new(1);
    let create = || registry.get_or_create("a", |_| panic!("no breaker today"));
    assert!(catch_unwind(AssertUnwindSafe(create)).is_err());
    assert!(registry.is_empty() && registry.get("a").is_none());
    assert_eq!(enter(&registry, "a").unwrap().name(), "a");
}

#[derive(Debug, Default)]
struct BrokenClock {
    time: ManualClock,
    broken: AtomicBool,
}

impl Clock for BrokenClock {
    fn now(&self) -> Instant {
        assert!(!self.broken.load(Ordering::SeqCst), "the clock is broken");
        self.time.now()
    }

    fn sleep(&self, span: Span) {
        self.time.sleep(span);
    }
}

#[test]
fn a_panic_of_a_clock_leaves_the_registry_as_it_was() {
    let (registry, clock) = (Registry::new(1), Arc::new(BrokenClock::default()));
    let policy = BreakerPolicy::consecutive_failures(1).cooldown_jitter(0.0).build().unwrap();
    let first = registry
        .get_or_create("a", |name| Breaker::with(name, policy, Arc::clone(&clock) as Arc<dyn Clock>, None))
        .unwrap();
    first.acquire().unwrap().failure();
    clock.time.advance(Duration::from_secs(5));
    first.acquire().unwrap().success();
    drop(first);

    clock.broken.store(true, Ordering::SeqCst);
    assert!(catch_unwind(AssertUnwindSafe(|| enter(&registry, "b"))).is_err(), "whether it is forgiven");
    clock.broken.store(false, Ordering::SeqCst);
    assert_eq!((registry.len(), registry.get("a").is_some(), registry.get("b").is_none()), (1, true, true));
    enter(&registry, "b").unwrap_err();
    clock.time.advance(Duration::from_secs(5));
    enter(&registry, "b").unwrap();
    assert_eq!((registry.len(), registry.evictions()), (1, 1));
}

/// Looks into the registry when it is dropped.
struct LastLook(Arc<Registry<Breaker>>, mpsc::Sender<usize>);

impl Drop for LastLook {
    fn drop(&mut self) {
        let _ = self.1.send(self.0.len());
    }
}

#[test]
fn what_leaves_is_dropped_where_no_lock_is_held() {
    without_deadlock(|| {
        let registry = Arc::new(Registry::new(1));
        let (looked, looks) = mpsc::channel();
        let create = |name: Name| {
            let last_look = Mutex::new(LastLook(Arc::clone(&registry), looked.clone()));
            breaker(name, &ManualClock::new()).on_transition(move |_| drop(last_look.lock()))
        };
        let first = registry.get_or_create("evicted", create).unwrap();
        registry.get_or_create("refused", create).unwrap_err();
        assert_eq!(looks.try_recv(), Ok(1), "the refused one is gone");
        drop(first);
        let last = registry.get_or_create("last", |name| {
            enter(&registry, "last").unwrap();
            create(name)
        });
        assert_eq!((looks.try_recv(), looks.try_recv()), (Ok(1), Ok(1)), "the evicted one, and the loser");
        assert_eq!(last.unwrap().name(), "last");
    });
}

/// Whether a guard as made by `create` makes room, once nobody holds it.
fn guard_makes_room(create: impl FnOnce(Name) -> Guard) -> bool {
    let registry = Registry::new(1);
    registry.get_or_create("payments", create).unwrap();
    registry.get_or_create("new", |name| Guard::builder(name).build().unwrap()).is_ok()
}

#[test]
fn a_guard_makes_room_where_its_breaker_would() {
    let new = |name| Guard::builder(name).build().unwrap();
    assert!(guard_makes_room(new));
    assert!(guard_makes_room(|name| Guard::builder(name).no_breaker().build().unwrap()));
    assert!(!guard_makes_room(|name| {
        let guard = new(name);
        guard.breaker().unwrap().force_open();
        guard
    }));

    let mut held = None;
    assert!(!guard_makes_room(|name| {
        let guard = new(name);
        held = guard.breaker().cloned();
        guard
    }));
    let mut weakly = None;
    assert!(!guard_makes_room(|name| {
        let guard = new(name);
        weakly = guard.breaker().map(Arc::downgrade);
        guard
    }));
}

#[test]
fn a_guard_makes_room_where_its_breaker_of_another_name_lives_on() {
    let shared = |breaker: &Arc<Breaker>| {
        let breaker = Arc::clone(breaker);
        move |name| Guard::builder(name).shared_breaker(breaker).build().unwrap()
    };
    let host = Arc::new(breaker("host".into(), &ManualClock::new()));
    host.force_open();
    assert!(guard_makes_room(shared(&host)), "the host's breaker is not forgotten");
    let own = Arc::new(breaker("payments".into(), &ManualClock::new()));
    assert!(!guard_makes_room(shared(&own)), "the guard's own is held");
    let create = shared(&host);
    drop(host);
    assert!(!guard_makes_room(create), "nobody else remembers that it is open");
}
