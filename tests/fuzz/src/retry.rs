//! Retries with their budget and the naive model of both, side by side: several calls at once, on a
//! clock that may jump and step back.

use std::sync::Arc;

use arbitrary::{Arbitrary, Result, Unstructured};
use overcurrent::{
    Budget, Decision, Dialect, Failure, Instant, ManualClock, Retry, RetryPolicy, Span, Value,
    kernel::retry::Attempts,
};

use crate::{
    draw::{choice, nanos, number, step},
    model::stream::Stream,
    retry_model::{Bucket, BudgetRules, Call, Next, Rules, Shape, Spread},
};

/// So many calls go on at once.
const CALLS: u8 = 4;
/// More operations than this in one case teach nothing new.
const MOST: usize = 2_000;
const WHOLE: u32 = 1_000_000;

/// A policy, a seed and what happens.
#[derive(Debug)]
pub struct Case {
    written: Value,
    rules: Rules,
    seed: u64,
    ops: Vec<Op>,
}

#[derive(Debug)]
enum Op {
    /// The clock goes to this instant.
    Clock(u64),
    /// The n-th call begins, in the place of the one before.
    Start(u8, Option<u64>),
    /// An attempt of the n-th call fails.
    Failed {
        nth: u8,
        retryable: bool,
        hint: Option<u64>,
    },
    /// Another user of the budget begins a call, or retries.
    Deposit,
    Withdraw,
}

fn maybe(bytes: &mut Unstructured<'_>) -> Result<Option<u64>> {
    Ok(if choice(bytes, 2)? == 0 { None } else { Some(nanos(bytes)?) })
}

fn op(bytes: &mut Unstructured<'_>, now: &mut u64) -> Result<Op> {
    Ok(match choice(bytes, 8)? {
        0 | 1 => {
            *now = step(bytes, *now)?;
            Op::Clock(*now)
        }
        2 => Op::Start(choice(bytes, CALLS)?, maybe(bytes)?),
        3..=5 => Op::Failed {
            nth: choice(bytes, CALLS)?,
            retryable: choice(bytes, 16)? != 15,
            hint: maybe(bytes)?,
        },
        6 => Op::Deposit,
        _ => Op::Withdraw,
    })
}

fn duration(nanos: u64) -> Value {
    Value::Text(format!("{nanos}ns"))
}

fn ratio(parts: u32) -> Value {
    Value::Number(format!("{}.{:06}", parts / WHOLE, parts % WHOLE))
}

