//! A finished run: the script it followed, what the clients reported and what the upstream saw.

use crate::{
    arrivals::Seen,
    checks::{self, Claim},
    client::{Client, Language, Mode},
    limits::Limits,
    record::Record,
    script::Script,
};

/// Everything that the table, the report and the claims are made from.
#[derive(Clone, Debug)]
pub struct Run {
    /// What happened to the upstream.
    pub script: Script,
    /// What the policy promises.
    pub limits: Limits,
    /// Calls that each client began in each second.
    pub rate: u32,
    /// What each client reported, by [`Client::index`].
    pub records: [Record; Client::COUNT],
    /// What the upstream saw of each client, by [`Client::index`].
    pub seen: [Seen; Client::COUNT],
}

impl Run {
    /// What a client reported.
    pub fn record(&self, client: Client) -> &Record {
        &self.records[client.index()]
    }

    /// What the upstream saw of a client.
    pub fn seen(&self, client: Client) -> &Seen {
        &self.seen[client.index()]
    }

    /// What must hold of the guarded clients, and whether it does.
    pub fn claims(&self) -> Vec<Claim> {
        let due = checks::calls_due(self.rate, self.script.total());
        let of = |language| {
            let client = Client { language, mode: Mode::Guarded };
            checks::check(language, self.record(client), self.seen(client), &self.limits, &self.script, due)
        };
        Language::ALL.into_iter().flat_map(of).collect()
    }

    /// The sum over the three clients of a mode of one of the counts by bucket.
    pub fn by_bucket(&self, mode: Mode, counts: impl Fn(&Seen) -> &[u32]) -> Vec<u32> {
        let mut sums: Vec<u32> = Vec::new();
        for client in Client::of(mode) {
            let counts = counts(self.seen(client));
            sums.resize(sums.len().max(counts.len()), 0);
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        sums
    }
}
