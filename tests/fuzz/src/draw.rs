//! Structured input, read from the bytes of a fuzzer.
//!
//! Everything has a fixed width and is read front to back, so that `seeds.py` can write it and a
//! changed byte changes one thing.
//!
//! | read | bytes |
//! | --- | --- |
//! | a choice | 1 |
//! | a number in a range | 4, little endian: how far above the lowest, modulo the range |
//! | a length of time | 1 for the unit (ns, us, ms, s, h), 4 for how many |

use arbitrary::{Result, Unstructured};

const UNITS: [u64; 5] = [1, 1_000, 1_000_000, 1_000_000_000, 3_600_000_000_000];

/// One of `count` choices.
///
/// # Errors
/// None as long as bytes or zeros can be read.
pub fn choice(bytes: &mut Unstructured<'_>, count: u8) -> Result<u8> {
    Ok(bytes.arbitrary::<u8>()? % count)
}

/// A number in `low..=high`.
///
/// # Errors
/// As [`choice`].
pub fn number(bytes: &mut Unstructured<'_>, low: u32, high: u32) -> Result<u32> {
    Ok(low + bytes.arbitrary::<u32>()? % (high - low + 1))
}

/// A length of time in nanoseconds, up to the longest there is.
///
/// # Errors
/// As [`choice`].
pub fn nanos(bytes: &mut Unstructured<'_>) -> Result<u64> {
    let unit = UNITS[usize::from(choice(bytes, 5)?)];
    Ok(u64::from(bytes.arbitrary::<u32>()?).saturating_mul(unit))
}

/// A length of time from 1 ms to 24 h, in nanoseconds.
///
/// # Errors
/// As [`choice`].
pub fn milli_to_day(bytes: &mut Unstructured<'_>) -> Result<u64> {
    Ok(nanos(bytes)?.clamp(1_000_000, 24 * 3_600 * 1_000_000_000))
}

/// `now` after a step of the clock: on, back, or to anywhere.
///
/// # Errors
/// As [`choice`].
pub fn step(bytes: &mut Unstructured<'_>, now: u64) -> Result<u64> {
    Ok(match choice(bytes, 4)? {
        0 | 1 => now.saturating_add(nanos(bytes)?),
        2 => now.saturating_sub(nanos(bytes)?),
        _ => bytes.arbitrary()?,
    })
}
