//! The wait drawn around its base, always inside the cap.
//!
//! | jitter | wait |
//! | --- | --- |
//! | none | the base d |
//! | full | between 0 and d |
//! | equal | between d − d/2 and d |
//! | proportional p | between d − floor(d·p) and min(max, d + floor(d·p)) |
//! | decorrelated | between initial and min(max, 3 · the wait before) |
//!
//! "Full", "equal" and "decorrelated" are the names of Brooker, "Exponential backoff and jitter" (AWS
//! Architecture Blog, 2015).
//!
//! INVARIANT: hints aside no wait exceeds `max`, the first wait is jittered, and the spread does not
//! vanish at the cap, because the cap is applied to the base and not to the drawn wait.

use super::{
    backoff::Bases,
    outcome::Origin,
    policy::waits::{Backoff, Jitter},
    random::between,
    time::Span,
};

/// One run of waits: what was waited before is all it remembers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waits {
    bases: Bases,
    last: Option<Span>,
    hinted: bool,
}

impl Waits {
    /// The next wait. A `hint` of the server is a floor: where it is longer, the wait is drawn from
    /// the hint to one and a half of it (or is the hint, without jitter).
    ///
    /// Draws once unless `jitter` is none, and once more where a hint wins.
    pub fn next(
        &mut self,
        backoff: &Backoff,
        jitter: Jitter,
        hint: Option<Span>,
        mut draw: impl FnMut() -> u64,
    ) -> Span {
        let base = self.bases.next(backoff);
        let wait = match self.bounds(base, backoff, jitter) {
            Some((low, high)) => span_between(draw(), low, high),
            None => base,
        };
        self.last = Some(wait);
        let hint = hint.filter(|hint| *hint > wait);
        self.hinted = hint.is_some();
        match hint {
            Some(hint) if jitter == Jitter::None => hint,
            Some(hint) => {
                let half = Span::from_nanos(hint.as_nanos() / 2);
                span_between(draw(), hint, hint.saturating_add(half))
            }
            None => wait,
        }
    }

    /// What the last wait came from.
    pub const fn origin(&self) -> Origin {
        if self.hinted { Origin::Hint } else { Origin::Backoff }
    }

    fn bounds(&self, base: Span, backoff: &Backoff, jitter: Jitter) -> Option<(Span, Span)> {
        match (jitter, backoff) {
            (Jitter::None, _) => None,
            (Jitter::Full, _) => Some((Span::ZERO, base)),
            (Jitter::Equal, _) => Some((base.saturating_sub(Span::from_nanos(base.as_nanos() / 2)), base)),
            (Jitter::Proportional(share), _) => {
                let part = base.scaled(share);
                let high = base.saturating_add(part);
                Some((base.saturating_sub(part), backoff.max().map_or(high, |max| high.min(max))))
            }
            (Jitter::Decorrelated, Backoff::Exponential { initial, max, .. }) => {
                let last = self.last.unwrap_or(*initial);
                Some((*initial, last.saturating_mul(3).min(*max)))
            }
            // No valid policy: decorrelated jitter belongs to exponential backoff.
            (Jitter::Decorrelated, _) => Some((base, base)),
        }
    }
}

fn span_between(draw: u64, low: Span, high: Span) -> Span {
    Span::from_nanos(between(draw, low.as_nanos(), high.as_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{random, time::Ppm};
    use proptest::prelude::*;

    fn jitters() -> impl Strategy<Value = Jitter> {
        prop_oneof![
            Just(Jitter::None),
            Just(Jitter::Full),
            Just(Jitter::Equal),
            Just(Jitter::Decorrelated),
            (1u32..=1_000_000).prop_map(|parts| Jitter::Proportional(Ppm::new(parts))),
        ]
    }

    #[test]
    fn a_hint_that_is_no_longer_than_the_wait_draws_nothing() {
        let mut drawn = 0;
        let draw = || {
            drawn += 1;
            0
        };
        let wait = Waits::default().next(&Backoff::None, Jitter::Full, Some(Span::ZERO), draw);
        assert_eq!((wait, drawn), (Span::ZERO, 1));
    }

    proptest! {
        #[test]
        fn no_wait_exceeds_the_cap_and_a_hint_is_a_floor(
            seed: u64, jitter in jitters(), initial in 1u64..1_000_000, factor in 1u64..1000, hint in 0u64..2_000_000,
        ) {
            let max = Span::from_nanos(initial * factor);
            let backoff = Backoff::Exponential {
                initial: Span::from_nanos(initial), multiplier: Ppm::new(2_000_000), max,
            };
            let (mut plain, mut hinted, mut n) = (Waits::default(), Waits::default(), 0);
            for _ in 0..20 {
                n += 1;
                let wait = plain.next(&backoff, jitter, None, || random::draw(seed, n));
                prop_assert!(wait <= max);
                let hint = Span::from_nanos(hint);
                let wait = hinted.next(&backoff, jitter, Some(hint), || { n += 1; random::draw(seed, n) });
                prop_assert!(wait >= hint);
            }
        }
    }

    #[test]
    fn the_spread_stays_at_the_cap() {
        let max = Span::from_nanos(1_000);
        let backoff = Backoff::Exponential { initial: max, multiplier: Ppm::new(2_000_000), max };
        for jitter in [Jitter::Full, Jitter::Equal, Jitter::Proportional(Ppm::new(500_000))] {
            let mut waits = Waits::default();
            let drawn: std::collections::BTreeSet<Span> =
                (1..=50).map(|n| waits.next(&backoff, jitter, None, || random::draw(9, n))).collect();
            assert!(drawn.len() > 25, "{jitter:?} gave only {} different waits", drawn.len());
        }
    }
}
