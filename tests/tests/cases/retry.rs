//! Random retries: policies as a document writes them, and what may happen to the calls they govern.

use overcurrent::{BudgetPolicy, Dialect, RetryPolicy, Value};
use proptest::{collection::vec, option, prelude::*};

use crate::text::{nanos, ratio, table};

pub(crate) const MILLI: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MILLI;

/// A retry policy as written: durations in nanoseconds, ratios in parts per million, and what is
/// absent has its default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    pub(crate) max_attempts: Option<u32>,
    pub(crate) backoff: Option<Shape>,
    pub(crate) jitter: Option<Spread>,
    pub(crate) max_hint: Option<u64>,
    pub(crate) budget: Option<WrittenBudget>,
}

#[derive(Clone, Debug)]
pub(crate) enum Shape {
    None,
    Constant { delay: u64 },
    Linear { initial: u64, step: u64, max: u64 },
    Exponential { initial: u64, multiplier: Option<u64>, max: u64 },
    Schedule { delays: Vec<u64> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    None,
    Full,
    Equal,
    Decorrelated,
    Proportional(u64),
}

/// A budget as written; tokens per second in thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WrittenBudget {
    pub(crate) ratio: Option<u64>,
    pub(crate) min_per_second: Option<u64>,
    pub(crate) burst: Option<u32>,
}

impl Shape {
    /// The longest wait, where the shape has one.
    pub(crate) fn max(&self) -> Option<u64> {
        match self {
            Self::Linear { max, .. } | Self::Exponential { max, .. } => Some(*max),
            Self::None | Self::Constant { .. } | Self::Schedule { .. } => None,
        }
    }

    fn document(&self) -> Value {
        let one = |name, fields: Vec<(&'static str, Option<Value>)>| table([(name, Some(table(fields)))]);
        match self {
            Self::None => Value::Text("none".into()),
            Self::Constant { delay } => one("constant", vec![("delay", Some(nanos(*delay)))]),
            Self::Linear { initial, step, max } => one(
                "linear",
                vec![
                    ("initial", Some(nanos(*initial))),
                    ("step", Some(nanos(*step))),
                    ("max", Some(nanos(*max))),
                ],
            ),
            Self::Exponential { initial, multiplier, max } => one(
                "exponential",
                vec![
                    ("initial", Some(nanos(*initial))),
                    ("multiplier", multiplier.map(ratio)),
                    ("max", Some(nanos(*max))),
                ],
            ),
            Self::Schedule { delays } => {
                let delays = delays.iter().map(|delay| nanos(*delay)).collect();
                one("schedule", vec![("delays", Some(Value::List(delays)))])
            }
        }
    }
}

impl Spread {
    fn document(self) -> Value {
        match self {
            Self::None => Value::Text("none".into()),
            Self::Full => Value::Text("full".into()),
            Self::Equal => Value::Text("equal".into()),
            Self::Decorrelated => Value::Text("decorrelated".into()),
            Self::Proportional(share) => table([("proportional", Some(ratio(share)))]),
        }
    }
}

impl WrittenBudget {
    fn document(self) -> Value {
        let rate =
            |thousandths: u64| Value::Number(format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000));
        table([
            ("ratio", self.ratio.map(ratio)),
            ("min_per_second", self.min_per_second.map(rate)),
            ("burst", self.burst.map(Value::from)),
        ])
    }

    /// The policy that the core reads from it.
    pub(crate) fn policy(self) -> BudgetPolicy {
        BudgetPolicy::from_value(&self.document(), "", Dialect::Document)
            .unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

impl Written {
    /// The policy that the core reads from it.
    pub(crate) fn policy(&self) -> RetryPolicy {
        let document = table([
            ("max_attempts", self.max_attempts.map(Value::from)),
            ("backoff", self.backoff.as_ref().map(Shape::document)),
            ("jitter", self.jitter.map(Spread::document)),
            ("max_hint", self.max_hint.map(nanos)),
            ("budget", self.budget.map(WrittenBudget::document)),
        ]);
        RetryPolicy::from_value(&document, "", Dialect::Document)
            .unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// Durations of every size.
pub(crate) fn spans() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => 0..10u64, 2 => 0..10_000u64, 6 => 0..2 * SECOND, 2 => 0..100_000 * SECOND, 1 => any::<u64>(),
        1 => Just(u64::MAX),
    ]
}

/// Shapes that have a longest wait, their first wait within it.
pub(crate) fn capped(spans: impl Strategy<Value = u64> + 'static) -> impl Strategy<Value = Shape> {
    let spans = spans.boxed();
    let ends = (spans.clone(), spans.clone()).prop_map(|(one, other)| (one.min(other), one.max(other)));
    let multiplier = option::of(prop_oneof![1_000_000..=4_000_000u64, 1_000_000..=100_000_000u64]);
    prop_oneof![
        2 => (ends.clone(), spans).prop_map(|((initial, max), step)| Shape::Linear { initial, step, max }),
        3 => (ends, multiplier).prop_map(|((initial, max), multiplier)| {
            Shape::Exponential { initial, multiplier, max }
        }),
    ]
}

fn shapes() -> impl Strategy<Value = Shape> {
    prop_oneof![
        1 => Just(Shape::None),
        1 => spans().prop_map(|delay| Shape::Constant { delay }),
        5 => capped(spans()),
        1 => vec(spans(), 1..6).prop_map(|delays| Shape::Schedule { delays }),
    ]
}

pub(crate) fn spreads() -> impl Strategy<Value = Spread> {
    prop_oneof![
        Just(Spread::None),
        Just(Spread::Full),
        Just(Spread::Equal),
        Just(Spread::Decorrelated),
        prop_oneof![1..=1_000_000u64, Just(1_000_000)].prop_map(Spread::Proportional),
    ]
}

/// The jitter, or another one where it does not go with the shape.
pub(crate) fn fitting(shape: Option<&Shape>, spread: Spread) -> Spread {
    match (shape, spread) {
        (None | Some(Shape::Exponential { .. }), spread) => spread,
        (Some(_), Spread::Decorrelated) => Spread::Full,
        (Some(_), spread) => spread,
    }
}

pub(crate) fn budgets() -> impl Strategy<Value = WrittenBudget> {
    let share = prop_oneof![0..=1_000_000u64, Just(0), Just(1_000_000)];
    let rate = prop_oneof![3 => 0..=3_000u64, 1 => 0..=1_000_000u64, 1 => Just(0)];
    let burst = prop_oneof![3 => 1..=5u32, 1 => 1..=1_000u32];
    (option::of(share), option::of(rate), option::of(burst))
        .prop_map(|(ratio, min_per_second, burst)| WrittenBudget { ratio, min_per_second, burst })
}

pub(crate) fn policies() -> impl Strategy<Value = Written> {
    let attempts = option::of(prop_oneof![4 => 1..=8u32, 1 => 1..=1_000u32]);
    (attempts, option::of(shapes()), option::of(spreads()), option::of(spans()), option::of(budgets()))
        .prop_map(|(max_attempts, backoff, jitter, max_hint, budget)| Written {
            jitter: jitter.map(|spread| fitting(backoff.as_ref(), spread)),
            max_attempts,
            backoff,
            max_hint,
            budget,
        })
}
