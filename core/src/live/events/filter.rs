//! Which events a listener hears.
//!
//! Guards and breakers are told apart by themselves, not by their names, which several may share.

use std::sync::atomic::{AtomicU32, Ordering};

/// Numbers the guards and breakers that somebody listens to; 0 is none.
static NUMBERED: AtomicU32 = AtomicU32::new(0);

/// What an event can be about. It has a number once somebody listens to it in particular.
#[derive(Debug, Default)]
pub(crate) struct Source(AtomicU32);

impl Source {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Its number, if it has one; 0 otherwise.
    pub(crate) fn known(&self) -> u32 {
        // ORDERING: relaxed; the number guards no other data. Who has just been given it may be missed by
        // a decision of the same moment.
        self.0.load(Ordering::Relaxed)
    }

    /// Its number, from now on.
    pub(crate) fn number(&self) -> u32 {
        match self.known() {
            0 => {
                let next = NUMBERED.fetch_add(1, Ordering::Relaxed) + 1;
                self.0
                    .compare_exchange(0, next, Ordering::Relaxed, Ordering::Relaxed)
                    .map_or_else(|other| other, |_| next)
            }
            number => number,
        }
    }
}

/// The guard and the breaker that an event is about, by their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) guard: u32,
    pub(crate) breaker: u32,
}

/// Which events to hear: all there are, or those of one guard and its breaker, or of one breaker.
///
/// ```
/// use overcurrent::{Filter, Guard, subscribe};
///
/// let guard = Guard::builder("payments").build()?;
/// let of_one = subscribe(Filter::from(&guard), 100);
/// let of_all = subscribe(Filter::everything().first_rejections(), 10_000);
/// # Ok::<(), overcurrent::InvalidPolicy>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Those it is limited to.
    only: Option<About>,
    first_rejections: bool,
}

impl Filter {
    /// Every event of the process.
    pub const fn everything() -> Self {
        Self { only: None, first_rejections: false }
    }

    pub(crate) const fn only(about: About) -> Self {
        Self { only: Some(about), first_rejections: false }
    }

    /// Of a breaker's rejections just the first one after each change of its state. The others are counted:
    /// the next change of state says how many there were.
    #[must_use]
    pub const fn first_rejections(self) -> Self {
        Self { first_rejections: true, ..self }
    }

    /// Whether it lets rejections through that are not the first ones, of whichever breakers it hears.
    pub(super) const fn takes_repeated(self) -> bool {
        !self.first_rejections
    }

    /// Whether it lets an event through; `repeated` is a rejection that is not the first one.
    pub(super) fn takes(self, about: About, repeated: bool) -> bool {
        let ours = |wanted: u32, is: u32| wanted != 0 && wanted == is;
        let right =
            self.only.is_none_or(|only| ours(only.guard, about.guard) || ours(only.breaker, about.breaker));
        right && !(repeated && self.first_rejections)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_given_once_and_to_one() {
        let (one, other) = (Source::new(), Source::new());
        assert_eq!((one.known(), other.known()), (0, 0));
        let number = one.number();
        assert_eq!((one.number(), one.known()), (number, number));
        assert_ne!(other.number(), number);
    }

    #[test]
    fn a_guard_hears_of_itself_and_of_its_breaker_and_a_breaker_of_itself() {
        let about = |guard, breaker| About { guard, breaker };
        let (guard, breaker) = (Filter::only(about(1, 2)), Filter::only(about(0, 2)));
        let heard = |filter: Filter| {
            [about(1, 0), about(1, 2), about(3, 2), about(0, 2), about(3, 0), about(0, 0)]
                .map(|about| filter.takes(about, false))
        };
        assert_eq!(heard(guard), [true, true, true, true, false, false]);
        assert_eq!(heard(breaker), [false, true, true, true, false, false]);
        assert_eq!(heard(Filter::everything()), [true; 6]);
        assert!(!Filter::everything().first_rejections().takes(about(1, 2), true));
        assert!(Filter::everything().takes(about(1, 2), true));
    }
}
