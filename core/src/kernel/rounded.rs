//! A duration as a message, a note or an explanation has it. Programs read the exact one, which stands beside it in a field.

use std::fmt;

use super::time::Span;

/// A span as people read it: three significant digits, in the unit that suits it. Two minutes and two hours are the
/// first that are told in those.
///
/// ```
/// use overcurrent::{Rounded, Span};
///
/// assert_eq!(Rounded(Span::from_nanos(5_391_541_723)).to_string(), "5.39 s");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounded(pub Span);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// From how many nanoseconds on, of how many of them each, and its name.
        const UNITS: [(u64, u64, &str); 6] = [
            (7_200_000_000_000, 3_600_000_000_000, "h"),
            (120_000_000_000, 60_000_000_000, "min"),
            (1_000_000_000, 1_000_000_000, "s"),
            (1_000_000, 1_000_000, "ms"),
            (1_000, 1_000, "us"),
            (1, 1, "ns"),
        ];
        let nanos = self.0.as_nanos();
        if nanos == 0 {
            return f.write_str("0 ms");
        }
        let suiting = |nanos| UNITS.into_iter().find(|(from, ..)| nanos >= *from).unwrap_or((1, 1, "ns"));
        let (_, size, _) = suiting(nanos);
        let digits = match nanos / size {
            0..10 => 100,
            10..100 => 10,
            _ => 1,
        };
        let step = (size / digits).max(1);
        let rounded = nanos.saturating_add(step / 2) / step * step;
        // What is rounded up to a thousand of one is one of the next.
        let (_, size, unit) = suiting(rounded);
        let (whole, hundredths) = (rounded / size, rounded % size * 100 / size);
        match (hundredths / 10, hundredths % 10) {
            (0, 0) => write!(f, "{whole} {unit}"),
            (tenths, 0) => write!(f, "{whole}.{tenths} {unit}"),
            (tenths, rest) => write!(f, "{whole}.{tenths}{rest} {unit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_three_digits_in_the_unit_that_suits_it() {
        for (nanos, shown) in [
            (0, "0 ms"),
            (1, "1 ns"),
            (999, "999 ns"),
            (40_050, "40.1 us"),
            (999_499, "999 us"),
            (999_500, "1 ms"),
            (1_004_999, "1 ms"),
            (1_005_000, "1.01 ms"),
            (250_000_000, "250 ms"),
            (999_499_999, "999 ms"),
            (999_500_000, "1 s"),
            (3_200_000_000, "3.2 s"),
            (5_391_541_723, "5.39 s"),
            (9_995_000_000, "10 s"),
            (99_949_999_999, "99.9 s"),
            (99_950_000_000, "100 s"),
            (119_499_999_999, "119 s"),
            (119_500_000_000, "2 min"),
            (5_400_000_000_000, "90 min"),
            (7_199_000_000_000, "2 h"),
            (9_000_000_000_000, "2.5 h"),
            (86_400_000_000_000, "24 h"),
            (u64::MAX, "5124095 h"),
        ] {
            assert_eq!(Rounded(Span::from_nanos(nanos)).to_string(), shown);
        }
    }

    #[test]
    fn what_is_shown_is_near_what_is_meant() {
        let sizes = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("min", 60e9), ("h", 3600e9)];
        for exponent in 0..640 {
            let nanos = 1.07_f64.powi(exponent).min(1.8e19);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is below 2^64")]
            let shown = Rounded(Span::from_nanos(nanos as u64)).to_string();
            let (number, unit) = shown.split_once(' ').expect("a number and a unit");
            let size = sizes.iter().find(|(name, _)| *name == unit).expect("a unit").1;
            let read = number.parse::<f64>().expect("a number") * size;
            assert!((read / nanos - 1.0).abs() <= 0.005 || nanos < 200.0, "{nanos} is no {shown}");
        }
    }
}
