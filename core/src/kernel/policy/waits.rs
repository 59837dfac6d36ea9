//! The waits of a retry policy: its backoff shapes and its jitters, read from their raw form.

use super::{
    dialect::Dialect,
    field::{Absent, Field, FieldRow, Fields, Shape, rows},
    table::{Table, hint, join, read, refuse},
    value::Value,
};
use crate::kernel::{
    error::InvalidPolicy,
    time::{Ppm, Span},
};

/// The base of the waits: how they grow from one failed attempt to the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Backoff {
    /// No wait.
    None,
    /// The same wait each time.
    Constant {
        /// The wait.
        delay: Span,
    },
    /// `min(max, initial + (k − 1) · step)`.
    Linear {
        /// The first wait.
        initial: Span,
        /// What each further one adds.
        step: Span,
        /// The longest wait.
        max: Span,
    },
    /// `initial`, then each `min(max, floor(last · multiplier))`.
    Exponential {
        /// The first wait.
        initial: Span,
        /// What each further one is multiplied by, 1 to 100.
        multiplier: Ppm,
        /// The longest wait.
        max: Span,
    },
    /// The waits one by one; the last repeats.
    Schedule {
        /// The waits, 1 to 1000 of them.
        delays: Vec<Span>,
    },
}

/// How a wait is drawn around its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Jitter {
    /// The base itself; draws nothing.
    None,
    /// From nothing to the base.
    Full,
    /// From half of the base to the base.
    Equal,
    /// From the first wait to three times the last one, within the cap.
    Decorrelated,
    /// The base, give or take this share of it, within the cap.
    Proportional(Ppm),
}

/// The backoff where none is given.
pub(super) const DEFAULT: Backoff = Backoff::Exponential {
    initial: Span::from_millis(100),
    multiplier: MULTIPLIER.start(),
    max: Span::from_secs(5),
};

const fn wait(name: &'static str, meaning: &'static str) -> Field<Span> {
    Field { name, min: Span::ZERO, max: Span::MAX, default: Absent::Required, meaning }
}

const DELAY: Field<Span> = wait("delay", "the wait");
const INITIAL: Field<Span> = wait("initial", "the first wait, at most `max`");
const STEP: Field<Span> = wait("step", "what each further wait adds");
const MAX: Field<Span> = wait("max", "the longest wait");
const MULTIPLIER: Field<Ppm> = Field {
    name: "multiplier",
    min: Ppm::ONE,
    max: Ppm::new(100_000_000),
    default: Absent::Is(Ppm::new(2_000_000)),
    meaning: "what each further wait is multiplied by",
};
const DELAYS: Shape = Shape {
    name: "delays",
    forms: "a list of 1 to 1000 durations",
    default: "required",
    meaning: "the waits one by one, the last repeats",
};
const PROPORTIONAL: Field<Ppm> = Field {
    name: "proportional",
    min: Ppm::new(1),
    max: Ppm::ONE,
    default: Absent::Required,
    meaning: "the base, give or take this share of it",
};

const CONSTANT: &Fields = &[&DELAY];
const LINEAR: &Fields = &[&INITIAL, &STEP, &MAX];
const EXPONENTIAL: &Fields = &[&INITIAL, &MULTIPLIER, &MAX];
const SCHEDULE: &Fields = &[&DELAYS];

/// The shapes that have fields, by name.
const SHAPES: [(&str, &Fields); 4] =
    [("constant", CONSTANT), ("linear", LINEAR), ("exponential", EXPONENTIAL), ("schedule", SCHEDULE)];

/// The jitters that are one word.
const JITTERS: [(&str, Jitter); 4] = [
    ("none", Jitter::None),
    ("full", Jitter::Full),
    ("equal", Jitter::Equal),
    ("decorrelated", Jitter::Decorrelated),
];

