//! The name of a guard or a breaker.

use std::{borrow::Borrow, fmt, ops::Deref};

use smol_str::SmolStr;

/// A name, shared by what it names and the errors that tell of it. One of at most 23 bytes is kept in
/// place, so an error that carries it allocates nothing; a longer one is kept once and counted.
///
/// It reads as a `str`:
///
/// ```
/// use overcurrent::Name;
///
/// let name = Name::from("payments");
/// assert!(name.starts_with("pay"));
/// assert_eq!(name, "payments");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(SmolStr);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(SmolStr::new(text))
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(SmolStr::from(text))
    }
}

impl From<&String> for Name {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.into()
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_text_wherever_one_is_asked_for() {
        for text in ["payments", "a-name-that-is-too-long-to-be-kept-in-place"] {
            let name = Name::from(text);
            assert_eq!((name.as_ref(), Borrow::<str>::borrow(&name), &*name), (text, text, text));
            assert_eq!((format!("{name}"), format!("{name:?}")), (text.to_owned(), format!("{text:?}")));
            assert_eq!(format!("{name:>50}"), format!("{text:>50}"));
            assert_eq!(
                [Name::from(text.to_owned()), Name::from(&text.to_owned())],
                [name.clone(), name.clone()]
            );
            assert!(name == text && name == *text && name != "other" && name != *"other");
            assert_eq!(String::from(name), text);
        }
    }
}
