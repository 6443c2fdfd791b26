//! Any file at all: sniffing, remux and transcode.
#![no_main]

mod support;

libfuzzer_sys::fuzz_target!(|file: &[u8]| support::check(file));