/// Reads a backoff, which must be one of `forms`.
pub(super) fn backoff(
    value: &Value,
    path: &str,
    dialect: Dialect,
    forms: &str,
) -> Result<Backoff, InvalidPolicy> {
    match value {
        Value::Text(word) if word == "none" => return Ok(Backoff::None),
        Value::Table(_) => {}
        _ => return Err(refuse(path, value, format!("must be {forms}"))),
    }
    let (name, fields, value) = shape(value, path, dialect)?;
    let path = &join(path, name);
    let table = Table::open(value, path, dialect, fields)?;
    match name {
        "constant" => Ok(Backoff::Constant { delay: table.take(&DELAY)? }),
        "linear" => {
            let (initial, max) = (table.take(&INITIAL)?, table.take(&MAX)?);
            capped(&table, initial, max)?;
            Ok(Backoff::Linear { initial, step: table.take(&STEP)?, max })
        }
        "exponential" => {
            let (initial, max) = (table.take(&INITIAL)?, table.take(&MAX)?);
            capped(&table, initial, max)?;
            Ok(Backoff::Exponential { initial, multiplier: table.take(&MULTIPLIER)?, max })
        }
        _ => Ok(Backoff::Schedule { delays: delays(&table)? }),
    }
}

/// Reads a jitter, which must be one of `forms`.
pub(super) fn jitter(
    value: &Value,
    path: &str,
    dialect: Dialect,
    forms: &str,
) -> Result<Jitter, InvalidPolicy> {
    if let Value::Text(word) = value
        && let Some((_, jitter)) = JITTERS.into_iter().find(|(name, _)| name == word)
    {
        return Ok(jitter);
    }
    if let Value::Table(_) = value {
        let table = Table::open(value, path, dialect, &[&PROPORTIONAL])?;
        return Ok(Jitter::Proportional(table.take(&PROPORTIONAL)?));
    }
    Err(refuse(path, value, format!("must be {forms}")))
}

/// The fields of the shapes, for docs and tools.
pub(super) fn fields() -> Vec<FieldRow> {
    let of_shape = |(name, fields): (&str, &Fields)| {
        rows(fields).into_iter().map(|row| row.within(name).within("backoff")).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = SHAPES.into_iter().flat_map(of_shape).collect();
    all.extend(rows(&[&PROPORTIONAL]).into_iter().map(|row| row.within("jitter")));
    all
}

/// The one shape of a backoff table: its name, its fields and its value.
fn shape<'a>(
    value: &'a Value,
    path: &str,
    dialect: Dialect,
) -> Result<(&'static str, &'static Fields, &'a Value), InvalidPolicy> {
    let given = super::table::entries(value, path)?;
    let mut one = None;
    for (key, inner) in given {
        let Some((name, fields)) = SHAPES.into_iter().find(|(name, _)| name == key) else {
            let names = SHAPES.iter().map(|(name, _)| *name);
            return Err(refuse(&join(path, key), key, format!("is not a backoff, {}", hint(key, names))));
        };
        if *inner == Value::Null && dialect.null_is_absent() {
            continue;
        }
        if one.replace((name, fields, inner)).is_some() {
            return Err(refuse(path, value, "must be one backoff, not several"));
        }
    }
    one.ok_or_else(|| refuse(path, value, "must name a backoff"))
}

fn capped(table: &Table<'_>, initial: Span, max: Span) -> Result<(), InvalidPolicy> {
    if initial <= max {
        return Ok(());
    }
    Err(table.refuse(INITIAL.name, format!("must not exceed `max` of `{max}`")))
}

fn delays(table: &Table<'_>) -> Result<Vec<Span>, InvalidPolicy> {
    match table.raw(DELAYS.name) {
        None => Err(table.required(DELAYS.name)),
        Some(Value::List(items)) if (1..=1_000).contains(&items.len()) => {
            let path = table.path_of(DELAYS.name);
            let each = |(index, item)| read(item, &format!("{path}[{index}]"), table.dialect, &DELAY);
            items.iter().enumerate().map(each).collect()
        }
        Some(_) => Err(table.refuse(DELAYS.name, format!("must be {}", DELAYS.forms))),
    }
}
