//! What the tests of the whole project share: the runner of the vectors, and the page of fields. The code of
//! the pages about Rust is run as doctests of this crate.

pub mod policy_docs;
pub mod vectors;

#[cfg(doctest)]
#[doc = include_str!("../../docs/tracing.md")]
mod tracing_page {}

#[cfg(doctest)]
#[doc = include_str!("../../docs/rust.md")]
mod guide {}
