//! What the rounds came to: the median and the minimum of the time per operation.

use serde::Serialize;

use crate::slice::Slice;

/// A slice that lost a larger share of its time is disturbed.
const TOLERATED: f64 = 0.05;
/// Fewer slices than this say nothing.
const ENOUGH: usize = 5;

/// The time of one operation over all rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// In nanoseconds, the middle of the slices.
    pub median: f64,
    /// In nanoseconds, the least of the slices.
    pub minimum: f64,
    /// How many slices were measured.
    pub slices: usize,
    /// How many of them were disturbed. They are left out; where too few would be left, the least
    /// disturbed are taken.
    pub disturbed: usize,
}

impl Figures {
    /// The figures of `slices`; `None` where there are none.
    pub fn of(slices: &[Slice]) -> Option<Self> {
        let mut slices = slices.to_vec();
        slices.sort_by(|one, two| one.lost.total_cmp(&two.lost));
        let calm = slices.iter().filter(|slice| slice.lost <= TOLERATED).count();
        let taken = calm.max(ENOUGH).min(slices.len());
        let mut times: Vec<f64> = slices[..taken].iter().map(|slice| slice.nanos).collect();
        times.sort_by(f64::total_cmp);
        let middle = times.len() / 2;
        let median = if times.len() % 2 == 1 {
            times[middle]
        } else {
            f64::midpoint(*times.get(middle.checked_sub(1)?)?, times[middle])
        };
        Some(Self { median, minimum: *times.first()?, slices: slices.len(), disturbed: slices.len() - calm })
    }

    /// Whether disturbed slices take part, for want of others.
    pub const fn doubtful(&self) -> bool {
        self.disturbed > 0 && self.slices - self.disturbed < ENOUGH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calm(nanos: f64) -> Slice {
        Slice { nanos, lost: 0.01 }
    }

    fn disturbed(nanos: f64, lost: f64) -> Slice {
        Slice { nanos, lost }
    }

    #[test]
    fn the_median_is_the_middle_and_the_minimum_the_least() {
        let odd = Figures::of(&[calm(30.0), calm(10.0), calm(20.0)]).unwrap();
        assert_eq!((odd.median, odd.minimum), (20.0, 10.0));
        let even = Figures::of(&[calm(40.0), calm(10.0), calm(20.0), calm(30.0)]).unwrap();
        assert_eq!((even.median, even.minimum), (25.0, 10.0));
        assert_eq!(Figures::of(&[]), None);
    }

    #[test]
    fn disturbed_slices_are_left_out_while_enough_remain() {
        let mut slices = vec![calm(10.0); ENOUGH];
        slices.extend([disturbed(1.0, 0.06), disturbed(99.0, 0.9)]);
        let figures = Figures::of(&slices).unwrap();
        assert_eq!((figures.median, figures.minimum, figures.disturbed), (10.0, 10.0, 2));
        assert!(!figures.doubtful());
    }

    #[test]
    fn the_least_disturbed_slices_take_the_place_of_calm_ones() {
        let mut slices: Vec<Slice> = (1..=20).map(|number| disturbed(f64::from(number), 0.5)).collect();
        slices.extend((1..ENOUGH).map(|_| disturbed(100.0, 0.1)));
        slices.push(calm(90.0));
        let figures = Figures::of(&slices).unwrap();
        assert_eq!((figures.median, figures.minimum), (100.0, 90.0));
        assert!(figures.doubtful());
    }
}
