//! A real outage over real sockets: an upstream that follows a script of troubles, six client
//! processes that call it (three languages, guarded and naive), and what is said about it afterwards.
//!
//! The binary `outage` runs it; the binary `outage-client` is the Rust client. The Python and the Node
//! clients are in `clients/`, the policy that all three load is `overcurrent.toml`.
#![forbid(unsafe_code)]

pub mod arrivals;
pub mod checks;
pub mod client;
pub mod fleet;
pub mod limits;
pub mod line;
pub mod observer;
pub mod progress;
pub mod record;
pub mod report;
pub mod run;
pub mod script;
pub mod stage;
pub mod summary;
pub mod table;
pub mod upstream;
