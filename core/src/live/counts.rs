//! What guards and breakers count, beside what their cells do, and which changes of state they remember.
//!
//! A healthy call of a guard is two adds, see [`CallCells`]: one where it begins, one where it ends, which stands
//! for the call and for its attempt. Everything else is rare, and its counters are made when the first of them is
//! needed, so that what is healthy takes no memory for them.
//!
//! INVARIANT: an attempt succeeds if and only if its call does, so there is one count of both.

use std::{
    array,
    marker::PhantomData,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{lanes::Lanes, past::Past};
use crate::{
    cells::{calls::CallCells, sharded::Sharded},
    kernel::{
        edge::Edge,
        event::News,
        explain::Change,
        metric::{BreakerMetrics, GuardMetrics, Histogram},
        outcome::{Ending, Origin, RejectReason, StopReason},
        tally::{Listed, Tally},
        time::Span,
    },
};

/// A counter for each `K`, of which there are `N`.
#[derive(Debug)]
struct Counters<K, const N: usize> {
    counts: [AtomicU64; N],
    keys: PhantomData<K>,
}

impl<K: Listed, const N: usize> Counters<K, N> {
    fn new() -> Self {
        const { assert!(K::ALL.len() == N) };
        Self { counts: array::from_fn(|_| AtomicU64::new(0)), keys: PhantomData }
    }

    fn add(&self, key: K) {
        self.add_all(key, 1);
    }

    fn add_all(&self, key: K, more: u64) {
        if let Some(count) = self.counts.get(key.place()) {
            // ORDERING: release; see `CallCells::end`.
            count.fetch_add(more, Ordering::Release);
        }
    }

    fn clear(&self) {
        for count in &self.counts {
            // ORDERING: relaxed; nobody else is there to see it.
            count.store(0, Ordering::Relaxed);
        }
    }

    fn tally(&self) -> Tally<K> {
        // ORDERING: acquire pairs with the release of `add`.
        Tally::new(|key: K| self.counts.get(key.place()).map_or(0, |count| count.load(Ordering::Acquire)))
    }
}

/// Counters that are made when the first of them is needed.
#[derive(Debug)]
struct Late<T>(OnceLock<Box<T>>);

impl<T> Late<T> {
    const fn none() -> Self {
        Self(OnceLock::new())
    }

    fn made(&self, make: impl FnOnce() -> T) -> &T {
        self.0.get_or_init(|| Box::new(make()))
    }

    /// A tally of theirs; nothing where there are none yet.
    fn tally<K: Listed>(&self, of: impl FnOnce(&T) -> Tally<K>) -> Tally<K> {
        self.0.get().map_or_else(Tally::default, |counters| of(counters))
    }
}

/// What a guard counts.
#[derive(Debug)]
pub(crate) struct GuardCounts {
    calls: CallCells,
    lanes: Lanes,
    trouble: Late<Trouble>,
    durations: Option<Box<Durations>>,
}

/// What a guard counts of calls that are not simply healthy.
#[derive(Debug)]
struct Trouble {
    calls: Counters<Ending, 6>,
    attempts: Counters<Ending, 6>,
    retries: Counters<Origin, 2>,
    give_ups: Counters<StopReason, 6>,
}

impl Trouble {
    fn none() -> Self {
        Self {
            calls: Counters::new(),
            attempts: Counters::new(),
            retries: Counters::new(),
            give_ups: Counters::new(),
        }
    }
}

impl GuardCounts {
    /// Nothing yet; how long calls take is counted only on demand.
    pub(crate) fn new(durations: bool) -> Self {
        Self {
            calls: CallCells::new(),
            lanes: Lanes::none(),
            trouble: Late::none(),
            durations: durations.then(|| Box::new(Durations(Sharded::new()))),
        }
    }

    /// Where other runtimes count calls that begin and end well.
    pub(crate) const fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    pub(crate) const fn has_durations(&self) -> bool {
        self.durations.is_some()
    }

    /// Begins at zero again; for who is alone with it, as the child of a fork is. The lanes are left as they are:
    /// they are for runtimes that do not fork.
    pub(crate) fn clear(&self) {
        self.calls.clear();
        if let Some(Trouble { calls, attempts, retries, give_ups }) =
            self.trouble.0.get().map(|boxed| &**boxed)
        {
            calls.clear();
            attempts.clear();
            retries.clear();
            give_ups.clear();
        }
        if let Some(durations) = &self.durations {
            durations.0.clear();
        }
    }

    fn trouble(&self) -> &Trouble {
        self.trouble.made(Trouble::none)
    }

    #[inline]
    pub(crate) fn begun(&self) {
        self.calls.begin();
    }

    /// Of a success the call tells.
    #[inline]
    pub(crate) fn attempt_ended(&self, ending: Ending) {
        if ending != Ending::Success {
            self.trouble().attempts.add(ending);
        }
    }

    #[inline]
    pub(crate) fn call_ended(&self, ending: Ending, took: Span) {
        if let Some(durations) = self.durations.as_ref().filter(|_| ending != Ending::Rejected) {
            durations.observe(took);
        }
        if ending == Ending::Success {
            self.calls.end();
        } else {
            self.trouble().calls.add(ending);
        }
    }

    /// So many calls are cancelled in their first attempt, after nobody knows how long: their thread is gone.
    pub(crate) fn lost(&self, calls: u64) {
        if calls > 0 {
            self.trouble().attempts.add_all(Ending::Cancelled, calls);
            self.trouble().calls.add_all(Ending::Cancelled, calls);
        }
    }

    pub(crate) fn told(&self, news: News) {
        match news {
            News::Retry { origin, .. } => self.trouble().retries.add(origin),
            News::GiveUp { reason, .. } => self.trouble().give_ups.add(reason),
            News::Timeout { .. } | News::BudgetExhausted => {}
        }
    }

    /// Reads them. What has ended is read before what has begun, so that it is never more.
    pub(crate) fn read(&self, into: &mut GuardMetrics) {
        let healthy = self.calls.healthy().wrapping_add(self.lanes.healthy());
        let with_healthy = |tally: &Tally<Ending>| {
            Tally::new(|ending| if ending == Ending::Success { healthy } else { tally.of(ending) })
        };
        into.calls = with_healthy(&self.trouble.tally(|trouble| trouble.calls.tally()));
        let begun = self.calls.begun().wrapping_add(self.lanes.begun());
        into.in_flight = begun.saturating_sub(into.calls.sum());
        into.attempts = with_healthy(&self.trouble.tally(|trouble| trouble.attempts.tally()));
        into.retries = self.trouble.tally(|trouble| trouble.retries.tally());
        into.give_ups = self.trouble.tally(|trouble| trouble.give_ups.tally());
        into.durations = self.durations.as_ref().map(|durations| durations.read());
    }
}

/// The place of the sum, after the buckets.
const SUM: usize = Histogram::BUCKETS;

/// How long calls took: the buckets and the sum.
#[derive(Debug)]
struct Durations(Sharded<{ Histogram::BUCKETS + 1 }>);

impl Durations {
    fn observe(&self, took: Span) {
        // ORDERING: relaxed; counters that guard no other data.
        self.0.add(Histogram::bucket(took), 1, Ordering::Relaxed);
        self.0.add(SUM, took.as_nanos(), Ordering::Relaxed);
    }

    fn read(&self) -> Histogram {
        // ORDERING: relaxed, as above. The sum may have a call more or less than the buckets.
        Histogram {
            counts: array::from_fn(|place| self.0.total(place, Ordering::Relaxed)),
            sum: Span::from_nanos(self.0.total(SUM, Ordering::Relaxed)),
        }
    }
}

/// What a breaker counts beside its cells: nothing, until it has made a transition or rejected a call.
#[derive(Debug)]
pub(crate) struct BreakerCounts(Late<Turns>);

#[derive(Debug)]
struct Turns {
    /// As many threads may be rejected at once.
    rejections: Sharded<{ RejectReason::ALL.len() }>,
    transitions: Counters<Edge, { Edge::COUNT }>,
    past: Past,
}

impl BreakerCounts {
    pub(crate) const fn none() -> Self {
        Self(Late::none())
    }

    fn turns(&self) -> &Turns {
        self.0.made(|| Turns {
            rejections: Sharded::new(),
            transitions: Counters::new(),
            past: Past::default(),
        })
    }

    pub(crate) fn rejected(&self, reason: RejectReason) {
        // ORDERING: relaxed; a counter that guards no other data.
        self.turns().rejections.add(reason.place(), 1, Ordering::Relaxed);
    }

    pub(crate) fn turned(&self, change: Change) {
        let Change { old: from, new: to, reason, .. } = change;
        let turns = self.turns();
        turns.transitions.add(Edge { from, to, reason });
        turns.past.note(change);
    }

    /// Begins at zero again, with the same past; for who is alone with it, as the child of a fork is.
    pub(crate) fn clear(&self) {
        if let Some(turns) = self.0.0.get() {
            turns.rejections.clear();
            turns.transitions.clear();
        }
    }

    /// The last changes of state, the oldest first.
    pub(crate) fn changes(&self) -> Vec<Change> {
        self.0.0.get().map(|turns| turns.past.read()).unwrap_or_default()
    }

    pub(crate) fn read(&self, into: &mut BreakerMetrics) {
        into.rejections = self.0.tally(|turns| {
            Tally::new(|reason: RejectReason| turns.rejections.total(reason.place(), Ordering::Relaxed))
        });
        into.transitions = self.0.tally(|turns| turns.transitions.tally());
    }
}
