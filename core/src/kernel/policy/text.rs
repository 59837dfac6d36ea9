//! The text of a document, read into a raw value: TOML and JSON. What the text means is decided
//! elsewhere; here it is only well formed or not.

use super::{table::refuse, value::Value};
use crate::kernel::error::InvalidPolicy;

/// Where errors say they are if the text as a whole is at fault.
const DOCUMENT: &str = "document";

/// Reads TOML, tables in the order they were written.
#[cfg(feature = "toml")]
pub(super) fn toml(text: &str) -> Result<Value, InvalidPolicy> {
    let root = toml::de::DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(text.len(), |span| span.start);
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        malformed(text, "TOML", error.message(), line, column)
    })?;
    Ok(tree(toml::de::DeValue::Table(root.into_inner())))
}

/// The raw value of a TOML value. The parser bounds how deep it nests.
#[cfg(feature = "toml")]
fn tree(value: toml::de::DeValue<'_>) -> Value {
    use toml::de::DeValue;
    match value {
        DeValue::Boolean(flag) => flag.into(),
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => number.into(),
            Err(_) => Value::Number(number.to_string()),
        },
        // A float stands for its shortest decimal, as in JSON; one beyond all floats for its text.
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(float) if float.is_finite() => float.into(),
            _ => Value::Number(number.as_str().to_owned()),
        },
        DeValue::Datetime(moment) => Value::Other(moment.to_string()),
        DeValue::Array(items) => Value::List(items.into_iter().map(|item| tree(item.into_inner())).collect()),
        DeValue::Table(table) => {
            let mut entries: Vec<_> = table.into_iter().collect();
            entries.sort_by_key(|(name, _)| name.span().start);
            let named = entries.into_iter().map(|(name, value)| (name.into_inner(), value.into_inner()));
            Value::Table(named.map(|(name, value)| (name.into_owned(), tree(value))).collect())
        }
    }
}

/// Reads JSON.
#[cfg(feature = "json")]
pub(super) fn json(text: &str) -> Result<Value, InvalidPolicy> {
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
        malformed(text, "JSON", message, error.line(), error.column())
    })
}

/// The error of a text that its parser refuses, with the line it stumbled on as the value.
#[cfg(any(feature = "toml", feature = "json"))]
fn malformed(text: &str, format: &str, message: &str, line: usize, column: usize) -> InvalidPolicy {
    let upto = text.lines().take(line.max(1)).map(str::trim);
    let excerpt = upto.filter(|line| !line.is_empty()).last().unwrap_or_default();
    let mut words: Vec<_> = message.split_whitespace().map(str::to_owned).collect();
    if let Some(first) = words.first_mut().filter(|first| !first.contains('`')) {
        first.make_ascii_lowercase();
    }
    let rule = format!("is not {format}: {} (line {line}, column {column})", words.join(" "));
    refuse(DOCUMENT, excerpt, rule)
}

/// The error of a file name that says no format, or one that this build does not have.
#[cfg(any(feature = "toml", feature = "json"))]
pub(super) fn unreadable(file_name: &str, ending: &str) -> InvalidPolicy {
    let rule = match ending {
        "toml" | "json" => format!("is of a format this build was made without, feature `{ending}`"),
        _ => "must end in `.toml` or `.json`".to_owned(),
    };
    refuse(DOCUMENT, file_name, rule)
}

/// The error of a document that is no table.
pub(super) fn misshapen(value: &Value) -> InvalidPolicy {
    refuse(DOCUMENT, value, "must be a table with `policy`")
}
