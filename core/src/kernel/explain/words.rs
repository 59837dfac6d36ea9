//! Numbers as people read them.

use std::fmt;

use crate::kernel::time::Ppm;

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

#[cfg(test)]
mod tests {
    use super::*;

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
