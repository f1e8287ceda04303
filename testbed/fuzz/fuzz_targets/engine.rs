#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fernamt_fuzz::engine::run(data));
