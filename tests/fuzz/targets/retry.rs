//! Retries and their budget against a naive model of them.
#![no_main]

libfuzzer_sys::fuzz_target!(|case: overcurrent_fuzz::retry::Case| case.check());
