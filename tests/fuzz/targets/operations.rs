//! A breaker against the naive model of it.
#![no_main]

libfuzzer_sys::fuzz_target!(|case: overcurrent_fuzz::operations::Case| case.check());
