//! The retry budget: never overspent.

use loom::{sync::Arc, thread};

use super::{at, check, check_up_to};
use crate::{cells::budget::BudgetCells, kernel::policy::BudgetPolicy};

/// One token, two takers.
#[test]
fn a_token_is_taken_once() {
    check(|| {
        let policy = BudgetPolicy::draft().ratio(0.0).min_per_second(0.0).burst(1).build().unwrap();
        let cells = Arc::new(BudgetCells::new(&policy));
        let other = thread::spawn({
            let cells = Arc::clone(&cells);
            move || cells.withdraw(&policy, at(0))
        });
        let mine = cells.withdraw(&policy, at(0));
        assert!(mine != other.join().unwrap());
    });
}

/// A second brings one token; two takers with different clocks do not make it two.
#[test]
fn time_mints_no_token_twice() {
    check(|| {
        let policy = BudgetPolicy::draft().ratio(0.0).min_per_second(1.0).burst(2).build().unwrap();
        let cells = Arc::new(BudgetCells::new(&policy));
        assert!(cells.withdraw(&policy, at(0)) && cells.withdraw(&policy, at(0)));
        let other = thread::spawn({
            let cells = Arc::clone(&cells);
            move || cells.withdraw(&policy, at(1_000))
        });
        let mine = cells.withdraw(&policy, at(999));
        let granted = u64::from(mine) + u64::from(other.join().unwrap());
        assert!(granted <= 1);
        assert!(granted * 1_000_000 + cells.held() <= 1_000_000, "at most one token in a second");
    });
}

/// Two tokens, three takers.
#[test]
fn two_tokens_are_taken_twice() {
    check_up_to(2, || {
        let policy = BudgetPolicy::draft().ratio(0.0).min_per_second(0.0).burst(2).build().unwrap();
        let cells = Arc::new(BudgetCells::new(&policy));
        let others = [(); 2].map(|()| {
            let cells = Arc::clone(&cells);
            thread::spawn(move || cells.withdraw(&policy, at(0)))
        });
        let mine = cells.withdraw(&policy, at(0));
        let granted =
            u64::from(mine) + others.map(|other| u64::from(other.join().unwrap())).iter().sum::<u64>();
        assert_eq!((granted, cells.held()), (2, 0));
    });
}

/// A deposit and a withdrawal at once: neither is lost.
#[test]
fn a_deposit_and_a_withdrawal_both_count() {
    check(|| {
        let policy = BudgetPolicy::draft().ratio(1.0).min_per_second(0.0).burst(3).build().unwrap();
        let cells = Arc::new(BudgetCells::new(&policy));
        assert!(cells.withdraw(&policy, at(0)) && cells.withdraw(&policy, at(0)));
        let other = thread::spawn({
            let cells = Arc::clone(&cells);
            move || cells.deposit(&policy)
        });
        assert!(cells.withdraw(&policy, at(0)));
        other.join().unwrap();
        assert_eq!(cells.held(), 1_000_000);
    });
}
