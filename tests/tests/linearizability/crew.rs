//! Threads that carry out programs side by side and check what came of them. They are started once and
//! work in batches: record many histories, then share the checking.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    thread,
};

use overcurrent::{Breaker, ManualClock};

use crate::{
    barrier::Barrier,
    checker::{self, Verdict},
    history::{History, Op},
    program::Program,
    worker::{self, Worker},
};

/// Histories per batch.
const BATCH: usize = 64;

/// What came of many histories.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) histories: u64,
    pub(crate) operations: u64,
    /// Histories in which operations of different threads overlapped.
    pub(crate) overlapping: u64,
    /// Those of them in which no operation paused.
    pub(crate) unpaused: u64,
    /// Histories that needed a liberty.
    pub(crate) with_leeway: u64,
    /// The transitions, as the words for where from, where to and why.
    pub(crate) moves: BTreeSet<String>,
    /// The first history that broke the rules.
    pub(crate) broken: Option<String>,
}

struct Crew {
    seed: u64,
    threads: usize,
    barrier: Barrier,
    stamp: AtomicU64,
    /// One for each history of a batch.
    records: Vec<Mutex<Option<Record>>>,
    tally: Mutex<Tally>,
}

/// A breaker, and what each thread did to it.
struct Record {
    breaker: Arc<Breaker>,
    paused: bool,
    threads: Vec<Vec<Op>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records and checks about `histories` histories of `threads` threads; stops after the first batch
/// with one that breaks the rules.
pub(crate) fn run(seed: u64, threads: usize, histories: u64) -> Tally {
    let crew = Crew {
        seed,
        threads,
        barrier: Barrier::new(threads),
        stamp: AtomicU64::new(0),
        records: (0..BATCH).map(|_| Mutex::new(None)).collect(),
        tally: Mutex::new(Tally::default()),
    };
    thread::scope(|scope| {
        for me in 0..threads {
            let crew = &crew;
            scope.spawn(move || {
                let _leaver = crew.barrier.leaver();
                let mut first = 0;
                while first < histories && lock(&crew.tally).broken.is_none() {
                    crew.record(me, first);
                    crew.barrier.wait();
                    crew.judge(me, first);
                    crew.barrier.wait();
                    first += BATCH as u64;
                }
            });
        }
    });
    crew.tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Crew {
    /// Takes part in a batch of histories.
    fn record(&self, me: usize, first: u64) {
        for (number, record) in (first..).zip(&self.records) {
            let program = Program::new(self.seed, number, self.threads);
            if me == 0 {
                let clock = Arc::new(ManualClock::new());
                let breaker = Breaker::with("history", program.policy.clone(), clock, Some(0));
                let breaker = Arc::new(breaker.on_transition(|moved| worker::tell(*moved)));
                let threads = vec![Vec::new(); self.threads];
                *lock(record) = Some(Record { breaker, paused: program.paused, threads });
            }
            self.barrier.wait();
            let breaker = lock(record).as_ref().map(|record| Arc::clone(&record.breaker));
            let breaker = breaker.expect("the first thread has made it");
            let mut worker = Worker::new(&self.stamp, &breaker);
            for phase in &program.phases {
                self.barrier.wait();
                for planned in &phase[me] {
                    worker.carry_out(*planned);
                }
            }
            let ops = worker.into_ops();
            if let Some(record) = lock(record).as_mut() {
                record.threads[me] = ops;
            }
        }
    }

    /// Checks a share of the batch.
    fn judge(&self, me: usize, first: u64) {
        for (number, record) in (first..).zip(&self.records).skip(me).step_by(self.threads) {
            let Record { breaker, paused, mut threads } =
                lock(record).take().expect("each history of a batch was recorded");
            let now = threads.iter().flatten().map(|op| op.now).max().unwrap_or_default();
            threads.push(vec![worker::audit(&self.stamp, &breaker, now)]);
            let title = format!("history {number} of seed {}, {} threads", self.seed, self.threads);
            let history = History { title, policy: breaker.policy().clone(), threads };
            let verdict = checker::check(&history);
            lock(&self.tally).add(&history, paused, verdict);
        }
    }
}

impl Tally {
    fn add(&mut self, history: &History, paused: bool, verdict: Verdict) {
        let overlaps = history.has_overlaps();
        self.histories += 1;
        self.operations += history.ops().count() as u64;
        self.overlapping += u64::from(overlaps);
        self.unpaused += u64::from(overlaps && !paused);
        for moved in history.ops().flat_map(|op| &op.told) {
            let reason = moved.reason.map_or("", |reason| reason.as_str());
            self.moves.insert(format!("{} {} {reason}", moved.from, moved.to).trim_end().to_owned());
        }
        match verdict {
            Verdict::Exact => {}
            Verdict::WithLeeway => self.with_leeway += 1,
            Verdict::Impossible(why) => self.broken = self.broken.take().or(Some(why)),
        }
    }
}
