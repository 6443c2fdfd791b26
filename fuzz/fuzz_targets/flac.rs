//! A file that begins as FLAC does.
#![no_main]

mod support;

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let mut file = file.to_vec();
    if file.len() >= 16 {
        file[..4].copy_from_slice(b"fLaC");
        support::check(&file);
    }
});
