//! The metrics for instruments, which are asked one by one: all of them get what was gathered for the first.
//!
//! INVARIANT: no instrument gets the same values twice, nor any that are older than [`FRESH`]. What is gathered
//! is gathered outside of the lock, which guards nothing but data.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{kernel::metric::Family, live::metrics::metrics};

/// How long what was gathered for one instrument is good enough for others.
const FRESH: Duration = Duration::from_secs(1);

/// What was gathered last, unless all of it was taken.
#[derive(Debug, Default)]
pub(super) struct Gathering(Mutex<Option<Gathered>>);

#[derive(Debug)]
struct Gathered {
    at: Instant,
    families: Arc<[Family]>,
    /// Which instruments have had it.
    taken: Vec<bool>,
}

impl Gathered {
    /// What the instrument gets; `None` where it had that already.
    fn take(&mut self, instrument: usize) -> Option<Arc<[Family]>> {
        let taken = self.taken.get_mut(instrument)?;
        if std::mem::replace(taken, true) || self.at.elapsed() > FRESH {
            return None;
        }
        Some(Arc::clone(&self.families))
    }
}

impl Gathering {
    /// What all that is registered has counted, for one of so many instruments.
    pub(super) fn families(&self, instrument: usize, of: usize) -> Arc<[Family]> {
        let known = self.with(|gathered| gathered.as_mut().and_then(|gathered| gathered.take(instrument)));
        if let Some(families) = known {
            return families;
        }
        let families: Arc<[Family]> = metrics().families().collect();
        let taken = (0..of).map(|other| other == instrument).collect();
        let new = Gathered { at: Instant::now(), families: Arc::clone(&families), taken };
        self.with(|gathered| *gathered = Some(new));
        families
    }

    fn with<R>(&self, f: impl FnOnce(&mut Option<Gathered>) -> R) -> R {
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let result = f(&mut gathered);
        // Who asks for all of them at once needs no memory in between.
        if gathered.as_ref().is_some_and(|gathered| gathered.taken.iter().all(|taken| *taken)) {
            *gathered = None;
        }
        result
    }
}
