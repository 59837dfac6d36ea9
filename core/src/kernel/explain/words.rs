//! Numbers as people read them. Durations are rounded to a digit after the point.

use std::fmt;

use crate::kernel::time::{Ppm, Span};

/// A count of something.
pub(super) struct Plural(pub(super) u64, pub(super) &'static str);

impl fmt::Display for Plural {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, one) = *self;
        match (count, one.strip_suffix('y')) {
            (1, _) => write!(f, "1 {one}"),
            (_, Some(stem)) => write!(f, "{count} {stem}ies"),
            (_, None) if one.ends_with('s') => write!(f, "{count} {one}es"),
            (_, None) => write!(f, "{count} {one}s"),
        }
    }
}

/// A ratio in percent, with no more digits than it has.
pub(super) struct Percent(pub(super) Ppm);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0.parts() / 10_000, self.0.parts() % 10_000);
        if part == 0 {
            return write!(f, "{whole} %");
        }
        let digits = format!("{part:04}");
        write!(f, "{whole}.{} %", digits.trim_end_matches('0'))
    }
}

/// A duration with one digit after the point, at most, in the unit that suits it: `3.2 s`, `450 ms`, `2 min`.
#[derive(Clone, Copy)]
pub(super) struct Rounded(pub(super) Span);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] =
            [(3_600_000_000_000, "h"), (60_000_000_000, "min"), (1_000_000_000, "s"), (1_000_000, "ms")];
        let nanos = self.0.as_nanos();
        let (size, unit) = UNITS.into_iter().find(|(size, _)| nanos >= *size).unwrap_or((1_000_000, "ms"));
        let tenths = (nanos / (size / 10)).saturating_add(u64::from(nanos % (size / 10) >= size / 20));
        match (tenths / 10, tenths % 10) {
            (whole, 0) => write!(f, "{whole} {unit}"),
            (whole, part) => write!(f, "{whole}.{part} {unit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_digit_after_the_point_at_most() {
        for (nanos, shown) in [
            (0, "0 ms"),
            (40_000, "0 ms"),
            (50_000, "0.1 ms"),
            (999_900_000, "999.9 ms"),
            (1_000_000_000, "1 s"),
            (3_249_999_999, "3.2 s"),
            (3_250_000_000, "3.3 s"),
            (60_000_000_000, "1 min"),
            (5_400_000_000_000, "1.5 h"),
        ] {
            assert_eq!(Rounded(Span::from_nanos(nanos)).to_string(), shown);
        }
    }

    #[test]
    fn a_share_has_no_more_digits_than_it_needs() {
        for (parts, shown) in [(500_000, "50 %"), (125_000, "12.5 %"), (1, "0.0001 %"), (1_000_000, "100 %")]
        {
            assert_eq!(Percent(Ppm::new(parts)).to_string(), shown);
        }
    }

    #[test]
    fn one_is_no_plural() {
        let said = [Plural(1, "retry"), Plural(0, "call"), Plural(2, "success"), Plural(3, "retry")];
        assert_eq!(said.map(|count| count.to_string()), ["1 retry", "0 calls", "2 successes", "3 retries"]);
    }
}
