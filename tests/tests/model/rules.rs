//! What the model goes by: a breaker's policy with every default in its place, in plain numbers.

/// Durations in nanoseconds, ratios in parts per million.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) window: Option<Extent>,
    pub(crate) failure_rate: u64,
    pub(crate) minimum_calls: u32,
    pub(crate) slow_call: Option<u64>,
    pub(crate) slow_rate: u64,
    pub(crate) in_a_row: Option<u32>,
    /// The consecutive test holds only while the window holds too little.
    pub(crate) in_a_row_for_trickles: bool,
    pub(crate) abandon_after: Option<u64>,
    pub(crate) cooldown: u64,
    pub(crate) cooldown_max: u64,
    pub(crate) cooldown_multiplier: u64,
    pub(crate) cooldown_jitter: u64,
    pub(crate) probes: u32,
    pub(crate) close_after: u32,
    pub(crate) reopen_after: u32,
    pub(crate) probe_timeout: u64,
}

/// What the rates are taken over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Extent {
    Time { buckets: u32, width: u64 },
    Calls(u32),
}
