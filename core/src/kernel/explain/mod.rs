//! Why a breaker stands where it stands, what a guard has come to and why a call failed, in words for who is
//! woken at night; the same in every language.
//!
//! These are texts for people: a program reads the state, the metrics and the errors themselves.

mod calls;
mod errors;
mod standing;
mod words;

pub use calls::Calls;
pub use errors::given_up;
pub use standing::{Change, Standing};
