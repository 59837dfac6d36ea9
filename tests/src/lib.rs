//! What the tests of the whole project share: the runner of the vectors.

pub mod vectors;
