//! A stress through permits alone, as a program uses a breaker: nobody hears which outcomes were
//! counted, so the sum is made of what the breaker tells.

use overcurrent::{Breaker, Instant, Span};

use crate::{
    dice::Dice,
    events::{self, Decided, Epochs},
    scenario::Weather,
};

/// Calls that a thread holds at once, at most.
const HELD: usize = 4;

/// Calls until `end`; how many calls were admitted, each of which has ended.
pub(crate) fn run(breaker: &Breaker, end: Instant, seed: u64) -> u64 {
    let mut dice = Dice::new(seed);
    let (mut held, mut admitted) = (Vec::new(), 0);
    let mut now = breaker.now();
    // A permit reads the time itself.
    events::under_way(Instant::ZERO, Span::ZERO);
    while now < end {
        for _ in 0..16 {
            if held.len() < HELD && dice.hits(50) {
                if let Ok(permit) = breaker.acquire() {
                    held.push(permit);
                    admitted += 1;
                }
            } else if !held.is_empty() {
                let permit = held.swap_remove(dice.below(held.len()));
                if dice.hits(Weather::at(now).failures()) { permit.failure() } else { permit.success() }
            }
        }
        now = breaker.now();
    }
    for permit in held {
        permit.success();
    }
    admitted
}

/// Each admitted call was counted while calls passed, or answered as a probe, or late. For a breaker
/// that one probe decides.
pub(crate) fn check(breaker: &Breaker, epochs: &Epochs, admitted: u64) {
    let decided = |epoch: &u32| epochs.decided(*epoch) != Decided::Otherwise;
    let answered = epochs.half_open().filter(decided).count() as u64;
    let totals = breaker.cells().totals();
    let counted = totals.successes + totals.failures;
    assert_eq!(
        admitted,
        counted + answered + breaker.late(),
        "{admitted} calls were admitted; {counted} counted, {answered} answered as probes, {} late",
        breaker.late()
    );
}
