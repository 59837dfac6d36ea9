//! What guards, breakers and registries count: each call and each attempt once, whichever way it goes; nothing
//! twice, whatever is registered how often.

#[path = "metrics/calls.rs"]
mod calls;
#[path = "cases/config.rs"]
mod config;
#[path = "metrics/registration.rs"]
mod registration;
#[path = "metrics/threads.rs"]
mod threads;
