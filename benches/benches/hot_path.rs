//! What a call costs while the dependency is healthy, and a rejection while it is not, beside the
//! floors of this machine.

use std::{
    hint::black_box,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use overcurrent::{Breaker, BreakerPolicy, Budget, BudgetPolicy, Guard, Permit};

fn floors(c: &mut Criterion) {
    let mut group = c.benchmark_group("floor");
    let word = AtomicU64::new(0);
    group.bench_function("relaxed load", |b| b.iter(|| black_box(&word).load(Ordering::Relaxed)));
    group.bench_function("locked add", |b| b.iter(|| black_box(&word).fetch_add(1, Ordering::Relaxed)));
    let mutex = Mutex::new(0u64);
    group.bench_function("mutex", |b| b.iter(|| *black_box(&mutex).lock().unwrap() += 1));
    group.bench_function("precise clock", |b| b.iter(Instant::now));
    group.finish();
}

fn breakers(c: &mut Criterion) {
    let mut group = c.benchmark_group("breaker, a success");
    let policies = [
        ("consecutive", BreakerPolicy::consecutive_failures(5)),
        ("last 100 calls", BreakerPolicy::failure_rate(0.5).call_window(100)),
        ("last 10 s", BreakerPolicy::failure_rate(0.5)),
        ("last 10 s, slow calls", BreakerPolicy::failure_rate(0.5).slow_call(Duration::from_secs(1))),
    ];
    for (name, policy) in policies {
        let breaker = Breaker::new("bench", policy.build().unwrap());
        group.bench_function(name, |b| b.iter(|| black_box(&breaker).acquire().map(Permit::success)));
    }
    group.finish();
    let open = Breaker::new("bench", BreakerPolicy::default());
    open.force_open();
    c.bench_function("breaker, a rejection", |b| b.iter(|| black_box(&open).acquire().is_err()));
}

fn budgets(c: &mut Criterion) {
    let budget = Budget::new(BudgetPolicy::default());
    c.bench_function("budget, a deposit when full", |b| b.iter(|| black_box(&budget).deposit()));
}

fn guards(c: &mut Criterion) {
    let mut group = c.benchmark_group("guard, a healthy call");
    let defaults = Guard::builder("bench").build().unwrap();
    group.bench_function("defaults", |b| b.iter(|| black_box(&defaults).call(|_| Ok::<u32, ()>(1))));
    let untimed = Guard::builder("bench").no_deadline().no_attempt_timeout();
    let untimed =
        untimed.breaker(BreakerPolicy::consecutive_failures(5).probe_timeout(Duration::from_secs(30)));
    let untimed = untimed.build().unwrap();
    group.bench_function("no timeouts", |b| b.iter(|| black_box(&untimed).call(|_| Ok::<u32, ()>(1))));
    group.finish();
}

criterion_group!(benches, floors, breakers, budgets, guards);
criterion_main!(benches);
