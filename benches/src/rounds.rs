//! Interleaved rounds: in each, every subject has one slice, in an order drawn anew, so that what
//! changes in the machine over a run changes for all of them.

use std::time::{Duration, Instant};

use overcurrent::kernel::random;

use crate::{figures::Figures, slice::Slice, subject::Subject};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many rounds.
    pub rounds: usize,
    /// How long each subject has in a round, for each number of threads.
    pub slice: Duration,
    /// No round begins later than this after the first.
    pub limit: Duration,
}

impl Plan {
    /// About two minutes on an idle machine.
    pub const FULL: Self =
        Self { rounds: 400, slice: Duration::from_millis(2), limit: Duration::from_secs(150) };
    /// Some seconds: enough to see that everything runs, not to compare.
    pub const QUICK: Self =
        Self { rounds: 8, slice: Duration::from_millis(1), limit: Duration::from_secs(10) };
}

/// Slices before the first round, in which the batches find their length.
const WARM_UP: usize = 3;
/// The order is drawn, but the same in every run.
const SEED: u64 = 1;

/// A subject and what it came to.
#[derive(Debug)]
pub struct Row {
    /// What was measured.
    pub subject: Subject,
    /// With one thread.
    pub one: Option<Figures>,
    /// With two threads on one object.
    pub two: Option<Figures>,
}

/// One form of a subject: with so many threads.
#[derive(Clone)]
struct Track {
    subject: usize,
    threads: usize,
    batch: u64,
    slices: Vec<Slice>,
}

/// Measures what `make` makes. It is asked twice, as an object that two threads have shared may work
/// another way afterwards: those with one thread have objects of their own.
pub fn measure(make: impl Fn() -> Vec<Subject>, plan: Plan) -> Vec<Row> {
    let [alone, shared] = [make(), make()];
    let tracks = |subjects: &[Subject], threads| -> Vec<Track> {
        (0..subjects.len()).map(|subject| Track { subject, threads, batch: 1, slices: Vec::new() }).collect()
    };
    let mut tracks = [tracks(&alone, 1), tracks(&shared, 2)].concat();
    tracks.retain(|track| track.threads == 1 || shared[track.subject].pair);
    let mut draws = (1..).map(|number| random::draw(SEED, number));
    let began = Instant::now();
    for round in 0..WARM_UP + plan.rounds {
        if round > WARM_UP && began.elapsed() > plan.limit {
            break;
        }
        shuffle(&mut tracks, &mut draws);
        for track in &mut tracks {
            let subject = if track.threads == 1 { &alone } else { &shared };
            let subject = &subject[track.subject];
            let slice = Slice::measure(subject, track.threads, track.batch, plan.slice);
            track.batch = slice.next_batch();
            if round >= WARM_UP {
                track.slices.push(slice);
            }
        }
    }
    let figures = |subject, threads| {
        let track = tracks.iter().find(|track| track.subject == subject && track.threads == threads)?;
        Figures::of(&track.slices)
    };
    (0..)
        .zip(alone)
        .map(|(number, subject)| Row { subject, one: figures(number, 1), two: figures(number, 2) })
        .collect()
}

/// Every order is as likely as every other (Fisher and Yates).
fn shuffle<T>(things: &mut [T], draws: &mut impl Iterator<Item = u64>) {
    for (last, draw) in (1..things.len()).rev().zip(draws) {
        let chosen = random::between(draw, 0, u64::try_from(last).unwrap_or(u64::MAX));
        things.swap(last, usize::try_from(chosen).unwrap_or(last));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        sync::{
            Mutex,
            atomic::{AtomicU64, Ordering},
        },
        thread,
    };

    use super::*;
    use crate::subject::{Operation, Whose, Window};

    fn subject(name: &str) -> Subject {
        Subject::new(Operation::Floor, Whose::Floor, name, Window::None, "", || ())
    }

    #[test]
    fn every_order_is_as_likely_as_every_other() {
        let mut draws = (1..).map(|number| random::draw(SEED, number));
        let mut seen = BTreeMap::new();
        for _ in 0..6000 {
            let mut order = [1, 2, 3];
            shuffle(&mut order, &mut draws);
            *seen.entry(order).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|times| (900..1100).contains(times)), "{seen:?}");
    }

    #[test]
    fn one_thread_never_uses_what_two_have_shared() {
        let made = AtomicU64::new(0);
        let make = || {
            let user: Mutex<Option<usize>> = Mutex::new(None);
            made.fetch_add(1, Ordering::Relaxed);
            let batch = move |_| {
                let main = usize::from(thread::current().name().is_some());
                let mut seen = user.lock().unwrap();
                assert_eq!(*seen.get_or_insert(main), main);
            };
            vec![Subject::batched(Operation::Floor, Whose::Floor, "it", Window::None, "", batch)]
        };
        let plan = Plan { rounds: 2, slice: Duration::from_micros(10), limit: Duration::MAX };
        assert_eq!(measure(make, plan).len(), 1);
        assert_eq!(made.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn one_round_is_measured_however_little_time_there_is() {
        let plan = Plan { rounds: 100, slice: Duration::from_micros(10), limit: Duration::ZERO };
        let rows = measure(|| vec![subject("one").alone()], plan);
        assert_eq!(rows[0].one.map(|figures| figures.slices), Some(1));
    }

    #[test]
    fn each_subject_has_a_slice_in_every_round_and_two_threads_where_it_shares() {
        let plan = Plan { rounds: 2, slice: Duration::from_micros(10), limit: Duration::MAX };
        let rows = measure(|| vec![subject("shared"), subject("alone").alone()], plan);
        let slices = |figures: Option<Figures>| figures.map(|figures| figures.slices);
        let seen: Vec<_> = rows.iter().map(|row| (slices(row.one), slices(row.two))).collect();
        assert_eq!(seen, [(Some(2), Some(2)), (Some(2), None)]);
    }
}
