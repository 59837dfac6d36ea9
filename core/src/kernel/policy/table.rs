//! Reading a table: hands out its fields, checked, and knows the path of each for the errors.
//!
//! A table is opened against its declared fields; a field that is not declared, or given twice, is
//! refused there. Every error of a policy is made by [`refuse`].

use std::{borrow::Cow, collections::HashSet, fmt::Display};

use super::{
    dialect::Dialect,
    field::{Absent, Field, Fields, Shape},
    quantity::{Quantity, Refusal},
    value::Value,
};
use crate::kernel::{error::InvalidPolicy, time::Span};

/// How an error shows the value of a field that is absent.
const NOTHING: &str = "nothing";

/// The most characters of a value that an error shows.
const SHOWN: usize = 120;

/// What `true` stands for: a table of defaults.
pub(super) static DEFAULTS: Value = Value::EMPTY;

/// An open table.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    entries: &'a [(String, Value)],
    path: &'a str,
    pub(super) dialect: Dialect,
}

impl<'a> Table<'a> {
    /// Opens `value` as a table of `fields`.
    pub(super) fn open(
        value: &'a Value,
        path: &'a str,
        dialect: Dialect,
        fields: &Fields,
    ) -> Result<Self, InvalidPolicy> {
        let entries = entries(value, path)?;
        let names: Vec<_> = fields.iter().map(|field| dialect.name(field.name())).collect();
        for (name, _) in entries {
            if !names.contains(&Cow::Borrowed(name.as_str())) {
                return Err(refuse(&join(path, name), name, unknown(name, &names, dialect)));
            }
        }
        Ok(Self { entries, path, dialect })
    }

    /// The value of a field, if it is given.
    pub(super) fn raw(&self, name: &str) -> Option<&'a Value> {
        let name = self.dialect.name(name);
        let value = self.entries.iter().find_map(|(key, value)| (*key == name).then_some(value))?;
        (*value != Value::Null || !self.dialect.null_is_absent()).then_some(value)
    }

    /// A quantity, if it is given.
    pub(super) fn given<T: Quantity>(&self, field: &Field<T>) -> Result<Option<T>, InvalidPolicy> {
        let read = |value| read(value, &self.path_of(field.name), self.dialect, field);
        self.raw(field.name).map(read).transpose()
    }

    /// A quantity, given or by default.
    pub(super) fn take<T: Quantity>(&self, field: &Field<T>) -> Result<T, InvalidPolicy> {
        match (self.given(field)?, field.default) {
            (Some(value), _) | (None, Absent::Is(value)) => Ok(value),
            (None, _) => Err(self.required(field.name)),
        }
    }

    /// The error of a field that is absent and must not be.
    pub(super) fn required(&self, name: &str) -> InvalidPolicy {
        self.refuse(name, "is here, but the field is required")
    }

    /// A table that can be switched on and off, or `None` where it is absent.
    pub(super) fn switch(&self, shape: &Shape) -> Result<Option<Switch<'a>>, InvalidPolicy> {
        match self.raw(shape.name) {
            None => Ok(None),
            Some(Value::Bool(false)) => Ok(Some(Switch::Off)),
            Some(Value::Bool(true)) => Ok(Some(Switch::On(&DEFAULTS))),
            Some(table @ Value::Table(_)) => Ok(Some(Switch::On(table))),
            Some(_) => Err(self.refuse(shape.name, format!("must be {}", shape.forms))),
        }
    }

    /// The path of a field.
    pub(super) fn path_of(&self, name: &str) -> String {
        join(self.path, &self.dialect.name(name))
    }

    /// The error that refuses what stands at a field.
    pub(super) fn refuse(&self, name: &str, rule: impl Into<String>) -> InvalidPolicy {
        let path = self.path_of(name);
        match self.raw(name) {
            Some(value) => refuse(&path, value, rule),
            None => refuse(&path, NOTHING, rule),
        }
    }
}

/// A table that can be switched off.
#[derive(Clone, Copy)]
pub(super) enum Switch<'a> {
    /// Off: `false`.
    Off,
    /// On: this table, empty for `true`.
    On(&'a Value),
}

