//! The base of each wait: how it grows from one failed attempt to the next, capped.
//!
//! | backoff | base of the k-th wait |
//! | --- | --- |
//! | none | 0 |
//! | constant | `delay` |
//! | linear | `min(max, initial + (k − 1) · step)` |
//! | exponential | `initial`, then `min(max, floor(last · multiplier))` |
//! | schedule | the k-th entry; the last one repeats |
//!
//! The k-th wait follows the k-th failed attempt.

use super::{policy::waits::Backoff, time::Span};

impl Backoff {
    /// The longest wait, where the shape has one.
    pub const fn max(&self) -> Option<Span> {
        match self {
            Self::Linear { max, .. } | Self::Exponential { max, .. } => Some(*max),
            Self::None | Self::Constant { .. } | Self::Schedule { .. } => None,
        }
    }
}

/// The bases of one run of waits, in order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bases {
    given: u32,
    last: Span,
}

impl Bases {
    /// The base of the next wait.
    pub fn next(&mut self, backoff: &Backoff) -> Span {
        let before = self.given;
        self.given = before.saturating_add(1);
        self.last = match backoff {
            Backoff::None => Span::ZERO,
            Backoff::Constant { delay } => *delay,
            Backoff::Linear { initial, step, max } => {
                initial.saturating_add(step.saturating_mul(u64::from(before))).min(*max)
            }
            Backoff::Exponential { initial, .. } if before == 0 => *initial,
            Backoff::Exponential { multiplier, max, .. } => self.last.scaled(*multiplier).min(*max),
            Backoff::Schedule { delays } => {
                let index = usize::try_from(before).unwrap_or(usize::MAX);
                delays.get(index).or(delays.last()).copied().unwrap_or_default()
            }
        };
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Ppm;

    fn bases(backoff: &Backoff, count: usize) -> Vec<u64> {
        let mut bases = Bases::default();
        (0..count).map(|_| bases.next(backoff).as_nanos()).collect()
    }

    #[test]
    fn each_shape_grows_as_its_row_says() {
        let ns = Span::from_nanos;
        assert_eq!(bases(&Backoff::None, 2), [0, 0]);
        assert_eq!(bases(&Backoff::Constant { delay: ns(7) }, 2), [7, 7]);
        let linear = Backoff::Linear { initial: ns(5), step: ns(4), max: ns(12) };
        assert_eq!(bases(&linear, 4), [5, 9, 12, 12]);
        let exponential =
            Backoff::Exponential { initial: ns(3), multiplier: Ppm::new(1_500_000), max: ns(9) };
        assert_eq!(bases(&exponential, 5), [3, 4, 6, 9, 9]);
        assert_eq!(bases(&Backoff::Schedule { delays: vec![ns(1), ns(8)] }, 3), [1, 8, 8]);
    }
}
