//! A file that begins as ogg does.
#![no_main]

mod support;

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let mut file = file.to_vec();
    if file.len() >= 4 {
        file[0..4].copy_from_slice(b"OggS");
        support::check(&file);
    }
});
