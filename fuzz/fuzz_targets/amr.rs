//! A file that begins as AMR or AMR-WB does.
#![no_main]

mod support;

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let mut file = file.to_vec();
    if file.len() >= 16 {
        if !file.starts_with(b"#!AMR-WB\n") {
            file[..6].copy_from_slice(b"#!AMR\n");
        }
        support::check(&file);
    }
});
