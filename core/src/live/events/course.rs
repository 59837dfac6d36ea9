//! The changes of state of one breaker, told in the order in which they were made.
//!
//! Who makes a transition tells of it later, and may be put to sleep between the two, while others make the
//! next one and want to tell of that. The epoch says where each belongs: one that comes early is kept until
//! those before it have been told, and is then told by who told the last of them.
//!
//! One word per breaker says how far the telling has come, low to high: whether somebody heard the last one
//! (1 bit), its epoch (the low 18 bits), when it was made (whole ms, 45 bits: every instant there is). Where
//! nobody listens the word is moved on by a compare-and-swap and nothing else is done.
//!
//! | told so far | a transition of epoch e is told | becomes |
//! | --- | --- | --- |
//! | e or later | not at all: others were told without anybody listening, while it was under way | the same |
//! | e − 1 | at once, then what was kept after it | e, or the last of those |
//! | earlier, nobody listens nor did | not at all | e |
//! | earlier | kept; if as many are kept already as may be, the first of them are told without what is missing | the same, or the last one told |
//!
//! INVARIANT: nobody hears of a transition after a later one, nor misses one between two that he heard, but
//! where a thread was put to sleep in between for more transitions than may be kept.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use super::{
    filter::{About, Source},
    hub,
};
use crate::kernel::{event::Event, time::Instant};

/// How many transitions of one breaker are kept for one that is missing.
const MOST_KEPT: usize = 64;

const HEARD: u64 = 1;
const EPOCH_BITS: u32 = 18;
const EPOCHS: u64 = 1 << EPOCH_BITS;

/// The transitions that came early, of all breakers; nearly always none. Its lock is held while transitions
/// are told, where somebody listens.
static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

struct Kept {
    /// The number of its breaker.
    breaker: u32,
    turn: Turn,
}

/// A transition, to be told.
struct Turn {
    /// The epoch that began with it.
    epoch: u32,
    /// When it was made.
    at: Instant,
    /// The change of state; how long the old state lasted and how many calls it rejected is filled in.
    event: Event,
}

/// How far the telling has come.
#[derive(Clone, Copy)]
struct Told(u64);

impl Told {
    fn new(epoch: u32, at: Instant, heard: bool) -> Self {
        let heard = if heard { HEARD } else { 0 };
        Self(at.millis() << (EPOCH_BITS + 1) | (u64::from(epoch) % EPOCHS) << 1 | heard)
    }

    const fn is_heard(self) -> bool {
        self.0 & HEARD != 0
    }

    /// How many epochs after this one `epoch` is; negative where it is told already.
    fn ahead(self, epoch: u32) -> i64 {
        let ahead = (u64::from(epoch).wrapping_sub(self.0 >> 1) % EPOCHS).cast_signed();
        let half = (EPOCHS / 2).cast_signed();
        if ahead >= half { ahead - 2 * half } else { ahead }
    }

    const fn at(self) -> Instant {
        Instant::from_millis(self.0 >> (EPOCH_BITS + 1))
    }
}

/// What a breaker keeps for those who listen.
#[derive(Debug)]
pub(crate) struct Course {
    pub(crate) source: Source,
    /// The calls rejected since the last transition, while somebody listened.
    rejected: AtomicU32,
    told: AtomicU64,
}

impl Course {
    /// That of a breaker whose epoch `first` began at zero.
    pub(crate) fn new(first: u32) -> Self {
        Self {
            source: Source::new(),
            rejected: AtomicU32::new(0),
            told: AtomicU64::new(Told::new(first, Instant::ZERO, false).0),
        }
    }

    /// One more rejection; which one it is, from 1. To be asked where somebody listens.
    pub(crate) fn reject(&self) -> u64 {
        // ORDERING: relaxed; a counter that guards no other data.
        u64::from(self.rejected.fetch_add(1, Ordering::Relaxed)) + 1
    }

    /// Tells of a transition.
    pub(crate) fn tell(&self, epoch: u32, at: Instant, event: impl FnOnce() -> Event) {
        if hub::is_heard() || !self.pass(epoch, at) {
            self.tell_in_order(Turn { epoch, at, event: event() });
            hub::told();
        }
    }

    fn told(&self) -> Told {
        // ORDERING: relaxed, as are all accesses of the word: it is all there is to know, and the events
        // themselves go through locks.
        Told(self.told.load(Ordering::Relaxed))
    }

    fn swap(&self, from: Told, to: Told) -> bool {
        self.told.compare_exchange(from.0, to.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Moves on without telling anybody. `false` where somebody heard the last one, and must not miss this.
    fn pass(&self, epoch: u32, at: Instant) -> bool {
        loop {
            let told = self.told();
            if told.is_heard() {
                return false;
            }
            if told.ahead(epoch) <= 0 || self.swap(told, Told::new(epoch, at, false)) {
                return true;
            }
        }
    }

    #[cold]
    fn tell_in_order(&self, turn: Turn) {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let breaker = self.source.number();
        let mut next = self.place(turn, breaker, &mut kept);
        while let Some(turn) = next {
            let epoch = turn.epoch.wrapping_add(1);
            self.spread(turn);
            next = take(&mut kept, |other| other.breaker == breaker && other.turn.epoch == epoch);
        }
        self.end_if_unheard();
    }

    /// Whichever is to be told now, the place for it taken; `None` where it is too late or too early.
    fn place(&self, mut turn: Turn, breaker: u32, kept: &mut Vec<Kept>) -> Option<Turn> {
        loop {
            let told = self.told();
            match told.ahead(turn.epoch) {
                ..=0 => return None,
                1 => return Some(turn),
                _ => {
                    // From here on nobody passes, so the one that is missing will look for this one.
                    if !told.is_heard() && !self.swap(told, Told(told.0 | HEARD)) {
                        continue;
                    }
                    kept.push(Kept { breaker, turn });
                    if kept.iter().filter(|other| other.breaker == breaker).count() <= MOST_KEPT {
                        return None;
                    }
                    let ahead = |other: &Kept| told.ahead(other.turn.epoch);
                    let first = kept.iter().filter(|other| other.breaker == breaker).map(ahead).min();
                    turn = take(kept, |other| other.breaker == breaker && Some(ahead(other)) == first)?;
                    return Some(turn);
                }
            }
        }
    }

    /// Tells of a transition whose turn it is.
    fn spread(&self, turn: Turn) {
        let Turn { epoch, at, mut event } = turn;
        loop {
            let told = self.told();
            // Somebody may have passed meanwhile, as long as nobody had heard the last one.
            if told.ahead(epoch) <= 0 {
                return;
            }
            if self.swap(told, Told::new(epoch, at, true)) {
                if let Event::StateChange { lasted, rejected, .. } = &mut event {
                    let now = Instant::from_millis(at.millis());
                    *lasted = now.since(told.at());
                    *rejected = self.rejected.swap(0, Ordering::Relaxed).into();
                }
                hub::spread(About { guard: 0, breaker: self.source.known() }, &event);
                return;
            }
        }
    }

    /// Where nobody listens any more, the next ones may pass.
    fn end_if_unheard(&self) {
        let told = self.told();
        if told.is_heard() && !hub::is_heard() {
            self.swap(told, Told(told.0 & !HEARD));
        }
    }
}

fn take(kept: &mut Vec<Kept>, wanted: impl Fn(&Kept) -> bool) -> Option<Turn> {
    let place = kept.iter().position(wanted)?;
    Some(kept.swap_remove(place).turn)
}

#[cfg(test)]
mod tests;
