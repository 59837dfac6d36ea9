//! Any bytes as a policy document in TOML.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| overcurrent_fuzz::document::check("policy.toml", bytes));
