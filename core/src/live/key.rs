//! Idempotency keys: one per call, the same on every attempt.

use std::{cell::Cell, fmt::Write as _, process};

use super::stream::from_system;
use crate::kernel::random;

/// What a call's key is made of: cheap to take, spelled out only when asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallKey {
    seeds: [u64; 2],
    number: u64,
}

thread_local! {
    static NEXT: Cell<Option<CallKey>> = const { Cell::new(None) };
}

impl CallKey {
    /// A key that no other call has: 128 bits from the operating system per thread, and a count.
    pub(crate) fn next() -> Self {
        NEXT.with(|next| {
            let key = next.get().unwrap_or_else(|| Self { seeds: [from_system(), from_system()], number: 0 });
            next.set(Some(Self { number: key.number.wrapping_add(1), ..key }));
            key
        })
    }

    /// The key in the form of a version 4 UUID. The process takes part, so that a fork, which copies
    /// the count, does not repeat a key.
    pub(crate) fn spelled(self) -> String {
        let [a, b] = self.seeds;
        let high = random::draw(a, self.number) & !0xF000 | 0x4000;
        let own = random::draw(b ^ random::mix(u64::from(process::id())), self.number);
        let low = own & (u64::MAX >> 2) | 1 << 63;
        let mut key = String::with_capacity(36);
        // Writing to a string cannot fail.
        let _ = write!(
            key,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xFFFF,
            high & 0xFFFF,
            low >> 48,
            low & 0xFFFF_FFFF_FFFF
        );
        key
    }
}

/// A new idempotency key, in the form of a version 4 UUID.
pub fn idempotency_key() -> String {
    CallKey::next().spelled()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_look_like_uuids_and_differ() {
        let (one, two) = (idempotency_key(), idempotency_key());
        assert_ne!(one, two);
        assert_eq!(one.len(), 36);
        assert_eq!(&one[14..15], "4");
        assert!("89ab".contains(&one[19..20]), "{one}");
    }

    #[test]
    fn a_key_stays_the_same_however_often_it_is_spelled() {
        let key = CallKey::next();
        assert_eq!(key.spelled(), key.spelled());
    }
}
