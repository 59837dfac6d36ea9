//! A run of 64-bit words that begins on a cache line.
//!
//! The heap holds it here; as it has no pointer in it and every process reads the same places, it could
//! as well be a stretch of a mapped file.

use super::sync::{AtomicU64, zero};

/// Words per cache line.
pub const LINE: usize = 8;

/// One cache line of words.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Line([AtomicU64; LINE]);

/// A run of words.
#[derive(Debug)]
pub(crate) struct Words(Box<[Line]>);

impl Words {
    /// At least `length` words, all zero.
    pub(crate) fn zeroed(length: usize) -> Self {
        Self((0..length.div_ceil(LINE)).map(|_| Line(std::array::from_fn(|_| zero()))).collect())
    }

    /// The word at `index`.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> &AtomicU64 {
        &self.0[index / LINE].0[index % LINE]
    }

    /// All of them, by cache lines.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.0
    }

    /// `length` words from `start` on.
    pub(crate) fn part(&self, start: usize, length: usize) -> Part<'_> {
        Part { words: self, start, length }
    }
}

/// Some words of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'c> {
    words: &'c Words,
    start: usize,
    pub(crate) length: usize,
}

impl<'c> Part<'c> {
    /// The word at `index` of this part.
    pub(crate) fn at(self, index: usize) -> &'c AtomicU64 {
        debug_assert!(index < self.length, "no word of another part is touched");
        self.words.at(self.start + index)
    }
}
