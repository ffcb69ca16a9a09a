//! The property is `fuzz_properties::client_session`; read it there.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_properties::client_session(data));
