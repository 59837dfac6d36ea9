//! How long calls took, counted by size.

use crate::kernel::time::Span;

/// The upper bounds of the buckets, in milliseconds: those that Prometheus clients use for latencies, from a
/// quick answer of the same rack to the default attempt timeout of 10 s, about 2.2 times apart.
const BOUNDS: [u64; Histogram::BUCKETS - 1] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

/// Durations, counted by size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many fell into each bucket, and into none of those before it.
    pub counts: [u64; Self::BUCKETS],
    /// All of them together.
    pub sum: Span,
}

impl Histogram {
    /// How many buckets there are, the last one without a bound.
    pub const BUCKETS: usize = 12;

    /// The bucket of a duration: the first whose bound is not below it.
    pub fn bucket(took: Span) -> usize {
        BOUNDS.iter().position(|bound| took <= Span::from_millis(*bound)).unwrap_or(BOUNDS.len())
    }

    /// The upper bound of each bucket, and how many durations there were up to it; the last bucket has none.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<Span>, u64)> {
        let bounds = BOUNDS.iter().map(|bound| Some(Span::from_millis(*bound))).chain([None]);
        let mut below = 0_u64;
        bounds.zip(self.counts).map(move |(bound, count)| {
            below = below.saturating_add(count);
            (bound, below)
        })
    }

    /// How many durations there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The same with those of another.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count = count.saturating_add(more);
        }
        Self { sum: self.sum.saturating_add(other.sum), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let nanos = |nanos| Histogram::bucket(Span::from_nanos(nanos));
        assert_eq!([0, 5_000_000, 5_000_001, 10_000_000_000].map(nanos), [0, 0, 1, 10]);
        assert_eq!([10_000_000_001, u64::MAX].map(nanos), [11, 11]);
        assert!(BOUNDS.is_sorted());
    }

    #[test]
    fn buckets_add_up() {
        let mut some = Histogram { sum: Span::from_millis(7), ..Histogram::default() };
        (some.counts[0], some.counts[11]) = (2, 1);
        let both = some.plus(&some);
        assert_eq!((both.count(), both.sum), (6, Span::from_millis(14)));
        let cumulative: Vec<_> = both.cumulative().collect();
        assert_eq!(cumulative[0], (Some(Span::from_millis(5)), 4));
        assert_eq!(cumulative[10..], [(Some(Span::from_secs(10)), 4), (None, 6)]);
    }
}
