//! The cases, timed.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smtp_bench::cases;
use std::time::Duration;

fn speed(criterion: &mut Criterion) {
    for case in cases::all() {
        let mut group = criterion.benchmark_group(case.task);
        group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
        group.sample_size(30);
        if let Some(octets) = case.octets {
            group.throughput(Throughput::Bytes(octets as u64));
        }
        let mut work = (case.prepare)();
        group.bench_function(case.subject, |bencher| bencher.iter(&mut work));
        group.finish();
    }
}

criterion_group!(benches, speed);
criterion_main!(benches);
