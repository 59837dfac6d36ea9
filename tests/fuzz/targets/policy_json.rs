//! Any bytes as a policy document in JSON.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| overcurrent_fuzz::document::check("policy.json", bytes));
