//! A file that begins as CAF does.
#![no_main]

mod support;

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let mut file = file.to_vec();
    if file.len() >= 16 {
        file[..8].copy_from_slice(b"caff\0\x01\0\0");
        support::check(&file);
    }
});
