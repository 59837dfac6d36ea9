//! The calls that have entered through here and whose first attempt runs: by handle, in the lane of this thread.
//!
//! JavaScript counts for itself where it sees the words; here it does not. What is under way holds the guard, so a
//! registry forgets none whose calls would then end at another.
//!
//! INVARIANT: a lane is here as long as a call is under way in it. With the thread it is given back, and what was
//! under way then counts as cancelled.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use overcurrent::{CallLane, Guard};

thread_local! {
    /// By the bits of the handle.
    static LANES: RefCell<BTreeMap<u64, CallLane>> = RefCell::default();
}

/// A call enters the guard of this handle.
pub(crate) fn enter(handle: f64, guard: &Arc<Guard>) {
    LANES.with_borrow_mut(|lanes| {
        lanes.entry(handle.to_bits()).or_insert_with(|| CallLane::of(guard)).begin();
    });
}

/// A call that entered the guard of this handle goes on, or ends, elsewhere. Answers the guard; nothing where no call
/// has entered here.
pub(crate) fn leave(handle: f64) -> Option<Arc<Guard>> {
    LANES.with_borrow_mut(|lanes| {
        let lane = lanes.get(&handle.to_bits())?;
        lane.hand_over();
        let guard = Arc::clone(lane.guard());
        if lane.under_way() == 0 {
            lanes.remove(&handle.to_bits());
        }
        Some(guard)
    })
}
