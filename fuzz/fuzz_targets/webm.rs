//! A file that begins as webm does.
#![no_main]

mod support;

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let mut file = file.to_vec();
    if file.len() >= 4 {
        file[0..4].copy_from_slice(&[0x1A, 0x45, 0xDF, 0xA3]);
        support::check(&file);
    }
});
