//! Plain numbers as a policy document writes them.

use overcurrent::Value;

/// A duration in nanoseconds.
pub(crate) fn nanos(nanos: u64) -> Value {
    Value::Text(format!("{nanos}ns"))
}

/// A ratio or multiplier in parts per million.
pub(crate) fn ratio(ppm: u64) -> Value {
    Value::Number(format!("{}.{:06}", ppm / 1_000_000, ppm % 1_000_000))
}

/// A table of the fields that are given.
pub(crate) fn table(fields: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Table(given.collect())
}
