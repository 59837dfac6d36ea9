//! A Prometheus that looks on while the outage goes on, and what it must have seen.
//!
//! [`prometheus`] runs it, [`answer`] reads what its HTTP API says, [`questions`] is what it is asked and must answer, and
//! [`exposition`] holds what it scrapes against the rules of the formats.

pub mod answer;
pub mod exposition;
pub mod prometheus;
pub mod questions;
