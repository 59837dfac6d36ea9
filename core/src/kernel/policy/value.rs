//! The raw, language-neutral form of a policy: what documents, builders and bindings all produce,
//! and what the policies are parsed from.

use std::{fmt, time::Duration};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::kernel::time::Span;

/// A raw value, not yet judged.
///
/// A table keeps its entries in order, duplicates too, so that the rules can name them. Shown, a
/// value reads as in an error message: a text as it is, a list or table as compact JSON.
///
/// ```
/// use overcurrent::kernel::policy::Value;
///
/// let window = Value::Table(vec![("calls".into(), Value::from(10_u32))]);
/// assert_eq!(window.to_string(), r#"{"calls":10}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing: `null`, `None`, `undefined`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number, as decimal text of any size, with or without exponent; or `NaN`, `inf`.
    Number(String),
    /// A text.
    Text(String),
    /// A length of time, where the host has a type for it.
    Span(Span),
    /// A list.
    List(Vec<Value>),
    /// A table, in the order it was written.
    Table(Vec<(String, Value)>),
    /// Anything else, as the host shows it; never valid.
    Other(String),
}

impl Value {
    /// An empty table: a policy of defaults.
    pub const EMPTY: Self = Self::Table(Vec::new());

    /// A table with one entry.
    pub(super) fn single(name: &str, value: impl Into<Self>) -> Self {
        Self::Table(vec![(name.to_owned(), value.into())])
    }

    /// Writes the value as a part of a list or table.
    fn nested(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Span(span) => write!(f, "\"{span}\""),
            other => write!(f, "{other}"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::Number(text) | Self::Text(text) | Self::Other(text) => f.write_str(text),
            Self::Span(span) => write!(f, "{span}"),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { "," })?;
                    item.nested(f)?;
                }
                f.write_str("]")
            }
            Self::Table(entries) => {
                f.write_str("{")?;
                for (index, (name, value)) in entries.iter().enumerate() {
                    write!(f, "{}{name:?}:", if index == 0 { "" } else { "," })?;
                    value.nested(f)?;
                }
                f.write_str("}")
            }
        }
    }
}

macro_rules! from_integers {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Value {
            fn from(number: $integer) -> Self {
                Self::Number(number.to_string())
            }
        }
    )*};
}

from_integers!(i32, u32, i64, u64, i128, u128, usize);

impl From<f64> for Value {
    /// Its shortest round-trip decimal; a whole number keeps its `.0`, for it is still a float.
    fn from(number: f64) -> Self {
        let tiny = number != 0.0 && number.abs() < 1e-5;
        Self::Number(if tiny { number.to_string() } else { format!("{number:?}") })
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Span> for Value {
    fn from(span: Span) -> Self {
        Self::Span(span)
    }
}

impl From<Duration> for Value {
    /// A duration too long for a [`Span`] becomes text, which is refused where it is read.
    fn from(duration: Duration) -> Self {
        let nanos = duration.as_nanos();
        match u64::try_from(nanos) {
            Ok(nanos) => Self::Span(Span::from_nanos(nanos)),
            Err(_) => Self::Text(format!("{nanos}ns")),
        }
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl From<Vec<(String, Value)>> for Value {
    fn from(entries: Vec<(String, Value)>) -> Self {
        Self::Table(entries)
    }
}

impl<'de> Deserialize<'de> for Value {
    /// Takes whatever the format holds; what it means is decided by whoever reads the tree.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

/// Builds the tree from whatever a format offers.
struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Table(entries))
    }
}
