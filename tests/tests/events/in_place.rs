//! Listeners in the thread that decides: when they run, what becomes of their panics, and what they may do.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    thread::{self, ThreadId},
};

use overcurrent::{
    Breaker, BreakerPolicy, Event, Filter, Guard, ManualClock, TraceContext, subscribe, subscribe_in_place,
};

/// A breaker that opens after a failure.
fn breaker(name: &str) -> Arc<Breaker> {
    let policy = BreakerPolicy::consecutive_failures(1).build().expect("the policy is valid");
    Arc::new(Breaker::with(name, policy, Arc::new(ManualClock::new()), Some(1)))
}

/// What was heard, and where.
type Heard = Arc<Mutex<Vec<(&'static str, ThreadId)>>>;

fn noting(heard: &Heard) -> impl Fn(&Event) + Send + Sync + 'static {
    let heard = Arc::clone(heard);
    move |event| heard.lock().expect("nothing panics with it").push((event.name(), thread::current().id()))
}

fn take(heard: &Heard) -> Vec<(&'static str, ThreadId)> {
    std::mem::take(&mut heard.lock().expect("nothing panics with it"))
}

#[test]
fn it_runs_in_the_thread_that_decides_before_the_call_goes_on() {
    let (breaker, heard) = (breaker("place"), Heard::default());
    let listening = subscribe_in_place(&*breaker, noting(&heard));
    breaker.acquire().expect("it is closed").failure();
    assert_eq!(take(&heard), [("state_change", thread::current().id())]);
    let there = thread::scope(|scope| {
        let other = scope.spawn(|| {
            assert!(breaker.acquire().is_err());
            take(&heard)
        });
        (other.thread().id(), other.join().expect("it does not panic"))
    });
    assert_eq!(there.1, [("reject", there.0)]);
    drop(listening);
    breaker.reset();
    assert_eq!(take(&heard), []);
}

#[test]
fn it_hears_what_it_asked_for_only_and_in_its_context() {
    let (ours, other, heard) = (breaker("ours"), breaker("other"), Arc::new(Mutex::new(Vec::new())));
    let listening = subscribe_in_place(Filter::from(&*ours).first_rejections(), {
        let heard = Arc::clone(&heard);
        move |event| {
            let current = TraceContext::current().and_then(|context| context.trace_id());
            assert_eq!(event.caller().and_then(|caller| caller.trace_id), current);
            heard.lock().expect("nothing panics with it").push(event.name());
        }
    });
    other.reset();
    TraceContext::begin().scope(|| {
        ours.trip(None).expect("no span is given");
        assert!(ours.acquire().is_err() && ours.acquire().is_err());
    });
    assert_eq!(
        (heard.lock().expect("nothing panics with it").as_slice(), listening.panics()),
        (&["state_change", "reject"][..], 0)
    );
}

#[test]
fn what_it_decides_itself_is_told_once_it_has_returned() {
    let (outer, inner, course) = (breaker("outer"), breaker("inner"), Arc::new(Mutex::new(Vec::new())));
    let note = |course: &Mutex<Vec<String>>, word: &str, event: &Event| {
        course.lock().expect("nothing panics with it").push(format!("{word} {}", event.name()));
    };
    let _first = subscribe_in_place(&*outer, {
        let (inner, course) = (Arc::clone(&inner), Arc::clone(&course));
        move |event| {
            note(&course, "begin", event);
            inner.reset();
            note(&course, "end", event);
        }
    });
    let _second = subscribe_in_place(&*inner, {
        let course = Arc::clone(&course);
        move |event| note(&course, "inner", event)
    });
    outer.reset();
    let course = course.lock().expect("nothing panics with it").clone();
    assert_eq!(course, ["begin state_change", "end state_change", "inner state_change"]);
}

#[test]
fn a_panic_in_it_is_counted_and_costs_nobody_anything() {
    let (breaker, heard) = (breaker("panics"), Heard::default());
    let panicking = subscribe_in_place(&*breaker, |_| panic!("a listener of a test"));
    let _next = subscribe_in_place(&*breaker, noting(&heard));
    let queue = subscribe(&*breaker, 10);
    breaker.acquire().expect("it is closed").failure();
    assert!(breaker.acquire().is_err());
    // Also where a permit is dropped by a panic that is under way.
    breaker.reset();
    let permit = breaker.acquire().expect("it is closed");
    breaker.trip(None).expect("no span is given");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _permit = permit;
        panic!("the code of a test");
    }));
    assert!(panicked.is_err());
    let names: Vec<_> = take(&heard).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["state_change", "reject", "state_change", "state_change", "late_result"]);
    assert_eq!((panicking.panics(), queue.drain().count()), (5, 5));
}

/// Makes a decision and listens when it is dropped, which would not end if a lock were held.
struct Busy(Arc<Breaker>);

impl Drop for Busy {
    fn drop(&mut self) {
        drop(subscribe_in_place(&*self.0, |_| {}));
        self.0.reset();
    }
}

#[test]
fn no_lock_is_held_while_it_runs_or_is_dropped() {
    let (breaker, guard) = (breaker("free"), Guard::builder("free").build().expect("it is valid"));
    let busy = Busy(Arc::clone(&breaker));
    let listening = subscribe_in_place(&*breaker, move |_| {
        let _ = &busy;
        assert_eq!(guard.call(|_| Ok::<_, ()>(1)).ok(), Some(1));
        drop(subscribe(&guard, 1));
        drop(subscribe_in_place(&guard, |_| {}));
    });
    breaker.reset();
    assert_eq!(listening.panics(), 0);
    drop(listening);
    let events = subscribe(&*breaker, 10);
    breaker.reset();
    assert_eq!(events.drain().count(), 1);
}
