//! Policies: plain validated data, made from drafts.
pub mod breaker;
pub mod budget;
pub mod guard;
pub mod retry;
