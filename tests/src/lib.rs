//! What the tests of the whole project share: the runner of the vectors, and the page of fields.

pub mod policy_docs;
pub mod vectors;
