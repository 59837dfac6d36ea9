//! A stream of draws of a thread's own.

use overcurrent::kernel::random;

#[derive(Debug)]
pub(crate) struct Dice {
    seed: u64,
    draws: u64,
}

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed: random::mix(seed), draws: 0 }
    }

    /// A number below `count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        self.draws = self.draws.wrapping_add(1);
        let last = u64::try_from(count - 1).expect("a count is not that large");
        let drawn = random::between(random::draw(self.seed, self.draws), 0, last);
        usize::try_from(drawn).expect("below a count")
    }

    /// True in `percent` of all cases.
    pub(crate) fn hits(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}
