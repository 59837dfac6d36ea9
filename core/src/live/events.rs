//! Who hears of decisions, and how.
//!
//! | | what it is | who runs the listener |
//! | --- | --- | --- |
//! | [`subscribe`] | a bounded queue | who takes from it |
//! | [`subscribe_with`] | a bounded queue with a thread that calls a function | that thread |
//! | [`subscribe_in_place`] | a function | the thread that decided, after the decision |
//!
//! A decision is told after it was made, to whoever listens at that moment, and no listener can break a call
//! or change it. Those with queues cannot delay one either: they run on other threads. A queue that is full forgets its oldest event and counts it. Where nobody listens, a decision that tells
//! something costs one load more; a healthy call tells nothing and does not even look.
//!
//! The changes of state of one breaker come in the order in which they were made (`course`). Between other
//! events of several threads there is no order: a rejection may be told before the opening that caused it.

mod course;
mod filter;
mod hub;
mod place;
mod queue;
mod subscription;

pub(crate) use course::Course;
pub(crate) use filter::{About, Source};
pub(crate) use hub::{tell, tell_rejection};

pub use filter::Filter;
pub use subscription::{InPlace, Listening, Subscription, subscribe, subscribe_in_place, subscribe_with};
