//! The retry and its budget against naive models of them: random policies, random traces, several
//! calls of one or two policies at once, on budgets of their own or one that they share and that is
//! older than they are.
//!
//! `PROPTEST_CASES` sets the number of cases.

#[path = "cases/retry.rs"]
mod cases;
#[path = "cases/config.rs"]
mod config;
#[path = "model/retry.rs"]
mod model;
#[path = "model/stream.rs"]
mod stream;
#[path = "cases/text.rs"]
mod text;

use std::{sync::Arc, time::Duration};

use cases::{MILLI, SECOND, Written, WrittenBudget, budgets, policies, spans};
use model::{Calls, Retries, Tokens};
use overcurrent::{Budget, Decision, Failure, ManualClock, Retry, RetryCall, Span};
use proptest::{collection::vec, option, prelude::*, test_runner::TestCaseError};

const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/retry_model.txt");

#[derive(Clone, Debug)]
enum Op {
    /// The clock moves on, or back as far as to the creation of the youngest retry.
    Pass(u64),
    Back(u64),
    /// A call of the n-th policy begins, with so much time.
    Start(usize, Option<u64>),
    /// The n-th of the calls that run has failed: whether that can be cured, and the server's hint.
    Failed(usize, bool, Option<u64>),
    /// The n-th of them is over.
    Finish(usize),
    /// Somebody else deposits into the n-th budget, or withdraws.
    Deposit(usize),
    Withdraw(usize),
}

fn ops() -> impl Strategy<Value = Op> {
    let size = prop_oneof![2 => Just(3 * MILLI), 2 => Just(5 * SECOND), 1 => Just(u64::MAX)];
    (0..32u32, 0..6usize, any::<u64>(), spans(), size).prop_map(
        |(kind, nth, number, span, size)| match kind {
            0..=11 => Op::Failed(nth, number % 20 > 0, (number % 7 < 2).then_some(span)),
            12..=16 => Op::Start(nth, (number % 2 > 0).then_some(span)),
            17..=23 => Op::Pass(number % size),
            24..=27 => Op::Back(number % size),
            28 => Op::Finish(nth),
            29 => Op::Deposit(nth),
            _ => Op::Withdraw(nth),
        },
    )
}

/// A budget beside its model, and when it was made.
struct Purse {
    budget: Arc<Budget>,
    tokens: Tokens,
    made: u64,
}

/// The model of a retry, when that was made, and which budget it draws on.
struct Model {
    retries: Retries,
    made: u64,
    purse: Option<usize>,
}

fn decided(decision: Decision) -> Result<u64, overcurrent::StopReason> {
    match decision {
        Decision::Wait(span) => Ok(span.as_nanos()),
        Decision::Stop(reason) => Err(reason),
    }
}

/// Retries of these policies, made one after the other; with a budget to share they all draw on that.
fn ways(
    written: &[(Written, u64)],
    shared: Option<WrittenBudget>,
    clock: &ManualClock,
) -> (Vec<(Retry, Model)>, Vec<Purse>, u64) {
    let at = |clock: &ManualClock| overcurrent::Clock::now(clock).as_nanos();
    let purse =
        |budget: Arc<Budget>, written| Purse { budget, tokens: Tokens::new(written), made: at(clock) };
    let mut purses: Vec<Purse> = Vec::new();
    if let Some(shared) = shared {
        let budget = Budget::with_clock(shared.policy(), Arc::new(clock.clone()));
        purses.push(purse(Arc::new(budget), shared));
    }
    let mut all = Vec::new();
    for (policy, seed) in written {
        clock.advance(Duration::from_nanos(seed % (3 * SECOND)));
        let mut retry = Retry::with(policy.policy(), Arc::new(clock.clone()), Some(*seed));
        if shared.is_some() {
            retry = retry.sharing(Arc::clone(&purses[0].budget));
        } else if let (Some(written), Some(budget)) = (policy.budget, retry.budget()) {
            purses.push(purse(Arc::clone(budget), written));
        }
        let own = policy.budget.is_some().then(|| purses.len() - 1);
        let purse = if shared.is_some() { Some(0) } else { own };
        all.push((retry, Model { retries: Retries::new(policy, *seed), made: at(clock), purse }));
    }
    (all, purses, at(clock))
}

fn run(written: &[(Written, u64)], shared: Option<WrittenBudget>, ops: &[Op]) -> Result<(), TestCaseError> {
    let clock = ManualClock::new();
    let (ways, mut purses, youngest) = ways(written, shared, &clock);
    let (retries, mut models): (Vec<Retry>, Vec<Model>) = ways.into_iter().unzip();
    let mut calls: Vec<(usize, RetryCall<'_>, Calls)> = Vec::new();
    let mut now = youngest;
    for op in ops {
        match op {
            Op::Pass(nanos) => now = now.saturating_add(*nanos),
            Op::Back(nanos) => now = now.saturating_sub(*nanos).max(youngest),
            Op::Start(nth, limit) => {
                let nth = nth % models.len();
                let model = &models[nth];
                let deadline = limit.map(|limit| (now - model.made).saturating_add(limit));
                let call = retries[nth].start(limit.map(Duration::from_nanos));
                if let Some(purse) = model.purse {
                    purses[purse].tokens.deposit();
                }
                calls.push((nth, call, Calls::until(deadline)));
            }
            Op::Failed(nth, retryable, hint) if !calls.is_empty() => {
                let nth = nth % calls.len();
                let (of, call, copy) = &mut calls[nth];
                let failure = Failure { retryable: *retryable, hint: hint.map(Span::from_nanos) };
                let answer = decided(call.failed(failure));
                let model = &mut models[*of];
                let mut purse = model.purse.map(|nth| &mut purses[nth]);
                let withdraw = || purse.as_mut().is_none_or(|purse| purse.tokens.withdraw(now - purse.made));
                let expected = model.retries.failed(copy, (*retryable, *hint), now - model.made, withdraw);
                prop_assert_eq!(answer, expected);
                if answer.is_err() {
                    calls.swap_remove(nth);
                }
            }
            Op::Finish(nth) if !calls.is_empty() => {
                calls.swap_remove(nth % calls.len());
            }
            Op::Deposit(nth) if !purses.is_empty() => {
                let nth = nth % purses.len();
                purses[nth].budget.deposit();
                purses[nth].tokens.deposit();
            }
            Op::Withdraw(nth) if !purses.is_empty() => {
                let nth = nth % purses.len();
                let made = purses[nth].made;
                prop_assert_eq!(purses[nth].budget.withdraw(), purses[nth].tokens.withdraw(now - made));
            }
            Op::Failed(..) | Op::Finish(_) | Op::Deposit(_) | Op::Withdraw(_) => {}
        }
        clock.set(Duration::from_nanos(now));
        for purse in &purses {
            prop_assert_eq!(u128::from(purse.budget.tokens_micro()), purse.tokens.held());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config::config(REGRESSIONS))]

    #[test]
    fn the_retry_and_its_budget_do_what_the_models_do(
        policies in vec((policies(), any::<u64>()), 1..=2),
        shared in option::weighted(0.4, budgets()),
        ops in vec(ops(), 1..150),
    ) {
        run(&policies, shared, &ops)?;
    }
}
