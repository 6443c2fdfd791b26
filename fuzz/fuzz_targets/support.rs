//! What the container targets share.

use std::io::Cursor;
use std::panic;
use std::sync::Once;

use voxpost_audio::{Error, Limits, Options, normalise};

/// Normalises a file within tight limits and checks what must hold of any result.
pub fn check(file: &[u8]) {
    // libFuzzer's hook ends the process at any panic. Those within the libraries that decode are caught and become errors;
    // one that gets as far as here still ends it.
    static QUIET: Once = Once::new();
    QUIET.call_once(|| panic::set_hook(Box::new(|info| eprintln!("{info}"))));
    let limits = Limits { max_duration_ms: 60_000, max_output_bytes: 1 << 20, ..Limits::default() };
    let options = Options { limits, serial: 1, ..Options::default() };
    let mut out = Vec::new();
    match normalise(Cursor::new(file), &mut out, &options, &|| false) {
        Ok(done) => {
            assert!(done.samples_48k > 0 && done.duration_ms <= limits.max_duration_ms);
            assert_eq!(done.size_bytes, out.len() as u64);
            // What was made is canonical: it is taken as it is, and stays as it is.
            let mut again = Vec::new();
            let second = normalise(Cursor::new(&out), &mut again, &options, &|| false).expect("our own file is good");
            assert!(!second.transcoded && !second.truncated && second.missing_ms == 0);
            assert_eq!((second.samples_48k, &again), (done.samples_48k, &out));
        }
        Err(Error::Io(e)) => panic!("reading from memory does not fail: {e}"),
        Err(Error::OutOfTime) => panic!("nobody said stop"),
        Err(_) => {}
    }
}
