//! The quantities a field can hold, and how each is read from a raw value.
//!
//! | type | written as | kept as |
//! | --- | --- | --- |
//! | [`Span`] | `"250ms"`, or a host's duration or number | nanoseconds |
//! | [`Ppm`] | `0.5` | parts per million, rounded half up |
//! | `u32` | `3` | itself |
//! | [`PerSecond`] | `12.345` | thousandths, exact |

use std::borrow::Cow;

use super::{
    decimal::{Decimal, Rounding, Unfit, decimal},
    dialect::Dialect,
    value::Value,
};
use crate::kernel::time::{Ppm, Span};

/// Something a field can hold: read from a raw value, then held against a range.
pub(super) trait Quantity: Copy + PartialOrd {
    /// What a table of fields says about its unit.
    const UNIT: &'static str;

    /// Reads it; does not know the field's range.
    fn read(value: &Value, dialect: Dialect) -> Result<Self, Refusal>;

    /// The text of it in a table of fields or a rule.
    fn show(self) -> String;

    /// The words for a range, to follow `must be`.
    fn range(min: Self, max: Self) -> String {
        format!("{} to {}", min.show(), max.show())
    }
}

/// Why a raw value is not such a quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is one, but below or above anything that can be kept, and so outside the field's range.
    Outside,
    /// It is none, by this rule.
    Rule(Cow<'static, str>),
}

const fn rule(text: &'static str) -> Refusal {
    Refusal::Rule(Cow::Borrowed(text))
}

/// Tokens in a second, kept in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PerSecond(pub(super) u32);

impl Quantity for u32 {
    const UNIT: &'static str = "count";

    fn read(value: &Value, _: Dialect) -> Result<Self, Refusal> {
        let whole = "must be a whole number";
        let Value::Number(text) = value else { return Err(rule(whole)) };
        // A point makes a float of it, even in `3.0`; an exponent does not (a host may write 1e+21).
        let number = Decimal::parse(text).filter(|_| !text.contains('.')).ok_or(rule(whole))?;
        match number.scaled(0, Rounding::Exact) {
            Err(Unfit::Fraction) => Err(rule(whole)),
            Ok(size) if !number.is_negative() => Self::try_from(size).map_err(|_| Refusal::Outside),
            _ => Err(Refusal::Outside),
        }
    }

    fn show(self) -> String {
        self.to_string()
    }
}

impl Quantity for Ppm {
    const UNIT: &'static str = "ratio";

    fn read(value: &Value, _: Dialect) -> Result<Self, Refusal> {
        let number = number(value)?;
        let parts = number.scaled(6, Rounding::HalfUp).map_err(|_| Refusal::Outside)?;
        u32::try_from(parts).map(Self::new).map_err(|_| Refusal::Outside)
    }

    fn show(self) -> String {
        decimal(u64::from(self.parts()), 6)
    }

    fn range(min: Self, max: Self) -> String {
        if min.parts() == 1 {
            return format!("above 0 and at most {}", max.show());
        }
        format!("{} to {}", min.show(), max.show())
    }
}

impl Quantity for PerSecond {
    const UNIT: &'static str = "tokens per second";

    fn read(value: &Value, _: Dialect) -> Result<Self, Refusal> {
        match number(value)?.scaled(3, Rounding::Exact) {
            Ok(parts) => u32::try_from(parts).map(Self).map_err(|_| Refusal::Outside),
            Err(Unfit::TooLarge) => Err(Refusal::Outside),
            Err(Unfit::Fraction) => Err(rule("must have at most 3 decimals")),
        }
    }

    fn show(self) -> String {
        decimal(u64::from(self.0), 3)
    }
}

impl Quantity for Span {
    const UNIT: &'static str = "duration";

    fn read(value: &Value, dialect: Dialect) -> Result<Self, Refusal> {
        match (value, dialect.bare_number()) {
            (Value::Span(span), _) => Ok(*span),
            (Value::Text(text), _) => duration(text).map_err(rule),
            (Value::Number(_), None) if dialect == Dialect::Document => {
                Err(rule("must have a unit, e.g. `\"250ms\"`"))
            }
            (Value::Number(text), Some(places)) => {
                let number = Decimal::parse(text).ok_or(rule(FINITE))?;
                if number.is_negative() {
                    return Err(rule("must not be negative"));
                }
                let nanos = number.scaled(places, Rounding::HalfUp).map_err(|_| rule(TOO_LONG))?;
                Ok(Self::from_nanos(nanos))
            }
            _ => Err(rule(dialect.duration())),
        }
    }

    fn show(self) -> String {
        self.to_string()
    }

    fn range(min: Self, max: Self) -> String {
        match (min.as_nanos(), max == Self::MAX) {
            (0, true) => "any duration".to_owned(),
            (1, true) => "above 0ms".to_owned(),
            _ => format!("{min} to {max}"),
        }
    }
}

const FINITE: &str = "must be a finite number";
const TOO_LONG: &str = "is too long, must be at most 18446744073709551615ns";
const FORM: &str = "must be digits with optional decimals and a unit, e.g. `1.5s`";

/// The units of duration text: `factor · 10^places` nanoseconds each.
const UNITS: [(&str, u32, i64); 6] =
    [("ns", 1, 0), ("us", 1, 3), ("ms", 1, 6), ("s", 1, 9), ("m", 6, 10), ("h", 36, 11)];

fn unit(text: &str) -> Option<(u32, i64)> {
    UNITS.into_iter().find(|(name, ..)| *name == text).map(|(_, factor, places)| (factor, places))
}

/// A duration in text: digits, optional decimals, one unit. The error is the rule.
pub(super) fn duration(text: &str) -> Result<Span, &'static str> {
    if text.contains(char::is_whitespace) {
        return Err("must not have spaces");
    }
    if text.starts_with(['+', '-']) {
        return Err("must not have a sign");
    }
    let (number, name) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    let well_formed = match number.split_once('.') {
        Some((whole, fraction)) => !whole.is_empty() && !fraction.is_empty() && !fraction.contains('.'),
        None => !number.is_empty(),
    };
    let number = Decimal::parse(number).filter(|_| well_formed).ok_or(FORM)?;
    if name.is_empty() {
        return Err("must have a unit, one of ns us ms s m h");
    }
    let Some((factor, places)) = unit(name) else {
        let first = name.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default();
        return Err(match first.len() < name.len() {
            true if unit(first).is_some() => "must have one unit only",
            true => FORM,
            false => "has an unknown unit, must be one of ns us ms s m h",
        });
    };
    match number.times(factor).scaled(places, Rounding::Exact) {
        Ok(nanos) => Ok(Span::from_nanos(nanos)),
        Err(Unfit::TooLarge) => Err(TOO_LONG),
        Err(Unfit::Fraction) => Err("has a fraction of a nanosecond"),
    }
}

/// A number that is not below zero.
fn number(value: &Value) -> Result<Decimal, Refusal> {
    let Value::Number(text) = value else { return Err(rule("must be a number")) };
    let number = Decimal::parse(text).ok_or(rule(FINITE))?;
    if number.is_negative() { Err(Refusal::Outside) } else { Ok(number) }
}

impl std::str::FromStr for Span {
    /// The rule that the text breaks.
    type Err = &'static str;

    /// Reads a duration as documents write it: digits, a point and more digits if need be, and a unit.
    ///
    /// ```
    /// use overcurrent::Span;
    ///
    /// assert_eq!("1.5s".parse(), Ok(Span::from_millis(1500)));
    /// assert!("1500".parse::<Span>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        duration(text)
    }
}
