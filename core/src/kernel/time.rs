//! Instants and spans: the only time types of the kernel.
//!
//! An [`Instant`] is a count of nanoseconds since the creation of the object that keeps it; a
//! [`Span`] is a length of time. Both are unsigned, 64 bits wide, and every operation saturates, so
//! no clock reading, however early or late, can make arithmetic wrap or panic. The kernel never
//! reads a clock: `now` is an argument everywhere.

use std::{fmt, time::Duration};

/// Nanoseconds in one millisecond.
pub(crate) const NANOS_PER_MILLI: u64 = 1_000_000;

/// A length of time in whole nanoseconds, at most about 584 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The longest span.
    pub const MAX: Self = Self(u64::MAX);

    /// A span of `nanos` nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// A span of `millis` milliseconds, saturating.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(NANOS_PER_MILLI))
    }

    /// A span of `secs` seconds, saturating.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// The number of nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The sum, saturating.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, zero when `other` is longer.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The span taken `factor` times, saturating.
    #[must_use]
    pub const fn saturating_mul(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// `floor(self · ratio)`, computed in 128 bits, saturating.
    #[must_use]
    pub fn scaled(self, ratio: Ppm) -> Self {
        let product = u128::from(self.0) * u128::from(ratio.0) / u128::from(Ppm::ONE.0);
        Self(u64::try_from(product).unwrap_or(u64::MAX))
    }
}

impl From<Duration> for Span {
    /// Saturates above [`Span::MAX`].
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        Self::from_nanos(span.0)
    }
}

/// Shown as a policy has it, in the largest unit that leaves no fraction: `250ms`, `3s`, `1500001ns`. For people there is
/// [`Rounded`](super::rounded::Rounded).
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 6] = [
            (3_600_000_000_000, "h"),
            (60_000_000_000, "m"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
            (1_000, "us"),
            (1, "ns"),
        ];
        if self.0 == 0 {
            return f.write_str("0ms");
        }
        let (size, unit) =
            UNITS.into_iter().find(|(size, _)| self.0.is_multiple_of(*size)).unwrap_or((1, "ns"));
        write!(f, "{}{unit}", self.0 / size)
    }
}

/// A point in time: nanoseconds since the creation of the object that keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The moment of creation.
    pub const ZERO: Self = Self(0);
    /// The last instant.
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after creation.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since creation.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since creation, rounded down.
    pub const fn millis(self) -> u64 {
        self.0 / NANOS_PER_MILLI
    }

    /// The instant `millis` milliseconds after creation, saturating.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(NANOS_PER_MILLI))
    }

    /// Rounded up to a whole millisecond; saturates at the last whole one.
    #[must_use]
    pub const fn ceil_to_milli(self) -> Self {
        match self.0.checked_next_multiple_of(NANOS_PER_MILLI) {
            Some(nanos) => Self(nanos),
            None => Self(u64::MAX / NANOS_PER_MILLI * NANOS_PER_MILLI),
        }
    }

    /// This instant and `span` later, saturating.
    #[must_use]
    pub const fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The time from `earlier` to this instant; zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

/// A ratio or multiplier in whole parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ppm(u32);

impl Ppm {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One: 1,000,000 parts per million.
    pub const ONE: Self = Self(1_000_000);

    /// `parts` parts per million.
    pub const fn new(parts: u32) -> Self {
        Self(parts)
    }

    /// The number of parts per million.
    pub const fn parts(self) -> u32 {
        self.0
    }

    /// Whether `part` of `whole` reaches this ratio: `part · 1e6 ≥ ratio · whole`.
    pub const fn reached_by(self, part: u64, whole: u64) -> bool {
        part as u128 * 1_000_000 >= self.0 as u128 * whole as u128
    }

    /// The smallest part of `whole` that reaches this ratio.
    pub fn part_of(self, whole: u64) -> u64 {
        let part = (u128::from(self.0) * u128::from(whole)).div_ceil(1_000_000);
        u64::try_from(part).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_millisecond_is_rounded_up_to_and_saturates_at_the_last_one() {
        assert_eq!(Instant::from_nanos(0).ceil_to_milli().as_nanos(), 0);
        assert_eq!(Instant::from_nanos(1).ceil_to_milli().as_nanos(), 1_000_000);
        assert_eq!(Instant::from_nanos(1_000_000).ceil_to_milli().as_nanos(), 1_000_000);
        assert_eq!(Instant::MAX.ceil_to_milli().as_nanos(), 18_446_744_073_709_000_000);
    }

    #[test]
    fn spans_scale_in_parts_per_million_rounded_down() {
        assert_eq!(Span::from_nanos(3).scaled(Ppm::new(500_000)), Span::from_nanos(1));
        assert_eq!(Span::MAX.scaled(Ppm::new(2_000_000)), Span::MAX);
    }

    #[test]
    fn the_smallest_part_that_reaches_a_ratio_is_just_enough() {
        for parts in [1, 333_333, 500_000, 999_999, 1_000_000] {
            for whole in [1, 2, 3, 99, 100, 100_000] {
                let (ratio, part) = (Ppm::new(parts), Ppm::new(parts).part_of(whole));
                assert!(
                    ratio.reached_by(part, whole) && !ratio.reached_by(part - 1, whole),
                    "{parts} {whole}"
                );
            }
        }
    }

    #[test]
    fn spans_are_shown_in_the_largest_whole_unit() {
        for (nanos, shown) in [(0, "0ms"), (250_000_000, "250ms"), (60_000_000_000, "1m"), (1_500, "1500ns")]
        {
            assert_eq!(Span::from_nanos(nanos).to_string(), shown);
        }
    }
}
