//! Whether a history has an order that the rules allow: the search of Wing and Gong ("Testing and
//! verifying concurrent objects", 1993) with the memory of Lowe ("Testing for linearizability", 2017):
//! a place of the search (which operations have taken effect, and the state they led to) is entered
//! once.
//!
//! A history is first held against the rules as they are ([`Verdict::Exact`]). Where no order is found,
//! the three liberties of [`leeway`](crate::leeway) are granted, and nothing else.

use std::collections::{HashMap, HashSet};

use overcurrent::OpenReason;

use crate::{
    history::{Answer, Call, History, Op},
    leeway::Leeway,
    spec::{self, Effect, Spec},
};

/// What the search found.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// An order in which each operation took effect at once.
    Exact,
    /// One in which some operation used a liberty.
    WithLeeway,
    /// None; why.
    Impossible(String),
}

/// A place of the search.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    /// How many operations of each thread have taken effect.
    done: Vec<usize>,
    /// The failures in a row with one that was counted and has not been tested yet, by thread.
    counted: Vec<Option<u32>>,
    spec: Spec,
}

struct Search<'h> {
    history: &'h History,
    leeway: Option<Leeway<'h>>,
    entered: HashSet<Place>,
    order: Vec<&'h Op>,
    /// The longest order that was found, and where it led.
    longest: (Vec<&'h Op>, Spec),
}

/// Looks for an order.
pub(crate) fn check(history: &History) -> Verdict {
    if let Some(twice) = counted_twice(history) {
        return Verdict::Impossible(format!("an outcome was counted twice:\n  {twice}\n\n{history}"));
    }
    if Search::new(history, None).run() {
        return Verdict::Exact;
    }
    let mut search = Search::new(history, Some(Leeway::of(history)));
    if search.run() { Verdict::WithLeeway } else { Verdict::Impossible(search.report()) }
}

/// A permit is used up by one outcome.
fn counted_twice(history: &History) -> Option<&Op> {
    let mut used = HashSet::new();
    history.ops().find(|op| match op.call {
        Call::Record { grant, .. } => op.answer == Answer::Counted && !used.insert(grant.request),
        _ => false,
    })
}

impl<'h> Search<'h> {
    fn new(history: &'h History, leeway: Option<Leeway<'h>>) -> Self {
        let longest = (Vec::new(), Spec::new());
        Self { history, leeway, entered: HashSet::new(), order: Vec::new(), longest }
    }

    fn run(&mut self) -> bool {
        let threads = self.history.threads.len();
        self.explore(&Place { done: vec![0; threads], counted: vec![None; threads], spec: Spec::new() })
    }

    fn next(&self, place: &Place, thread: usize) -> Option<&'h Op> {
        self.history.threads[thread].get(place.done[thread])
    }

    fn explore(&mut self, place: &Place) -> bool {
        if self.order.len() > self.longest.0.len() {
            self.longest = (self.order.clone(), place.spec.clone());
        }
        let threads = 0..self.history.threads.len();
        let returned = |thread| self.next(place, thread).map(|op| op.returned);
        let Some(horizon) = threads.clone().filter_map(returned).min() else { return true };
        for thread in threads {
            // What was begun after another had returned comes after it.
            let Some(op) = self.next(place, thread).filter(|op| op.invoked < horizon) else { continue };
            for next in self.steps(place, thread, op) {
                if self.entered.insert(next.clone()) {
                    self.order.push(op);
                    if self.explore(&next) {
                        return true;
                    }
                    self.order.pop();
                }
            }
        }
        false
    }

    /// The places that the next step of `thread` may lead to.
    fn steps(&self, place: &Place, thread: usize, op: &Op) -> Vec<Place> {
        let to = |spec: Spec, counted: Option<u32>| {
            let mut next = Place { spec, ..place.clone() };
            next.counted[thread] = counted;
            next.done[thread] += usize::from(counted.is_none());
            next
        };
        let spec = &place.spec;
        if let (Some(row), Call::Record { grant, .. }) = (place.counted[thread], op.call) {
            let policy = &self.history.policy;
            let trips = spec.epoch == grant.epoch && spec.trips(policy, row);
            let test = |spec: &mut Spec| {
                let moved = trips.then(|| spec.open(policy, OpenReason::ConsecutiveFailures, op.now));
                (Answer::Counted, moved)
            };
            return self.effects(spec, op, test).map(|spec| to(spec, None)).collect();
        }
        let whole = self.effects(spec, op, |spec| self.apply(spec, op));
        let mut places: Vec<Place> = whole.map(|spec| to(spec, None)).collect();
        if let Some(leeway) = &self.leeway {
            places.extend(leeway.unwritten(spec, op).then(|| to(spec.clone(), None)));
            places.extend(leeway.counted(spec, op).map(|spec| {
                let row = spec.row;
                to(spec, Some(row))
            }));
        }
        places
    }

    /// The states after `effect`, where it answers and tells what `op` was answered and told.
    fn effects(
        &self,
        spec: &Spec,
        op: &Op,
        effect: impl Fn(&mut Spec) -> Effect,
    ) -> impl Iterator<Item = Spec> {
        let mut seen = vec![spec.clone()];
        if let Some(leeway) = &self.leeway {
            seen.extend(leeway.seen(spec, op));
        }
        seen.into_iter().filter_map(move |mut spec| {
            let (answer, moved) = effect(&mut spec);
            (answer == op.answer && moved.as_slice() == op.told.as_slice()).then_some(spec)
        })
    }

    /// The operation by the rules.
    fn apply(&self, spec: &mut Spec, op: &Op) -> Effect {
        let policy = &self.history.policy;
        match op.call {
            Call::Acquire => spec.acquire(policy, op.now),
            Call::Record { grant, outcome, took } => {
                spec.record(policy, grant.epoch, spec::failed(policy, outcome, took), op.now)
            }
            Call::Command(command) => spec.command(policy, command, op.now),
            Call::State => (Answer::State(spec.state()), None),
            Call::LateCount => (Answer::LateCount(spec.late), None),
            Call::Snapshot => (Answer::Snapshot(spec.snapshot(op.now)), None),
            Call::Audit => (Answer::Audit(spec.state(), spec.deadline, spec.late), None),
        }
    }

    /// The longest order, what it led to, and the whole history.
    fn report(&self) -> String {
        let threads = self.history.threads.iter().enumerate();
        let names: HashMap<u64, String> = threads
            .flat_map(|(thread, ops)| {
                ops.iter().enumerate().map(move |(nth, op)| (op.invoked, format!("{thread}.{nth}")))
            })
            .collect();
        let (order, spec) = &self.longest;
        let order: Vec<&str> = order.iter().map(|op| names[&op.invoked].as_str()).collect();
        format!(
            "no order of these operations keeps the rules; the longest that does is\n  {}\nand leads to \
             {spec:?}\n\n{}",
            order.join(" "),
            self.history
        )
    }
}
