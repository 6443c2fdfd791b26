//! What it costs to take in ten seconds of Opus: `cargo bench -p voxpost-audio --bench remux`.
//!
//! Each line is one clip of 500 packets (20 ms, 24 kbit/s), from memory to memory.

use std::io::{Cursor, sink};
use std::process::Command;
use std::sync::OnceLock;

use divan::{Bencher, counter::BytesCount};
use voxpost_audio::{Options, normalise, probe};

fn main() {
    divan::main();
}

const CLIPS: [&str; 5] = ["webm", "webm-live", "ogg", "mp4", "mp4-fragmented"];

/// Ten seconds of speech-like sound as ffmpeg writes them.
fn clip(kind: &str) -> &'static [u8] {
    static MADE: OnceLock<Vec<(&str, Vec<u8>)>> = OnceLock::new();
    let clips = MADE.get_or_init(|| {
        CLIPS
            .map(|kind| {
                let (format, more): (_, &[&str]) = match kind {
                    "webm-live" => ("webm", &["-live", "1"]),
                    "mp4-fragmented" => (
                        "mp4",
                        &[
                            "-movflags",
                            "frag_keyframe+empty_moov",
                            "-frag_duration",
                            "250000",
                        ],
                    ),
                    other => (other, &[]),
                };
                let path = std::env::temp_dir().join(format!("voxpost-bench-{}-{kind}", std::process::id()));
                let noise = "anoisesrc=d=10:c=pink:r=48000:a=0.5,tremolo=f=4:d=0.9";
                let done = Command::new("ffmpeg")
                    .args([
                        "-v", "error", "-y", "-f", "lavfi", "-i", noise, "-c:a", "libopus", "-b:a", "24k",
                    ])
                    .args(["-application", "voip"])
                    .args(more)
                    .args(["-f", format])
                    .arg(&path)
                    .status()
                    .expect("ffmpeg makes the clips");
                assert!(done.success());
                let bytes = std::fs::read(&path).unwrap();
                std::fs::remove_file(&path).unwrap();
                (kind, bytes)
            })
            .into()
    });
    &clips.iter().find(|(k, _)| *k == kind).unwrap().1
}

#[divan::bench(args = CLIPS)]
fn look(bencher: Bencher, kind: &str) {
    let clip = clip(kind);
    bencher.bench(|| probe(&mut Cursor::new(clip)).unwrap());
}

#[divan::bench(args = CLIPS)]
fn remux_to_nowhere(bencher: Bencher, kind: &str) {
    let clip = clip(kind);
    bencher
        .counter(BytesCount::of_slice(clip))
        .bench(|| normalise(Cursor::new(clip), sink(), &Options::default(), &|| false).unwrap());
}

#[divan::bench(args = CLIPS)]
fn remux_to_memory(bencher: Bencher, kind: &str) {
    let clip = clip(kind);
    bencher.counter(BytesCount::of_slice(clip)).bench(|| {
        let mut out = Vec::new();
        normalise(Cursor::new(clip), &mut out, &Options::default(), &|| false).unwrap();
        out
    });
}
