//! One slice of measuring: some threads do one subject for some milliseconds.
//!
//! Each thread runs batches until its time is up or another's is, so that in a slice of two threads
//! they meet from its first to its last batch. Only the batches are timed; starting the threads, and
//! what a subject sets up for each of them, is not.

use std::{
    fs, hint,
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::subject::Subject;

/// How long a batch is meant to take: long beside a reading of the clock, short beside a slice.
const BATCH_NANOS: f64 = 20_000.0;
const LARGEST_BATCH: f64 = 1e6;

/// The time of one operation in one slice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slice {
    /// In nanoseconds: the time of all threads by the operations of all threads.
    pub nanos: f64,
    /// The share of its time in which a thread that could run did not, for another program, or in
    /// which the threads did not meet.
    pub lost: f64,
}

impl Slice {
    /// Measures `subject` for `length` on so many `threads`, in batches of `batch`.
    pub fn measure(subject: &Subject, threads: usize, batch: u64, length: Duration) -> Self {
        let start = Start { arrived: Barrier::new(threads), ready: AtomicUsize::new(0), threads };
        let over = AtomicBool::new(false);
        let work = || lap(subject, batch, length, &start, &over);
        let laps: Vec<Lap> = if threads == 1 {
            vec![work()]
        } else {
            thread::scope(|scope| {
                let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
                running.into_iter().map(|lap| lap.join().expect("a subject does what it says")).collect()
            })
        };
        Self::of(&laps)
    }

    fn of(laps: &[Lap]) -> Self {
        let time: Duration = laps.iter().map(Lap::elapsed).sum();
        let count: f64 = laps.iter().map(|lap| lap.count).sum();
        Self { nanos: time.as_secs_f64() * 1e9 / count, lost: lost(laps) }
    }

    /// The batch for the next slice of the same subject.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to a million")]
    pub fn next_batch(&self) -> u64 {
        (BATCH_NANOS / self.nanos).clamp(1.0, LARGEST_BATCH) as u64
    }
}

/// What one thread did in a slice.
struct Lap {
    began: Instant,
    ended: Instant,
    count: f64,
    /// How long it waited for a core.
    waited: Duration,
}

impl Lap {
    fn elapsed(&self) -> Duration {
        self.ended - self.began
    }
}

/// The larger of what waiting and what missing each other has taken.
fn lost(laps: &[Lap]) -> f64 {
    let share = |part: Duration, whole: Duration| part.as_secs_f64() / whole.as_secs_f64().max(1e-9);
    let waited = laps.iter().map(|lap| share(lap.waited, lap.elapsed())).fold(0.0, f64::max);
    let all = |pick: fn(&Lap) -> Instant| laps.iter().map(pick);
    let (began, ended) = (|lap: &Lap| lap.began, |lap: &Lap| lap.ended);
    let missed = match (all(began).min(), all(began).max(), all(ended).min(), all(ended).max()) {
        (Some(first), Some(second), Some(third), Some(last)) => {
            1.0 - share(third.saturating_duration_since(second), last - first)
        }
        _ => 0.0,
    };
    waited.max(missed)
}

fn lap(subject: &Subject, batch: u64, length: Duration, start: &Start, over: &AtomicBool) -> Lap {
    // What a thread sets up for itself, and the caches.
    subject.run(1);
    start.together();
    let before = waiting();
    let began = Instant::now();
    let mut batches = 0u32;
    let ended = loop {
        subject.run(batch);
        batches += 1;
        let now = Instant::now();
        if now - began >= length {
            over.store(true, Ordering::Relaxed);
        }
        if over.load(Ordering::Relaxed) {
            break now;
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "a million has 20 bits")]
    let count = f64::from(batches) * batch as f64;
    Lap { began, ended, count, waited: waiting().saturating_sub(before) }
}

/// Where threads begin at the same time: a barrier wakes one after the other, so they spin after it.
struct Start {
    arrived: Barrier,
    ready: AtomicUsize,
    threads: usize,
}

impl Start {
    fn together(&self) {
        self.arrived.wait();
        self.ready.fetch_add(1, Ordering::AcqRel);
        while self.ready.load(Ordering::Acquire) < self.threads {
            hint::spin_loop();
        }
    }
}

/// How long this thread has waited for a core in its life; nothing where the system does not say.
fn waiting() -> Duration {
    let Ok(status) = fs::read_to_string("/proc/thread-self/schedstat") else { return Duration::ZERO };
    let nanos = status.split_whitespace().nth(1).and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, LazyLock, atomic::AtomicU64};

    use super::*;
    use crate::subject::{Operation, Whose, Window};

    fn subject(batch: impl Fn(u64) + Send + Sync + 'static) -> Subject {
        Subject::batched(Operation::Floor, Whose::Floor, "test", Window::None, "", batch)
    }

    /// A lap from one microsecond to another, in which it waited for some.
    fn lap(began: u64, ended: u64, waited: u64) -> Lap {
        static ZERO: LazyLock<Instant> = LazyLock::new(Instant::now);
        Lap {
            began: *ZERO + Duration::from_micros(began),
            ended: *ZERO + Duration::from_micros(ended),
            count: 100.0,
            waited: Duration::from_micros(waited),
        }
    }

    #[test]
    fn the_time_of_an_operation_is_that_of_its_threads() {
        let nanos = |laps: &[Lap]| Slice::of(laps).nanos.round();
        assert!((nanos(&[lap(0, 10, 0)]) - 100.0).abs() < 1e-6);
        assert!((nanos(&[lap(0, 10, 0), lap(5, 35, 0)]) - 200.0).abs() < 1e-6);
    }

    #[test]
    fn a_slice_is_as_long_as_what_it_measures() {
        let pause = Duration::from_micros(200);
        let idle = subject(move |count| {
            let until = Instant::now() + pause * u32::try_from(count).unwrap();
            while Instant::now() < until {}
        });
        for threads in [1, 2] {
            let slice = Slice::measure(&idle, threads, 3, Duration::from_millis(4));
            assert!(slice.nanos >= 200_000.0, "{threads} threads: {slice:?}");
        }
    }

    #[test]
    fn two_threads_share_the_subject() {
        let seen = Arc::new(AtomicU64::new(0));
        let threads = Arc::clone(&seen);
        // Each thread waits in its first batch of two until the other has come to its own.
        let meeting = subject(move |count| {
            if count == 2 {
                threads.fetch_add(1, Ordering::AcqRel);
                while threads.load(Ordering::Acquire) < 2 {
                    thread::yield_now();
                }
            }
        });
        Slice::measure(&meeting, 2, 2, Duration::ZERO);
        assert!(seen.load(Ordering::Acquire) >= 2);
    }

    #[test]
    fn what_is_lost_is_waiting_or_missing_each_other() {
        let near = |laps: &[Lap], share: f64| assert!((lost(laps) - share).abs() < 1e-6, "{}", lost(laps));
        near(&[lap(0, 100, 0)], 0.0);
        near(&[lap(0, 100, 30)], 0.3);
        near(&[lap(0, 90, 0), lap(10, 100, 0)], 0.2);
        near(&[lap(0, 50, 0), lap(50, 100, 0)], 1.0);
        near(&[lap(0, 40, 0), lap(60, 100, 0)], 1.0);
    }

    #[test]
    fn a_batch_is_as_long_as_its_operations_allow() {
        let batch = |nanos| Slice { nanos, lost: 0.0 }.next_batch();
        assert_eq!((batch(0.01), batch(100.0), batch(1e6)), (1_000_000, 200, 1));
    }
}
