//! A Prometheus that looks on while the outage goes on, and what it must have seen.
//!
//! [`prometheus`] runs it, [`answer`] reads what its HTTP API says, [`questions`] is what it is asked and must answer,
//! [`exposition`] holds what it scrapes against the rules of the formats, and [`history`] is what [`picture`] draws for
//! the docs.

pub mod answer;
pub mod exposition;
pub mod history;
pub mod picture;
pub mod prometheus;
pub mod questions;
