//! The transitions that a breaker told of, and what they must add up to.

use std::{
    cell::Cell,
    sync::{Mutex, PoisonError},
};

use overcurrent::{Breaker, Instant, OpenReason, Position, Span, Transition, kernel::breaker::Command};

thread_local! {
    /// When the operation under way began, and how long an opening by it lasts at least.
    static UNDER_WAY: Cell<(Instant, Span)> = const { Cell::new((Instant::ZERO, Span::ZERO)) };
}

/// A transition, and the operation that made it.
#[derive(Clone, Copy, Debug)]
struct Event {
    moved: Transition,
    now: Instant,
    /// How long the state lasts at least, if it is open.
    least: Span,
}

/// All transitions of one breaker, in the order in which they were told.
#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<Vec<Event>>);

/// Says what the calling thread is about to do, for the transition that may come of it.
pub(crate) fn under_way(now: Instant, least: Span) {
    UNDER_WAY.set((now, least));
}

/// The least time that a command keeps a breaker open.
pub(crate) fn least(command: Command, cooldown: Span) -> Span {
    match command {
        Command::Trip(span) => span.unwrap_or(cooldown),
        _ => Span::ZERO,
    }
}

impl Events {
    /// The listener.
    pub(crate) fn tell(&self, moved: Transition) {
        let (now, least) = UNDER_WAY.get();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Event { moved, now, least });
    }

    /// Checks that each epoch was told once and follows from the one before, that the last one is that of
    /// the breaker, and that nobody was admitted before a cooldown was over.
    pub(crate) fn check(&self, breaker: &Breaker) -> Epochs {
        let mut events = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        events.sort_by_key(|event| event.moved.epoch);
        let mut epochs = Epochs(vec![Epoch { position: Position::Closed, began_by: None }]);
        let mut before: Option<Event> = None;
        for (event, epoch) in events.into_iter().zip(2..) {
            let Event { moved, now, .. } = event;
            assert_eq!(moved.epoch, epoch, "each epoch is told once: {before:?}, then {event:?}");
            let from = before.map_or(Position::Closed, |before| before.moved.to);
            assert_eq!(
                moved.from, from,
                "each epoch follows from the one before: {before:?}, then {event:?}"
            );
            assert_eq!(
                moved.reason.is_some(),
                moved.to == Position::Open,
                "an opening has a reason: {event:?}"
            );
            if let (Some(before), (Position::Open, Position::HalfOpen)) = (before, (moved.from, moved.to)) {
                let opened = before.now.after(before.least);
                assert!(now >= opened, "nobody is admitted before {opened:?}: {before:?}, then {event:?}");
            }
            epochs.0.push(Epoch { position: moved.to, began_by: Some(moved) });
            before = Some(event);
        }
        let state = breaker.cells().state();
        assert_eq!((state.epoch, state.position), epochs.last(), "every transition was told");
        epochs
    }
}

#[derive(Clone, Copy, Debug)]
struct Epoch {
    position: Position,
    began_by: Option<Transition>,
}

/// The epochs of a breaker's life, from 1.
#[derive(Debug)]
pub(crate) struct Epochs(Vec<Epoch>);

impl Epochs {
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    fn last(&self) -> (u32, Position) {
        let last = u32::try_from(self.0.len()).expect("no stress makes that many");
        (last, self.0[self.0.len() - 1].position)
    }

    /// Where the breaker stood in `epoch`.
    pub(crate) fn position(&self, epoch: u32) -> Position {
        self.0[epoch as usize - 1].position
    }

    /// Whether the epoch after `epoch` began by closing, by a failed probe, or otherwise.
    pub(crate) fn decided(&self, epoch: u32) -> Decided {
        let next = self.0.get(epoch as usize).and_then(|next| next.began_by);
        match next.map(|moved| (moved.to, moved.reason)) {
            Some((Position::Closed, _)) => Decided::Closed,
            Some((Position::Open, Some(OpenReason::ProbeFailed))) => Decided::Failed,
            _ => Decided::Otherwise,
        }
    }

    /// How many epochs began for `reason`.
    pub(crate) fn opened_for(&self, reason: OpenReason) -> usize {
        let began = self.0.iter().filter_map(|epoch| epoch.began_by);
        began.filter(|moved| moved.reason == Some(reason)).count()
    }

    /// The half-open epochs.
    pub(crate) fn half_open(&self) -> impl Iterator<Item = u32> {
        (1..).zip(&self.0).filter(|(_, epoch)| epoch.position == Position::HalfOpen).map(|(number, _)| number)
    }
}

/// What became of a half-open epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decided {
    /// It closed, by its probes or by a reset.
    Closed,
    /// Its probes failed.
    Failed,
    /// Something else, or nothing yet.
    Otherwise,
}
