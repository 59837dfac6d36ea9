//! Counts by a key whose values are all known: one for each, also where it is zero.

use std::{fmt, marker::PhantomData};

/// A type with so few values that all of them are listed.
pub trait Listed: Copy + PartialEq + fmt::Debug + 'static {
    /// Every value, each once.
    const ALL: &'static [Self];

    /// Its place in the list.
    fn place(self) -> usize {
        Self::ALL.iter().position(|other| *other == self).unwrap_or(Self::ALL.len())
    }

    /// The words for it, as many as it takes.
    fn words(self) -> [&'static str; 3];
}

/// So many of each `K`.
///
/// ```
/// use overcurrent::{Ending, Guard};
///
/// let guard = Guard::builder("payments").build()?;
/// let _ = guard.call(|_| Ok::<_, ()>("paid"));
/// let calls = guard.metrics().calls;
/// assert_eq!((calls.of(Ending::Success), calls.sum()), (1, 1));
/// # Ok::<(), overcurrent::InvalidPolicy>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Tally<K> {
    counts: Box<[u64]>,
    keys: PhantomData<K>,
}

impl<K: Listed> Tally<K> {
    /// So many of each.
    pub fn new(count: impl Fn(K) -> u64) -> Self {
        Self { counts: K::ALL.iter().map(|key| count(*key)).collect(), keys: PhantomData }
    }

    /// How many of this one.
    pub fn of(&self, key: K) -> u64 {
        self.counts.get(key.place()).copied().unwrap_or_default()
    }

    /// How many of each, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = (K, u64)> {
        K::ALL.iter().copied().zip(self.counts.iter().copied())
    }

    /// How many in all.
    pub fn sum(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

impl<K: Listed> Default for Tally<K> {
    /// None of any.
    fn default() -> Self {
        Self::new(|_| 0)
    }
}

impl<K: Listed> fmt::Debug for Tally<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::outcome::Origin;

    #[test]
    fn each_value_has_its_count() {
        let tally = Tally::new(|origin| if origin == Origin::Hint { u64::MAX } else { 2 });
        assert_eq!((tally.of(Origin::Backoff), tally.of(Origin::Hint)), (2, u64::MAX));
        assert!(tally.iter().eq([(Origin::Backoff, 2), (Origin::Hint, u64::MAX)]));
        assert_eq!(tally.sum(), u64::MAX, "it saturates");
        assert_eq!(format!("{tally:?}"), format!("{{Backoff: 2, Hint: {}}}", u64::MAX));
        assert_eq!(Tally::<Origin>::default().sum(), 0);
    }
}
