//! The random stream once more: SplitMix64 as its authors wrote it, a state that moves on by a
//! constant and is mixed, not the number of the draw multiplied.

/// A stream of draws.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    state: u64,
}

impl Stream {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u128, high: u128) -> u128 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        low + ((u128::from(mixed(self.state)) * (high - low + 1)) >> 64)
    }
}

/// The mixing of the stream.
pub(crate) fn mixed(state: u64) -> u64 {
    let mut z = state;
    z ^= z >> 30;
    z = z.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z ^= z >> 27;
    z = z.wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}
