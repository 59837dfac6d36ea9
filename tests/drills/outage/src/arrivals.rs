//! What the upstream saw: requests by client and time, how many were open at once, and how often the
//! same call came again.
//!
//! INVARIANT: a [`Visit`] is counted as open from its making until its drop, however the request ends.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use crate::client::Client;

/// The grain of the counts.
pub const BUCKET: Duration = Duration::from_millis(100);

/// What the upstream saw of one client.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Requests that arrived in each bucket.
    pub requests: Vec<u32>,
    /// The most requests open at once in each bucket.
    pub open: Vec<u32>,
    /// The most probes of one round that were open at once.
    pub probes_at_once: u32,
    in_flight: u32,
    keys: HashMap<String, u32>,
    probes: HashMap<u32, u32>,
}

impl Seen {
    /// All requests.
    pub fn total(&self) -> u32 {
        self.requests.iter().sum()
    }

    /// The requests that arrived in `from..to`, times since the start in whole buckets.
    pub fn between(&self, from: Duration, to: Duration) -> u32 {
        self.requests.iter().take(bucket(to)).skip(bucket(from)).sum()
    }

    /// The most requests that were open at once.
    pub fn most_open(&self) -> u32 {
        self.open.iter().copied().max().unwrap_or(0)
    }

    /// Requests whose idempotency key had been seen before: retries, as the upstream counts them.
    pub fn repeats(&self) -> u32 {
        self.keys.values().map(|times| times - 1).sum()
    }

    fn reach(&mut self, bucket: usize) {
        if self.open.len() <= bucket {
            self.open.resize(bucket + 1, self.in_flight);
            self.requests.resize(bucket + 1, 0);
        }
    }

    fn arrive(&mut self, bucket: usize, key: &str, round: Option<u32>) {
        self.reach(bucket);
        self.requests[bucket] += 1;
        self.in_flight += 1;
        self.open[bucket] = self.open[bucket].max(self.in_flight);
        *self.keys.entry(key.to_owned()).or_default() += 1;
        if let Some(round) = round {
            let open = self.probes.entry(round).or_default();
            *open += 1;
            self.probes_at_once = self.probes_at_once.max(*open);
        }
    }

    fn leave(&mut self, bucket: usize, round: Option<u32>) {
        self.reach(bucket);
        self.in_flight -= 1;
        if let Some(open) = round.and_then(|round| self.probes.get_mut(&round)) {
            *open -= 1;
        }
    }
}

/// The counts of all clients.
#[derive(Debug, Default)]
pub struct Arrivals {
    start: OnceLock<Instant>,
    seen: [Mutex<Seen>; Client::COUNT],
}

impl Arrivals {
    /// Counts from this instant on; only the first call has an effect.
    pub fn begin(&self, start: Instant) {
        self.start.get_or_init(|| start);
    }

    /// The time since the start, zero before it.
    pub fn elapsed(&self) -> Duration {
        self.start.get().map_or(Duration::ZERO, |start| Instant::now().saturating_duration_since(*start))
    }

    /// A request arrives; it is open until the visit is dropped. `round` is given for a probe.
    pub fn visit(self: &Arc<Self>, client: Client, key: &str, round: Option<u32>) -> Visit {
        self.lock(client).arrive(bucket(self.elapsed()), key, round);
        Visit { arrivals: Arc::clone(self), client, round }
    }

    /// What was seen of a client until now.
    pub fn seen(&self, client: Client) -> Seen {
        let mut seen = self.lock(client);
        seen.reach(bucket(self.elapsed()));
        seen.clone()
    }

    /// What was seen of each client until now, by [`Client::index`].
    pub fn all(&self) -> [Seen; Client::COUNT] {
        let mut clients = Client::all();
        std::array::from_fn(|_| clients.next().map_or_else(Seen::default, |client| self.seen(client)))
    }

    /// How many requests of a client are open now.
    pub fn in_flight(&self, client: Client) -> u32 {
        self.lock(client).in_flight
    }

    fn lock(&self, client: Client) -> MutexGuard<'_, Seen> {
        self.seen[client.index()].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is being served.
#[derive(Debug)]
pub struct Visit {
    arrivals: Arc<Arrivals>,
    client: Client,
    round: Option<u32>,
}

impl Drop for Visit {
    fn drop(&mut self) {
        let bucket = bucket(self.arrivals.elapsed());
        self.arrivals.lock(self.client).leave(bucket, self.round);
    }
}

/// The bucket of a time since the start.
pub fn bucket(elapsed: Duration) -> usize {
    usize::try_from(elapsed.as_millis() / BUCKET.as_millis()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_requests_fill_the_buckets_without_arrivals() {
        let mut seen = Seen::default();
        seen.arrive(1, "a", None);
        seen.arrive(1, "b", None);
        seen.leave(4, None);
        seen.reach(6);
        assert_eq!(seen.requests, [0, 2, 0, 0, 0, 0, 0]);
        assert_eq!(seen.open, [0, 2, 2, 2, 2, 1, 1]);
        assert_eq!((seen.total(), seen.most_open(), seen.repeats()), (2, 2, 0));
    }

    #[test]
    fn the_same_key_again_is_a_repeat() {
        let mut seen = Seen::default();
        for key in ["a", "b", "a", "a"] {
            seen.arrive(0, key, None);
        }
        assert_eq!(seen.repeats(), 2);
    }

    #[test]
    fn probes_are_counted_by_round() {
        let mut seen = Seen::default();
        seen.arrive(0, "a", Some(1));
        seen.arrive(0, "b", Some(2));
        assert_eq!(seen.probes_at_once, 1);
        seen.leave(0, Some(2));
        seen.arrive(0, "c", Some(2));
        assert_eq!(seen.probes_at_once, 1);
        seen.arrive(0, "d", Some(2));
        assert_eq!(seen.probes_at_once, 2);
    }

    #[test]
    fn a_span_counts_whole_buckets() {
        let seen = Seen { requests: vec![1, 2, 3, 4], ..Seen::default() };
        assert_eq!(seen.between(BUCKET, BUCKET * 3), 5);
        assert_eq!(seen.between(BUCKET * 2, BUCKET * 30), 7);
    }
}
