//! The objects that JavaScript holds by number.
//!
//! One slab per thread, as JavaScript objects belong to one thread; the cells behind a breaker or a
//! budget may be shared, their handles are not. A handle is the place of an object (32 bits) and the
//! turn of that place (16 bits), so that one kept too long finds nothing instead of a stranger.
//!
//! INVARIANT: nothing called while the slab is borrowed comes back to it or runs JavaScript.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use overcurrent::{Breaker, Budget, Guard, ManualClock, Retry, TraceContext};

use crate::{
    call::Running,
    registry::{Guards, Keyed},
    retry::Series,
};

/// No such object: a handle that was freed, or one of another kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gone;

impl From<Gone> for napi::Error {
    fn from(_: Gone) -> Self {
        Self::from_reason("the native object is gone")
    }
}

/// An object of one kind.
pub(crate) trait Kept: Sized {
    fn hold(self) -> Held;
    fn of(held: &mut Held) -> Option<&mut Self>;
    /// The object of this kind that a key of a registry stands for now.
    fn keyed(_: &Keyed) -> Option<Self> {
        None
    }
}

macro_rules! held {
    ($($kind:ident($object:ty) $(or $keyed:path)?,)*) => {
        /// Whatever JavaScript can hold.
        pub(crate) enum Held { $($kind($object),)* }

        $(impl Kept for $object {
            fn hold(self) -> Held {
                Held::$kind(self)
            }

            fn of(held: &mut Held) -> Option<&mut Self> {
                match held { Held::$kind(object) => Some(object), _ => None }
            }

            $(fn keyed(keyed: &Keyed) -> Option<Self> {
                $keyed(keyed)
            })?
        })*
    };
}

held! {
    Guard(Arc<Guard>) or Keyed::guard,
    Breaker(Arc<Breaker>) or Keyed::breaker,
    Budget(Arc<Budget>) or Keyed::budget,
    Registry(Rc<Guards>),
    Keyed(Keyed),
    Retry(Rc<Retry>),
    Series(Series),
    Call(Box<Running>),
    Clock(ManualClock),
    Trace(TraceContext),
}

#[derive(Default)]
struct Place {
    turn: u16,
    held: Option<Held>,
}

#[derive(Default)]
struct Slab {
    places: Vec<Place>,
    free: Vec<u32>,
}

thread_local! {
    static SLAB: RefCell<Slab> = RefCell::default();
}

/// Keeps an object and returns its handle.
#[expect(clippy::cast_precision_loss, reason = "48 bits fit a double")]
pub(crate) fn keep(object: impl Kept) -> f64 {
    SLAB.with_borrow_mut(|slab| {
        let index = slab.free.pop().unwrap_or_else(|| {
            slab.places.push(Place::default());
            u32::try_from(slab.places.len() - 1).expect("fewer than 2^32 objects fit into memory")
        });
        let place = &mut slab.places[index as usize];
        place.held = Some(object.hold());
        (u64::from(place.turn) << 32 | u64::from(index)) as f64
    })
}

/// Uses the object of a handle.
#[inline]
pub(crate) fn with<T: Kept, R>(handle: f64, work: impl FnOnce(&mut T) -> R) -> Result<R, Gone> {
    SLAB.with_borrow_mut(|slab| {
        let place = slab.places.get_mut(index(handle)).filter(|place| place.turn == turn(handle));
        let held = place.and_then(|place| place.held.as_mut()).ok_or(Gone)?;
        if let Some(object) = T::of(held) {
            return Ok(work(object));
        }
        let keyed = if let Held::Keyed(keyed) = held { T::keyed(keyed) } else { None };
        keyed.map(|mut object| work(&mut object)).ok_or(Gone)
    })
}

/// Frees the object of a handle; does nothing if it was freed.
pub(crate) fn free(handle: f64) {
    // At the end of a thread JavaScript's finalizers may come after the slab has gone.
    let held = SLAB.try_with(|slab| {
        let mut slab = slab.borrow_mut();
        let place = slab.places.get_mut(index(handle)).filter(|place| place.turn == turn(handle))?;
        let held = place.held.take()?;
        place.turn = place.turn.wrapping_add(1);
        slab.free.push(u32::try_from(index(handle)).ok()?);
        Some(held)
    });
    drop(held);
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "made by `keep`; else it finds nothing"
)]
const fn index(handle: f64) -> usize {
    (handle as u64 & 0xFFFF_FFFF) as usize
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "made by `keep`; else it finds nothing"
)]
const fn turn(handle: f64) -> u16 {
    (handle as u64 >> 32) as u16
}
