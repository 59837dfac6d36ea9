//! What the machine takes for the steps that everything else is made of.

use std::{
    hint::black_box,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use overcurrent::{Clock, Instant, MonotonicClock};

use super::own;
use crate::subject::{Operation, Subject, Whose, Window};

/// The names by which the targets find their floors.
pub(crate) const ADD: &str = "locked add";
pub(crate) const PRECISE: &str = "precise clock";
pub(crate) const COARSE: &str = "coarse clock";

/// A word with its cache line, and the line beside it, to itself.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line(AtomicU64);

pub(super) fn all() -> Vec<Subject> {
    let (read, added) = (Line::default(), Line::default());
    let (standard, parked) = (Mutex::new(0u64), parking_lot::Mutex::new(0u64));
    let mut floors = vec![
        floor("empty loop", "the cost of measuring", || ()).alone(),
        floor("load", "relaxed", move || black_box(&read).0.load(Ordering::Relaxed)).alone(),
        floor(ADD, "one thread: uncontended; two: on one word", move || {
            black_box(&added).0.fetch_add(1, Ordering::Relaxed);
        }),
        floor(PRECISE, "std::time::Instant", std::time::Instant::now).alone(),
    ];
    #[cfg(any(target_os = "linux", target_os = "android"))]
    floors.push({
        use rustix::time::{ClockId, clock_gettime};
        // As one number: two words copied as one would wait for each other.
        let read = || {
            let time = clock_gettime(ClockId::MonotonicCoarse);
            time.tv_sec * 1_000_000_000 + time.tv_nsec
        };
        floor(COARSE, "CLOCK_MONOTONIC_COARSE", read).alone()
    });
    let clock = MonotonicClock::new();
    floors.push(own_clock("its precise clock", move || black_box(&clock).now()));
    floors.push(own_clock("its coarse clock", move || black_box(&clock).coarse()));
    floors.push(floor("mutex", "std, lock and unlock", move || {
        *black_box(&standard).lock().expect("no holder panics") += 1;
    }));
    floors.push(floor("mutex", "parking_lot, lock and unlock", move || *black_box(&parked).lock() += 1));
    floors
}

fn own_clock(label: &'static str, once: impl Fn() -> Instant + Send + Sync + 'static) -> Subject {
    own(Operation::Floor, Window::None, label, once).alone()
}

fn floor<R>(
    name: &'static str,
    label: &'static str,
    once: impl Fn() -> R + Send + Sync + 'static,
) -> Subject {
    Subject::new(Operation::Floor, Whose::Floor, name, Window::None, label, once)
}
