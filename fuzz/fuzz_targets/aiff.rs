//! A file that begins as AIFF or AIFF-C does.
#![no_main]

mod support;

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let mut file = file.to_vec();
    if file.len() >= 16 {
        file[..4].copy_from_slice(b"FORM");
        if file[8..12] != *b"AIFC" {
            file[8..12].copy_from_slice(b"AIFF");
        }
        support::check(&file);
    }
});
