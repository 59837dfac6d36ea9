//! The declaration of a field: name, unit, range, default and meaning, once. The reader takes the
//! range and the default from here, the docs print it.

use super::quantity::Quantity;

/// A field of a quantity.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<T> {
    /// Its name, in `snake_case`.
    pub(super) name: &'static str,
    /// The lowest value allowed.
    pub(super) min: T,
    /// The highest value allowed.
    pub(super) max: T,
    /// What holds where it is absent.
    pub(super) default: Absent<T>,
    /// What it means, in one line.
    pub(super) meaning: &'static str,
}

/// What holds where a field is absent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Absent<T> {
    /// This value.
    Is(T),
    /// This, said in words; whoever reads the field works it out.
    Means(&'static str),
    /// An error.
    Required,
}

impl<T: Copy> Field<T> {
    /// The default; the lowest value where it depends on other fields or there is none.
    pub(super) const fn start(&self) -> T {
        match self.default {
            Absent::Is(value) => value,
            Absent::Means(_) | Absent::Required => self.min,
        }
    }
}

/// A field that holds something else than one quantity: a word, a table, a switch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Its name, in `snake_case`.
    pub(super) name: &'static str,
    /// What it can be, to follow `must be`.
    pub(super) forms: &'static str,
    /// What holds where it is absent.
    pub(super) default: &'static str,
    /// What it means, in one line.
    pub(super) meaning: &'static str,
}

/// One line of a policy's table of fields, for docs and tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRow {
    /// The name in `snake_case`, after that of the table it stands in: `window.time`.
    pub name: String,
    /// The unit, or the kind of value.
    pub unit: &'static str,
    /// The range, or the forms it can take.
    pub range: String,
    /// What holds where it is absent.
    pub default: String,
    /// What it means.
    pub meaning: &'static str,
}

impl FieldRow {
    /// The same line, of a field that stands within `table`.
    pub(super) fn within(self, table: &str) -> Self {
        Self { name: format!("{table}.{}", self.name), ..self }
    }
}

/// Whatever can stand in a table of fields.
pub(super) trait Describe {
    /// The name, in `snake_case`.
    fn name(&self) -> &'static str;
    /// The line of the table.
    fn row(&self) -> FieldRow;
}

impl<T: Quantity> Describe for Field<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn row(&self) -> FieldRow {
        let default = match self.default {
            Absent::Is(value) => value.show(),
            Absent::Means(words) => words.to_owned(),
            Absent::Required => "required".to_owned(),
        };
        let range = T::range(self.min, self.max);
        FieldRow { name: self.name.to_owned(), unit: T::UNIT, range, default, meaning: self.meaning }
    }
}

impl Describe for Shape {
    fn name(&self) -> &'static str {
        self.name
    }

    fn row(&self) -> FieldRow {
        FieldRow {
            name: self.name.to_owned(),
            unit: "choice",
            range: self.forms.to_owned(),
            default: self.default.to_owned(),
            meaning: self.meaning,
        }
    }
}

/// The fields a table can have.
pub(super) type Fields = [&'static dyn Describe];

/// The lines of a table of fields.
pub(super) fn rows(fields: &Fields) -> Vec<FieldRow> {
    fields.iter().map(|field| field.row()).collect()
}
