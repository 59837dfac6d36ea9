//! A stress of one budget: no token is taken that was not there, and none is lost.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use overcurrent::{Budget, BudgetPolicy, Instant};

use crate::dice::Dice;

const TOKEN: u64 = 1_000_000;

/// Nanoseconds that a brisk clock moves on with each reading: some milliseconds, so that each
/// withdrawal brings a refill.
const BRISK: u64 = 2_500_000;

/// Threads deposit for calls and take tokens for retries, more than there are; by the real clock or by
/// a brisk one. How many tokens they took.
pub(crate) fn run(threads: u64, length: Duration, brisk: bool) -> u64 {
    let policy = BudgetPolicy::draft().ratio(0.2).min_per_second(50.0).burst(1_000).build();
    let policy = policy.expect("the policy is valid");
    let budget = Budget::new(policy);
    // Drained, it never comes near its burst again, so that nothing is cut off.
    while budget.withdraw() {}
    let clock = AtomicU64::new(budget.cells().words()[1].load(Ordering::SeqCst) * 1_000_000);
    let withdraw = || {
        if brisk {
            budget.withdraw_at(Instant::from_nanos(clock.fetch_add(BRISK, Ordering::Relaxed)))
        } else {
            budget.withdraw()
        }
    };
    let start = budget.cells().words().map(|word| word.load(Ordering::SeqCst));
    let end = std::time::Instant::now() + length;
    let taken = thread::scope(|scope| {
        let callers: Vec<_> = (0..threads)
            .map(|seed| {
                let (budget, withdraw) = (&budget, &withdraw);
                scope.spawn(move || {
                    let mut dice = Dice::new(seed);
                    let (mut deposits, mut tokens) = (0, 0);
                    while std::time::Instant::now() < end {
                        for _ in 0..32 {
                            if dice.hits(50) {
                                budget.deposit();
                                deposits += 1;
                            } else {
                                tokens += u64::from(withdraw());
                            }
                            assert!(budget.tokens_micro() <= policy.capacity, "a burst is the most it holds");
                        }
                    }
                    (deposits, tokens)
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().expect("no caller panics")).collect::<Vec<_>>()
    });
    let [held, read] = budget.cells().words().map(|word| word.load(Ordering::SeqCst));
    let deposits: u64 = taken.iter().map(|(deposits, _)| deposits).sum();
    let tokens: u64 = taken.iter().map(|(_, tokens)| tokens).sum();
    let came =
        start[0] + deposits * u64::from(policy.ratio.parts()) + (read - start[1]) * policy.refill_per_milli;
    assert_eq!(came, tokens * TOKEN + held, "{deposits} deposits in {} ms, {tokens} tokens", read - start[1]);
    tokens
}
