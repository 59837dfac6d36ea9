//! The waits of a retry and its budget once more, as plainly as they can be written: numbers wide enough
//! to need no care, each rule where `docs/semantics.md` has it.

use crate::model::stream::Stream;

/// Nothing is longer or later.
const END: u128 = u64::MAX as u128;
const TOKEN: u64 = 1_000_000;

/// How the base of a wait grows.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    None,
    Constant(u64),
    Linear { initial: u64, step: u64, max: u64 },
    Exponential { initial: u64, multiplier: u32, max: u64 },
    Schedule(Vec<u64>),
}

/// How a wait is drawn around its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    None,
    Full,
    Equal,
    Decorrelated,
    Proportional(u32),
}

/// What the model goes by.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) max_attempts: u32,
    pub(crate) shape: Shape,
    pub(crate) spread: Spread,
    pub(crate) max_hint: u64,
    pub(crate) budget: Option<BudgetRules>,
}

/// Parts per million of a token for each call; micro-tokens for each millisecond and at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BudgetRules {
    pub(crate) ratio: u32,
    pub(crate) per_milli: u32,
    pub(crate) burst: u32,
}

impl Rules {
    /// The longest wait, where there is one.
    pub(crate) fn cap(&self) -> Option<u64> {
        match self.shape {
            Shape::Linear { max, .. } | Shape::Exponential { max, .. } => Some(max),
            Shape::None | Shape::Constant(_) | Shape::Schedule(_) => None,
        }
    }
}

/// What comes after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Wait(u64),
    Stop(&'static str),
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) deadline: Option<u64>,
    failed: u32,
    base: u128,
    waited: u128,
}

impl Call {
    pub(crate) fn start(now: u64, deadline: Option<u64>) -> Self {
        Self { deadline: deadline.map(|span| now.saturating_add(span)), failed: 0, base: 0, waited: 0 }
    }

    /// The base of the k-th wait, for the k-th failure that may be retried.
    fn base(&self, rules: &Rules) -> u128 {
        let k = self.failed;
        match &rules.shape {
            Shape::None => 0,
            Shape::Constant(delay) => (*delay).into(),
            Shape::Linear { initial, step, max } => {
                (u128::from(*initial) + u128::from(k - 1) * u128::from(*step)).min((*max).into())
            }
            Shape::Exponential { initial, .. } if k == 1 => (*initial).into(),
            Shape::Exponential { multiplier, max, .. } => {
                (self.base * u128::from(*multiplier) / 1_000_000).min((*max).into())
            }
            Shape::Schedule(delays) => delays[(k as usize).min(delays.len()) - 1].into(),
        }
    }

    fn wait(&mut self, rules: &Rules, hint: Option<u64>, stream: &mut Stream) -> u64 {
        let base = self.base(rules);
        self.base = base;
        let wait = match (rules.spread, &rules.shape) {
            (Spread::None, _) => base,
            (Spread::Full, _) => stream.between(0, base),
            (Spread::Equal, _) => stream.between(base - base / 2, base),
            (Spread::Proportional(share), _) => {
                let part = base * u128::from(share) / 1_000_000;
                let most = rules.cap().map_or(END, u128::from);
                stream.between(base - part, (base + part).min(most))
            }
            (Spread::Decorrelated, Shape::Exponential { initial, max, .. }) => {
                let first = u128::from(*initial);
                let before = if self.failed == 1 { first } else { self.waited };
                stream.between(first, (3 * before).min((*max).into()))
            }
            (Spread::Decorrelated, _) => panic!("decorrelated goes with exponential only"),
        };
        self.waited = wait;
        let wait = match hint.map(u128::from) {
            Some(hint) if hint > wait && rules.spread == Spread::None => hint,
            Some(hint) if hint > wait => stream.between(hint, (hint + hint / 2).min(END)),
            _ => wait,
        };
        u64::try_from(wait).expect("no wait is longer than there is time")
    }

    /// Decides what follows an attempt that failed at `now`.
    pub(crate) fn failed(
        &mut self,
        rules: &Rules,
        retryable: bool,
        hint: Option<u64>,
        now: u64,
        stream: &mut Stream,
        bucket: Option<&mut Bucket>,
    ) -> Next {
        self.failed += 1;
        if !retryable {
            return Next::Stop("not_retryable");
        }
        if self.failed >= rules.max_attempts {
            return Next::Stop("attempts_exhausted");
        }
        let wait = self.wait(rules, hint, stream);
        if hint.is_some_and(|hint| hint > rules.max_hint) {
            return Next::Stop("hint_too_long");
        }
        if self.deadline.is_some_and(|deadline| now.saturating_add(wait) >= deadline) {
            return Next::Stop("deadline");
        }
        if bucket.is_some_and(|bucket| !bucket.withdraw(now)) {
            return Next::Stop("budget_exhausted");
        }
        Next::Wait(wait)
    }
}

/// The budget.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    rules: BudgetRules,
    pub(crate) held: u64,
    read: u64,
    deposits: u128,
    taken: u128,
}

impl Bucket {
    pub(crate) fn full(rules: BudgetRules) -> Self {
        Self { rules, held: u64::from(rules.burst) * TOKEN, read: 0, deposits: 0, taken: 0 }
    }

    fn fill(&mut self, more: u128) {
        let most = u128::from(self.rules.burst) * u128::from(TOKEN);
        self.held = u64::try_from((u128::from(self.held) + more).min(most)).expect("at most the burst");
    }

    pub(crate) fn deposit(&mut self) {
        self.deposits += 1;
        self.fill(self.rules.ratio.into());
    }

    pub(crate) fn withdraw(&mut self, now: u64) -> bool {
        let millis = now / 1_000_000;
        let passed = millis.saturating_sub(self.read);
        self.read = self.read.max(millis);
        self.fill(u128::from(passed) * u128::from(self.rules.per_milli));
        let enough = self.held >= TOKEN;
        if enough {
            self.held -= TOKEN;
            self.taken += 1;
        }
        enough
    }

    /// Never more was taken than it began with, was deposited and came with time.
    pub(crate) fn balanced(&self) -> bool {
        let came = u128::from(self.rules.burst) * u128::from(TOKEN)
            + self.deposits * u128::from(self.rules.ratio)
            + u128::from(self.read) * u128::from(self.rules.per_milli);
        self.taken * u128::from(TOKEN) + u128::from(self.held) <= came
    }
}
