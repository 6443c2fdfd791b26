//! What the tests of this crate share: fixtures, the way through the crate, and other programs as judges.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use voxpost_audio::{Analysis, Error, Normalised, Options, normalise};

// The same file as in the test kit, which this crate cannot depend on without building a server first.
#[allow(unreachable_pub, reason = "it is public in the test kit")]
#[path = "../../../testkit/src/sound.rs"]
pub(crate) mod sound;

/// A fixture that other programs made; see fixtures/make-sound.sh.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/sound")
        .join(name)
}

/// The recording that all fixtures were made from, at 48 kHz.
pub(crate) fn reference() -> Vec<f32> {
    sound::read_wav(&fixture("speech.flac"))
}

pub(crate) fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs a program that must succeed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    said
}

/// Takes a file in memory through the crate with the default limits.
pub(crate) fn encode(file: Vec<u8>) -> Result<(Vec<u8>, Normalised), Error> {
    let mut ogg = Vec::new();
    let done = normalise(Cursor::new(file), &mut ogg, &Options::default(), &|| false)?;
    Ok((ogg, done))
}

/// What was measured on the way.
pub(crate) fn analysis(done: &Normalised) -> &Analysis {
    done.analysis.as_ref().expect("decoded, hence measured")
}

/// A mono WAV file of 32-bit floats.
pub(crate) fn float_wav(rate: u32, samples: &[f32]) -> Vec<u8> {
    let data = samples.len() as u32 * 4;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x03\0\x01\0");
    file.extend(rate.to_le_bytes());
    file.extend((rate * 4).to_le_bytes());
    file.extend(b"\x04\0\x20\0data");
    file.extend(data.to_le_bytes());
    file.extend(samples.iter().flat_map(|x| x.to_le_bytes()));
    file
}
