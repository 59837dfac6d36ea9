//! The random stream: SplitMix64, addressed by the number of the draw.
//!
//! Draw `n` of a stream is `mix(seed + n · γ)`, so a stream is no more than a seed and a count of
//! draws, and the same seed gives the same draws in every language. The generator and its constants
//! are those of Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014),
//! in Vigna's variant.

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// The mixing function of SplitMix64.
pub const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Draw `n` (from 1) of the stream that begins at `seed`.
pub const fn draw(seed: u64, n: u64) -> u64 {
    mix(seed.wrapping_add(n.wrapping_mul(GAMMA)))
}

/// A number in `low..=high` from one draw: `low` plus the high half of `draw · (high − low + 1)`.
///
/// # Panics
/// Never; `high` below `low` counts as `low`.
pub fn between(draw: u64, low: u64, high: u64) -> u64 {
    let count = u128::from(high.saturating_sub(low)) + 1;
    let offset = (u128::from(draw) * count) >> 64;
    low.saturating_add(u64::try_from(offset).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_splitmix64() {
        // The reference values of SplitMix64 seeded with 1234567.
        let drawn: Vec<u64> = (1..=3).map(|n| draw(1_234_567, n)).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn between_covers_its_range_and_no_more() {
        assert_eq!(between(0, 5, 9), 5);
        assert_eq!(between(u64::MAX, 5, 9), 9);
        assert_eq!(between(u64::MAX, 0, u64::MAX), u64::MAX);
        assert_eq!(between(u64::MAX / 2, 7, 7), 7);
    }
}
