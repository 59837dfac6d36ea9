//! Calls through a guard, and a close watch on its probes.

use std::{
    cell::{Cell, RefCell},
    error::Error,
    path::Path,
    rc::Rc,
    time::Duration,
};

use overcurrent_outage::{
    line::{Ending, Line, Probe, Sample, State},
    upstream::{IDEMPOTENCY_KEY, PROBE_ROUND},
};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    link::{Link, Refusal},
    report::{self, Report},
};

const SAMPLING: Duration = Duration::from_millis(50);

/// The guarded caller.
pub(crate) struct Guarded {
    link: Link,
    http: reqwest::Client,
    url: String,
    watch: Watch,
}

/// What is counted beside the calls.
#[derive(Default)]
struct Watch {
    state: Cell<Option<State>>,
    retries: Cell<u32>,
    rejections: Cell<u32>,
    /// Probes that have ended without a good answer.
    round: Cell<u32>,
    /// The rounds of the probes under way.
    under_way: RefCell<Vec<u32>>,
}

impl Guarded {
    pub(crate) fn new(http: reqwest::Client, url: String, policy: &Path) -> Result<Rc<Self>, Box<dyn Error>> {
        Ok(Rc::new(Self { link: Link::load(policy)?, http, url, watch: Watch::default() }))
    }

    /// Writes the state every 50 ms, for ever.
    pub(crate) async fn sample(&self, report: &Report) {
        let mut tick = interval(SAMPLING);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tick.tick().await;
            self.watch.sample(self.link.state(), report);
        }
    }

    /// One call, reported when it has ended.
    pub(crate) async fn call(&self, report: &Report) {
        let start = report.now();
        let attempts = Cell::new(0_u32);
        let retried = RefCell::new(Vec::new());
        let result = self
            .link
            .call(|key| {
                attempts.set(attempts.get() + 1);
                if attempts.get() > 1 {
                    retried.borrow_mut().push(report.now());
                    self.watch.retries.set(self.watch.retries.get() + 1);
                }
                self.attempt(report, key, attempts.get())
            })
            .await;
        let ending = match result {
            Ok(response) if response.status().is_success() => Ending::Ok,
            Ok(_) | Err(Refusal::Own) => Ending::Error,
            Err(Refusal::Time) => Ending::Timeout,
            Err(Refusal::BreakerOpen) => {
                self.watch.rejections.set(self.watch.rejections.get() + 1);
                Ending::Rejected
            }
        };
        report.call(start, ending, attempts.get(), retried.take());
        self.watch.see(self.link.state(), report);
    }

    /// One attempt. It runs up to its first wait right after its admission, so the state it reads is
    /// the one that admitted it.
    async fn attempt(
        &self,
        report: &Report,
        key: String,
        attempt: u32,
    ) -> Result<reqwest::Response, reqwest::Error> {
        let state = self.link.state();
        self.watch.see(state, report);
        let mut request = self.http.post(&self.url).header(IDEMPOTENCY_KEY, key);
        let mut probe = None;
        if state == State::HalfOpen {
            let under_way = UnderWay::begin(&self.watch, report, attempt);
            request = request.header(PROBE_ROUND, under_way.probe.round);
            probe = Some(under_way);
        }
        let result = request.send().await;
        if let (Some(under_way), Ok(response)) = (&mut probe, &result) {
            under_way.probe.ok = response.status().is_success();
        }
        result
    }
}

impl Watch {
    /// Writes the state if it is not the one written last.
    fn see(&self, state: State, report: &Report) {
        if self.state.get() != Some(state) {
            self.sample(state, report);
        }
    }

    fn sample(&self, state: State, report: &Report) {
        self.state.set(Some(state));
        let (retries, rejections) = (self.retries.get(), self.rejections.get());
        report::write(&Line::State(Sample { at: report.now(), state, retries, rejections }));
    }
}

/// A probe that has not ended; its drop is its end, also when the guard cuts it.
struct UnderWay<'a> {
    watch: &'a Watch,
    report: &'a Report,
    probe: Probe,
}

impl<'a> UnderWay<'a> {
    fn begin(watch: &'a Watch, report: &'a Report, attempt: u32) -> Self {
        let round = watch.round.get();
        let mut under_way = watch.under_way.borrow_mut();
        under_way.push(round);
        let in_flight = u32::try_from(under_way.iter().filter(|other| **other == round).count());
        let start = report.now();
        let in_flight = in_flight.unwrap_or(u32::MAX);
        let probe = Probe { start, end: start, ok: false, attempt, round, in_flight };
        Self { watch, report, probe }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.probe.end = self.report.now();
        if !self.probe.ok {
            self.watch.round.set(self.watch.round.get() + 1);
        }
        let mut under_way = self.watch.under_way.borrow_mut();
        if let Some(place) = under_way.iter().position(|round| *round == self.probe.round) {
            under_way.swap_remove(place);
        }
        report::write(&Line::Probe(self.probe.clone()));
    }
}
