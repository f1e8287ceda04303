#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fernamt_fuzz::sound::run(data));
