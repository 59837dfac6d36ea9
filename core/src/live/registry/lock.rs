//! The lock of a registry.
//!
//! | feature `fork` | lock | threads that look up | a thread that ends |
//! | --- | --- | --- | --- |
//! | off | sharded | share nothing, unless they share a shard | takes a lock, to be forgotten |
//! | on | plain | share a word | takes no lock |
//!
//! A thread ends in its own time, also while another one forks; the child would find that lock held for ever.

#[cfg(not(feature = "fork"))]
pub(super) use crossbeam_utils::sync::{
    ShardedLock as Lock, ShardedLockReadGuard as ReadGuard, ShardedLockWriteGuard as WriteGuard,
};
#[cfg(feature = "fork")]
pub(super) use std::sync::{RwLock as Lock, RwLockReadGuard as ReadGuard, RwLockWriteGuard as WriteGuard};
