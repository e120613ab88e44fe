#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzzed::properties::sign_in(data);
});
