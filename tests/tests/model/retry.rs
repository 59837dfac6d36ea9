//! The retry once more, as plainly as it can be written: every wait computed from its table anew, in
//! numbers wide enough to need no care; and its budget.
//!
//! INVARIANT: it shares no code with the core; only the plain enum of reasons is the core's.

use overcurrent::StopReason;

use crate::{
    cases::{MILLI, SECOND, Shape, Spread, Written, WrittenBudget},
    stream::Stream,
};

/// Durations and instants are nanoseconds in 64 bits; there is none above this.
const END: u128 = u64::MAX as u128;
const TOKEN: u128 = 1_000_000;

/// The retries of one policy.
pub(crate) struct Retries {
    max_attempts: u32,
    shape: Shape,
    spread: Spread,
    max_hint: u128,
    stream: Stream,
}

/// The retries of one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    failed: u32,
    /// What was drawn for each wait, before any hint.
    drawn: Vec<u128>,
    deadline: Option<u64>,
}

impl Calls {
    /// A call that must be over by then.
    pub(crate) fn until(deadline: Option<u64>) -> Self {
        Self { deadline, ..Self::default() }
    }
}

impl Retries {
    pub(crate) fn new(written: &Written, seed: u64) -> Self {
        let usual = Shape::Exponential { initial: 100 * MILLI, multiplier: None, max: 5 * SECOND };
        Self {
            max_attempts: written.max_attempts.unwrap_or(3),
            shape: written.backoff.clone().unwrap_or(usual),
            spread: written.jitter.unwrap_or(Spread::Full),
            max_hint: written.max_hint.unwrap_or(60 * SECOND).into(),
            stream: Stream::new(seed),
        }
    }

    /// The k-th base.
    fn base(&self, k: usize) -> u128 {
        let steps = k as u128 - 1;
        match &self.shape {
            Shape::None => 0,
            Shape::Constant { delay } => u128::from(*delay),
            Shape::Schedule { delays } => u128::from(delays[(k - 1).min(delays.len() - 1)]),
            Shape::Linear { initial, step, max } => {
                u128::from(*max).min(u128::from(*initial) + steps * u128::from(*step))
            }
            Shape::Exponential { initial, multiplier, max } => {
                let max = u128::from(*max);
                let multiplier = u128::from(multiplier.unwrap_or(2_000_000));
                let bases = std::iter::successors(Some(u128::from(*initial)), |last| {
                    Some(max.min(last * multiplier / 1_000_000))
                });
                bases.take(k).last().expect("k is 1 or more")
            }
        }
    }

    fn wait(&mut self, call: &mut Calls, hint: Option<u64>) -> u128 {
        let k = call.drawn.len() + 1;
        let base = self.base(k);
        let wait = match (self.spread, &self.shape) {
            (Spread::None, _) => base,
            (Spread::Full, _) => self.stream.between(0, base),
            (Spread::Equal, _) => self.stream.between(base - base / 2, base),
            (Spread::Proportional(share), _) => {
                let part = base * u128::from(share) / 1_000_000;
                let max = self.shape.max().unwrap_or(u64::MAX);
                self.stream.between(base - part, (base + part).min(max.into()))
            }
            (Spread::Decorrelated, Shape::Exponential { initial, max, .. }) => {
                let initial = u128::from(*initial);
                let last = call.drawn.last().copied().unwrap_or(initial);
                self.stream.between(initial, (3 * last).min(u128::from(*max)))
            }
            (Spread::Decorrelated, _) => unreachable!("no policy"),
        };
        call.drawn.push(wait);
        match hint.map(u128::from) {
            Some(hint) if hint > wait && self.spread == Spread::None => hint,
            Some(hint) if hint > wait => self.stream.between(hint, (hint + hint / 2).min(END)),
            _ => wait,
        }
    }

    /// The wait after a failed attempt, or the reason to stop.
    pub(crate) fn failed(
        &mut self,
        call: &mut Calls,
        (retryable, hint): (bool, Option<u64>),
        now: u64,
        withdraw: impl FnOnce() -> bool,
    ) -> Result<u64, StopReason> {
        call.failed += 1;
        if !retryable {
            return Err(StopReason::NotRetryable);
        }
        if call.failed >= self.max_attempts {
            return Err(StopReason::AttemptsExhausted);
        }
        let wait = self.wait(call, hint);
        if hint.is_some_and(|hint| u128::from(hint) > self.max_hint) {
            return Err(StopReason::HintTooLong);
        }
        let then = (u128::from(now) + wait).min(END);
        if call.deadline.is_some_and(|deadline| then >= u128::from(deadline)) {
            return Err(StopReason::Deadline);
        }
        if !withdraw() {
            return Err(StopReason::BudgetExhausted);
        }
        Ok(u64::try_from(wait).expect("a span"))
    }
}

/// A budget, in millionths of a token.
pub(crate) struct Tokens {
    ratio: u128,
    each_milli: u128,
    most: u128,
    held: u128,
    last_milli: u64,
}

impl Tokens {
    pub(crate) fn new(written: WrittenBudget) -> Self {
        let most = u128::from(written.burst.unwrap_or(10)) * TOKEN;
        Self {
            ratio: written.ratio.unwrap_or(200_000).into(),
            // A thousandth of a token in a second is a millionth in a millisecond.
            each_milli: written.min_per_second.unwrap_or(1_000).into(),
            most,
            held: most,
            last_milli: 0,
        }
    }

    pub(crate) fn held(&self) -> u128 {
        self.held
    }

    pub(crate) fn deposit(&mut self) {
        self.held = self.most.min(self.held + self.ratio);
    }

    pub(crate) fn withdraw(&mut self, now: u64) -> bool {
        let milli = now / MILLI;
        let passed = u128::from(milli.saturating_sub(self.last_milli));
        self.last_milli = self.last_milli.max(milli);
        self.held = self.most.min(self.held + passed * self.each_milli);
        let enough = self.held >= TOKEN;
        if enough {
            self.held -= TOKEN;
        }
        enough
    }
}
