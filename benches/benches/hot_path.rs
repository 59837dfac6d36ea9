//! The subjects of `bench-core` for criterion, one after the other, with one thread.

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use overcurrent_benches::subjects;

fn hot_path(criterion: &mut Criterion) {
    for subject in subjects::all() {
        criterion.bench_function(&subject.title(), |bencher| {
            bencher.iter_custom(|count| {
                let start = Instant::now();
                subject.run(count);
                start.elapsed()
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = hot_path
}
criterion_main!(benches);
