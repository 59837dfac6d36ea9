//! The kernel's words in memory, and the compare-and-swap loops over them.
//!
//! Nothing here holds a lock or a pointer: a cell is a run of 64-bit words, every transition is one
//! compare-and-swap, and whoever finds a word that its writer never finished can finish it.

pub mod breaker;
pub mod budget;
mod call_window;
pub(crate) mod calls;
pub mod layout;
#[cfg(all(test, overcurrent_loom))]
mod models;
pub(crate) mod sharded;
mod shards;
mod sync;
mod tagged;
mod tallies;
mod time_window;
pub mod words;
