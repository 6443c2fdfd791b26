//! What it costs to decode and encode anew: `cargo bench -p voxpost-audio --bench transcode`.
//!
//! From memory to memory, one thread, speech (the fixture, repeated) as ffmpeg writes it.

use std::io::{Cursor, sink};
use std::process::Command;
use std::sync::OnceLock;

use divan::Bencher;
use voxpost_audio::{Options, normalise};

fn main() {
    divan::main();
}

const CLIPS: [(&str, u32); 6] = [
    ("m4a", 10),
    ("mp3", 10),
    ("wav", 10),
    ("m4a", 60),
    ("mp3", 60),
    ("wav", 60),
];

#[divan::bench(args = CLIPS.map(|(kind, seconds)| format!("{seconds} s {kind}")), sample_count = 20)]
fn to_opus(bencher: Bencher<'_, '_>, name: &str) {
    let clip = clip(name);
    bencher.bench_local(|| {
        normalise(Cursor::new(clip), sink(), &Options::default(), &|| false).expect("a clip")
    });
}

fn clip(name: &str) -> &'static [u8] {
    static MADE: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        CLIPS
            .map(|(kind, seconds)| (format!("{seconds} s {kind}"), make(kind, seconds)))
            .into()
    });
    &made
        .iter()
        .find(|(made, _)| made == name)
        .expect("one of CLIPS")
        .1
}

fn make(kind: &str, seconds: u32) -> Vec<u8> {
    let speech = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/sound/speech.flac");
    let path = std::env::temp_dir().join(format!("voxpost-bench-{}-{seconds}.{kind}", std::process::id()));
    let done = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-y",
            "-stream_loop",
            "-1",
            "-i",
            speech,
            "-t",
            &seconds.to_string(),
        ])
        .args(["-b:a", "64k"])
        .arg(&path)
        .status()
        .expect("ffmpeg is installed");
    assert!(done.success());
    let bytes = std::fs::read(&path).expect("ffmpeg wrote it");
    std::fs::remove_file(path).expect("it is ours");
    bytes
}
