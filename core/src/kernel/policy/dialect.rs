//! Where a policy was written down, and what that decides: the unit of a bare number and the case
//! of field names. Nothing else differs between the languages.
//!
//! | dialect | a bare number as duration | field names | null |
//! | --- | --- | --- | --- |
//! | `Document` | an error | `snake_case` | an error |
//! | `Rust` | an error | `snake_case` | absent |
//! | `Python` | seconds | `snake_case` | absent (`None`) |
//! | `Node` | milliseconds | `camelCase` | absent (`undefined`) |

use std::borrow::Cow;

/// Where a policy was written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// A TOML or JSON document, the same file for every language.
    Document,
    /// Rust code.
    Rust,
    /// Python code.
    Python,
    /// JavaScript or TypeScript code.
    Node,
}

impl Dialect {
    /// A field's name in this dialect; fields are declared in `snake_case`.
    ///
    /// ```
    /// use overcurrent::kernel::policy::Dialect;
    ///
    /// assert_eq!(Dialect::Node.name("max_attempts"), "maxAttempts");
    /// assert_eq!(Dialect::Python.name("max_attempts"), "max_attempts");
    /// ```
    pub fn name(self, field: &str) -> Cow<'_, str> {
        if self != Self::Node || !field.contains('_') {
            return Cow::Borrowed(field);
        }
        let mut words = field.split('_');
        let mut name = words.next().unwrap_or_default().to_owned();
        for word in words {
            let mut letters = word.chars();
            name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            name.push_str(letters.as_str());
        }
        Cow::Owned(name)
    }

    /// Whether a null value means that the field is absent.
    pub(super) const fn null_is_absent(self) -> bool {
        !matches!(self, Self::Document)
    }

    /// The power of ten that turns a bare number into nanoseconds, where it may be a duration.
    pub(super) const fn bare_number(self) -> Option<i64> {
        match self {
            Self::Document | Self::Rust => None,
            Self::Python => Some(9),
            Self::Node => Some(6),
        }
    }

    /// What a duration may be, as the end of a rule.
    pub(super) const fn duration(self) -> &'static str {
        match self {
            Self::Document => "must be a duration, e.g. `\"250ms\"`",
            Self::Rust => "must be a `Duration`, or text such as `250ms`",
            Self::Python => "must be a duration: a `timedelta`, seconds, or text such as `250ms`",
            Self::Node => "must be a duration: milliseconds, or text such as `250ms`",
        }
    }
}
