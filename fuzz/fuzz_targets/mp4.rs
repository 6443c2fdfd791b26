//! A file that begins as mp4 does.
#![no_main]

mod support;

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let mut file = file.to_vec();
    if file.len() >= 8 {
        file[4..8].copy_from_slice(b"ftyp");
        support::check(&file);
    }
});
