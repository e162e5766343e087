//! What the store takes: changes of many callers, reading a request, verifying and searching the
//! audit.
//!
//! `cargo bench --bench store`, or `cargo bench --bench store -- writer` for one group;
//! docs/performance.md says what to compare.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop where its input is wrong")]

mod audit;
mod loading;
mod writer;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = writer::callers, loading::endpoints, audit::verify, audit::page
}
criterion_main!(benches);
