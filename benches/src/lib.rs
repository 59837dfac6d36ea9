//! What the core costs, beside the floors of the machine and other crates of its kind.
//!
//! A [`subject::Subject`] is one thing to measure. `bench-core` measures all of them in
//! [interleaved rounds](rounds), prints one table and holds the [targets] against it; `cargo bench`
//! shows the same subjects to criterion, one after the other.
#![forbid(unsafe_code)]

pub mod figures;
pub mod report;
pub mod rounds;
pub mod slice;
pub mod subject;
pub mod subjects;
pub mod targets;
