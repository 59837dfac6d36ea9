//! Who calls: one of three languages, through a guard or naively.

use std::fmt;

/// A language that has a client here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// reqwest.
    Rust,
    /// httpx, async.
    Python,
    /// The global `fetch`.
    Node,
}

impl Language {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Rust, Self::Python, Self::Node];

    /// Its word in paths and lines.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Node => "node",
        }
    }

    /// Its name in the report.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Python => "Python",
            Self::Node => "Node",
        }
    }
}

/// How a client treats its upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Through a guard: breaker, retry with a budget, deadline.
    Guarded,
    /// A plain retry loop.
    Naive,
}

impl Mode {
    /// Both, in the order in which they are shown.
    pub const ALL: [Self; 2] = [Self::Guarded, Self::Naive];

    /// Its word in paths and lines.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Guarded => "guarded",
            Self::Naive => "naive",
        }
    }
}

/// One client process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    /// Its language.
    pub language: Language,
    /// Its manners.
    pub mode: Mode,
}

impl Client {
    /// How many there are.
    pub const COUNT: usize = 6;

    /// All of them: the guarded ones, then the naive ones.
    pub fn all() -> impl Iterator<Item = Self> {
        Mode::ALL.into_iter().flat_map(Self::of)
    }

    /// The three of a mode.
    pub fn of(mode: Mode) -> impl Iterator<Item = Self> {
        Language::ALL.into_iter().map(move |language| Self { language, mode })
    }

    /// Its place in [`Client::all`].
    pub const fn index(self) -> usize {
        self.mode as usize * 3 + self.language as usize
    }

    /// The path under which it calls the upstream.
    pub fn path(self) -> String {
        format!("/{}/{}", self.language.word(), self.mode.word())
    }

    /// The client that calls under this path.
    pub fn from_path(path: &str) -> Option<Self> {
        Self::all().find(|client| client.path() == path)
    }
}

impl fmt::Display for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.language.word(), self.mode.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_and_path_lead_back() {
        for (place, client) in Client::all().enumerate() {
            assert_eq!(client.index(), place);
            assert_eq!(Client::from_path(&client.path()), Some(client));
        }
        assert_eq!(Client::all().count(), Client::COUNT);
        assert_eq!(Client::from_path("/cobol/naive"), None);
    }
}
