//! Benchmarks of the core: `cargo bench -p overcurrent-benches`. Read each figure as a ratio to the floors
//! that the same run measures.
