//! Frames without a container: MP3, ADTS, AMR without its magic line.
#![no_main]

mod support;

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    // Nothing else begins like this, so that the bytes are always taken for frames.
    if file.len() >= 2 && (file[0] == 0xFF || file[0] & 0x83 == 0 || file.starts_with(b"ID3")) {
        support::check(file);
    }
});
