//! A budget is never overspent, over any stretch of its life, and whatever its clock does.

use std::{sync::Arc, time::Duration};

use overcurrent::{Budget, BudgetPolicy, ManualClock};
use proptest::{collection::vec, prelude::*};

use crate::retries::{MILLI, SECOND, WrittenBudget, budgets};

#[derive(Clone, Copy, Debug)]
enum Op {
    Pass(u64),
    Back(u64),
    /// So many calls.
    Deposit(u32),
    /// So many retries, if there is a token for each.
    Withdraw(u32),
}

fn ops() -> impl Strategy<Value = Op> {
    (0..14u32, 0..7usize, any::<u64>(), 1..30u32).prop_map(|(kind, size, nanos, times)| {
        let span = nanos % [3 * MILLI, 2 * SECOND, 3_600 * SECOND][size / 3];
        match kind {
            0..=5 => Op::Withdraw(times),
            6..=8 => Op::Deposit(times),
            9..=11 => Op::Pass(span),
            _ => Op::Back(span),
        }
    })
}

/// What had come in and gone out, in millionths of a token, at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    deposited: u128,
    /// By the latest time at which a token was asked for.
    trickled: u128,
    granted: u128,
}

const TOKEN: u128 = 1_000_000;

fn rates(written: WrittenBudget) -> (u128, u128, u128) {
    let BudgetPolicy { ratio, refill_per_milli, capacity } = written.policy();
    (ratio.parts().into(), refill_per_milli.into(), capacity.into())
}

proptest! {
    #![proptest_config(crate::config())]

    /// Between any two moments no more is granted than a full budget, the deposits between them and
    /// the trickle of the time between them.
    #[test]
    fn a_budget_is_never_overspent(written in budgets(), ops in vec(ops(), 1..150)) {
        let clock = ManualClock::new();
        let budget = Budget::with_clock(written.policy(), Arc::new(clock.clone()));
        let (ratio, each_milli, burst) = rates(written);
        let (mut now, mut latest) = (0u64, 0u64);
        let mut account = Account::default();
        let mut past = vec![account];
        for op in ops {
            match op {
                Op::Pass(nanos) => now += nanos,
                Op::Back(nanos) => now = now.saturating_sub(nanos),
                Op::Deposit(times) => {
                    (0..times).for_each(|_| budget.deposit());
                    account.deposited += u128::from(times) * ratio;
                }
                Op::Withdraw(times) => {
                    account.granted += (0..times).filter(|_| budget.withdraw()).count() as u128 * TOKEN;
                    latest = latest.max(now);
                    account.trickled = u128::from(latest / MILLI) * each_milli;
                }
            }
            clock.set(Duration::from_nanos(now));
            past.push(account);
            for then in &past {
                let spent = account.granted - then.granted;
                let had = burst + account.deposited - then.deposited + account.trickled - then.trickled;
                prop_assert!(spent <= had, "{spent} of {had} since {then:?}");
            }
        }
    }

    /// It grants what it holds: from full as many tokens as `burst`, not one more while the clock
    /// stands, and the same again once the trickle has had the time.
    #[test]
    fn a_full_budget_grants_its_burst_and_no_more(written in budgets(), rounds in 1..4usize) {
        let clock = ManualClock::new();
        let budget = Budget::with_clock(written.policy(), Arc::new(clock.clone()));
        let (_, each_milli, burst) = rates(written);
        for _ in 0..rounds {
            let granted = (0..=burst / TOKEN).filter(|_| budget.withdraw()).count();
            prop_assert_eq!(granted as u128 * TOKEN, burst);
            if each_milli == 0 {
                break;
            }
            let millis = u64::try_from(burst.div_ceil(each_milli)).unwrap();
            clock.advance(Duration::from_millis(millis));
        }
    }
}