fn table(fields: Vec<(&str, Value)>) -> Value {
    Value::Table(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn shape(bytes: &mut Unstructured<'_>) -> Result<(Value, Shape)> {
    let kind = choice(bytes, 5)?;
    let (initial, step, more) = (nanos(bytes)?, nanos(bytes)?, nanos(bytes)?);
    let (multiplier, max) = (number(bytes, WHOLE, 100 * WHOLE)?, initial.saturating_add(more));
    Ok(match kind {
        0 => (Value::from("none"), Shape::None),
        1 => {
            let fields = table(vec![("delay", duration(initial))]);
            (table(vec![("constant", fields)]), Shape::Constant(initial))
        }
        2 => {
            let fields =
                vec![("initial", duration(initial)), ("step", duration(step)), ("max", duration(max))];
            (table(vec![("linear", table(fields))]), Shape::Linear { initial, step, max })
        }
        3 => {
            let fields = vec![
                ("initial", duration(initial)),
                ("multiplier", ratio(multiplier)),
                ("max", duration(max)),
            ];
            (table(vec![("exponential", table(fields))]), Shape::Exponential { initial, multiplier, max })
        }
        _ => {
            let count = number(bytes, 1, 8)?;
            let delays = (0..count).map(|_| nanos(bytes)).collect::<Result<Vec<u64>>>()?;
            let list = Value::List(delays.iter().map(|delay| duration(*delay)).collect());
            (table(vec![("schedule", table(vec![("delays", list)]))]), Shape::Schedule(delays))
        }
    })
}

fn spread(bytes: &mut Unstructured<'_>, shape: &Shape) -> Result<(Value, Spread)> {
    let (kind, share) = (choice(bytes, 5)?, number(bytes, 1, WHOLE)?);
    Ok(match kind {
        0 => ("none".into(), Spread::None),
        1 => ("equal".into(), Spread::Equal),
        2 => (table(vec![("proportional", ratio(share))]), Spread::Proportional(share)),
        3 if matches!(shape, Shape::Exponential { .. }) => ("decorrelated".into(), Spread::Decorrelated),
        _ => ("full".into(), Spread::Full),
    })
}

fn budget(bytes: &mut Unstructured<'_>) -> Result<(Value, Option<BudgetRules>)> {
    let given = choice(bytes, 2)? == 1;
    let ratio_of = number(bytes, 0, WHOLE)?;
    let (per_milli, burst) = (number(bytes, 0, 1_000_000)?, number(bytes, 1, 1_000)?);
    if !given {
        return Ok((false.into(), None));
    }
    let per_second = Value::Number(format!("{}.{:03}", per_milli / 1_000, per_milli % 1_000));
    let fields =
        vec![("ratio", ratio(ratio_of)), ("min_per_second", per_second), ("burst", Value::from(burst))];
    Ok((table(fields), Some(BudgetRules { ratio: ratio_of, per_milli, burst })))
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let (backoff, shape) = shape(bytes)?;
        let (jitter, spread) = spread(bytes, &shape)?;
        let max_attempts = number(bytes, 1, 1_000)?;
        let max_hint = nanos(bytes)?;
        let (limits, budget) = budget(bytes)?;
        let written = table(vec![
            ("max_attempts", Value::from(max_attempts)),
            ("backoff", backoff),
            ("jitter", jitter),
            ("max_hint", duration(max_hint)),
            ("budget", limits),
        ]);
        let seed = bytes.arbitrary()?;
        let (mut ops, mut now) = (Vec::new(), 0);
        while !bytes.is_empty() && ops.len() < MOST {
            ops.push(op(bytes, &mut now)?);
        }
        Ok(Self { written, rules: Rules { max_attempts, shape, spread, max_hint, budget }, seed, ops })
    }
}

impl Case {
    /// Lets the case happen to both and compares.
    ///
    /// # Panics
    /// Where the retry or its budget differs from the model.
    pub fn check(self) {
        let policy = RetryPolicy::from_value(&self.written, "", Dialect::Document)
            .expect("what is drawn is a valid policy");
        let retry = Retry::with(policy, Arc::new(ManualClock::new()), Some(self.seed));
        let bucket = self.rules.budget.map(Bucket::full);
        let stream = Stream::new(self.seed);
        let mut pair = Pair { retry: &retry, rules: &self.rules, stream, bucket, now: 0, calls: [None; 4] };
        for op in &self.ops {
            pair.carry_out(op);
            let held = retry.budget().map(|budget| budget.tokens_micro());
            assert_eq!(held, pair.bucket.map(|bucket| bucket.held), "the tokens after {op:?}");
            assert!(pair.bucket.is_none_or(|bucket| bucket.balanced()), "overspent by {op:?}");
        }
    }
}

struct Pair<'r> {
    retry: &'r Retry,
    rules: &'r Rules,
    stream: Stream,
    bucket: Option<Bucket>,
    now: u64,
    calls: [Option<(Attempts, Call)>; CALLS as usize],
}

impl Pair<'_> {
    fn budget(&self) -> Option<&Arc<Budget>> {
        self.retry.budget()
    }

    fn carry_out(&mut self, op: &Op) {
        let at = Instant::from_nanos(self.now);
        match *op {
            Op::Clock(now) => self.now = now,
            Op::Start(nth, deadline) => {
                let call = Call::start(self.now, deadline);
                self.calls[usize::from(nth)] = Some((self.retry.begin(), call));
                self.bucket.iter_mut().for_each(Bucket::deposit);
            }
            Op::Failed { nth, retryable, hint } => self.failed(nth, retryable, hint),
            Op::Deposit => {
                self.budget().into_iter().for_each(|budget| budget.deposit());
                self.bucket.iter_mut().for_each(Bucket::deposit);
            }
            Op::Withdraw => {
                let granted = self.budget().map(|budget| budget.withdraw_at(at));
                let expected = self.bucket.as_mut().map(|bucket| bucket.withdraw(self.now));
                assert_eq!(granted, expected, "whether a token was taken");
            }
        }
    }

    fn failed(&mut self, nth: u8, retryable: bool, hint: Option<u64>) {
        let Some((mut attempts, mut call)) = self.calls[usize::from(nth)] else { return };
        let failure = Failure { retryable, hint: hint.map(Span::from_nanos) };
        let at = Instant::from_nanos(self.now);
        let deadline = call.deadline.map(Instant::from_nanos);
        let decision = match self.retry.failed_at(&mut attempts, failure, at, deadline) {
            Decision::Wait(span) => Next::Wait(span.as_nanos()),
            Decision::Stop(reason) => Next::Stop(reason.as_str()),
        };
        let bucket = self.bucket.as_mut();
        let expected = call.failed(self.rules, retryable, hint, self.now, &mut self.stream, bucket);
        assert_eq!(decision, expected, "what follows a failure");
        if let (Next::Wait(wait), None, Some(cap)) = (decision, hint, self.rules.cap()) {
            assert!(wait <= cap, "a wait of {wait} ns above the cap of {cap} ns");
        }
        let goes_on = matches!(decision, Next::Wait(_));
        self.calls[usize::from(nth)] = goes_on.then_some((attempts, call));
    }
}
