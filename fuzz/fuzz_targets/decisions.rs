//! The property is `fuzz_properties::decisions`; read it there.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_properties::decisions(data));