/// A quantity within the range of its field.
pub(super) fn read<T: Quantity>(
    value: &Value,
    path: &str,
    dialect: Dialect,
    field: &Field<T>,
) -> Result<T, InvalidPolicy> {
    let outside = || refuse(path, value, format!("must be {}", T::range(field.min, field.max)));
    match T::read(value, dialect) {
        Ok(quantity) if field.min <= quantity && quantity <= field.max => Ok(quantity),
        Ok(_) | Err(Refusal::Outside) => Err(outside()),
        Err(Refusal::Rule(rule)) => Err(refuse(path, value, rule)),
    }
}

impl Span {
    /// Reads a duration that stands alone, as an argument does; `path` is what the errors call it.
    ///
    /// ```
    /// use overcurrent::{Dialect, Span, Value};
    ///
    /// let span = Span::from_value(&Value::from(1.5), "hint", Dialect::Python)?;
    /// assert_eq!(span, Span::from_millis(1500));
    /// # Ok::<(), overcurrent::InvalidPolicy>(())
    /// ```
    ///
    /// # Errors
    /// What is no duration in this dialect.
    pub fn from_value(value: &Value, path: &str, dialect: Dialect) -> Result<Self, InvalidPolicy> {
        const ALONE: Field<Span> =
            Field { name: "", min: Span::ZERO, max: Span::MAX, default: Absent::Required, meaning: "" };
        read(value, path, dialect, &ALONE)
    }
}

/// The entries of a table, each name once.
pub(super) fn entries<'a>(value: &'a Value, path: &str) -> Result<&'a [(String, Value)], InvalidPolicy> {
    let Value::Table(entries) = value else { return Err(refuse(path, value, "must be a table")) };
    let mut seen = HashSet::with_capacity(entries.len());
    for (name, _) in entries {
        if !seen.insert(name.as_str()) {
            return Err(refuse(&join(path, name), name, "is given twice"));
        }
    }
    Ok(entries)
}

/// The error that refuses `value` at `path`.
pub(super) fn refuse(path: &str, value: impl Display, rule: impl Into<String>) -> InvalidPolicy {
    let path = if path.is_empty() { "policy" } else { path };
    InvalidPolicy { path: path.to_owned(), value: shown(&value.to_string()), rule: rule.into() }
}

/// The path of `name` within `path`; a name that could be mistaken for a path is quoted.
pub(super) fn join(path: &str, name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    let name = if plain { Cow::Borrowed(name) } else { Cow::Owned(format!("{:?}", shown(name))) };
    if path.is_empty() { name.into_owned() } else { format!("{path}.{name}") }
}

/// The known name nearest to `name`, as a question, or all of them.
pub(super) fn hint<'n>(name: &str, known: impl Iterator<Item = &'n str> + Clone) -> String {
    let distance = |other: &&str| strsim::damerau_levenshtein(name, other);
    let nearest = known.clone().min_by_key(distance);
    match nearest.filter(|near| distance(near) <= name.chars().count().div_ceil(3)) {
        Some(near) => format!("did you mean `{}`?", shown(near)),
        None => format!("only {} can stand here", list(known)),
    }
}

/// Names in backticks, with commas between; the first of very many.
pub(super) fn list<'n>(mut names: impl Iterator<Item = &'n str>) -> String {
    const LISTED: usize = 40;
    let mut listed: Vec<_> = names.by_ref().take(LISTED).map(|name| format!("`{}`", shown(name))).collect();
    listed.extend(names.next().map(|_| "…".to_owned()));
    listed.join(", ")
}

fn unknown(name: &str, known: &[Cow<'_, str>], dialect: Dialect) -> String {
    if dialect == Dialect::Document && name == "seed" {
        return "can be set in code only, a seed in a document would synchronise a fleet".to_owned();
    }
    format!("is not a field here, {}", hint(name, known.iter().map(AsRef::as_ref)))
}

/// A value on one line of bounded length.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (index, c) in text.chars().enumerate() {
        match c {
            _ if index == SHOWN => {
                shown.push('…');
                break;
            }
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}
