//! What it costs to measure a message afterwards: `cargo bench -p voxpost-audio --bench analysis`.

use std::io::Cursor;
use std::num::{NonZeroU8, NonZeroU32};
use std::process::Command;
use std::sync::OnceLock;

use divan::Bencher;
use voxpost_audio::{Analyser, Limits, Options, analyse_ogg, normalise};

fn main() {
    divan::main();
}

const SECONDS: usize = 10;

/// A kept message of ten seconds: decoded and measured, as the server does in the background.
#[divan::bench]
fn kept_message_10_s(bencher: Bencher<'_, '_>) {
    let message = message();
    bencher
        .bench_local(|| analyse_ogg(Cursor::new(message), &Limits::default(), &|| false).expect("a message"));
}

/// The same without decoding: what measuring adds to a transcode.
#[divan::bench(args = [16_000, 48_000])]
fn samples_10_s(bencher: Bencher<'_, '_>, rate: u32) {
    let rate = NonZeroU32::new(rate).expect("a rate");
    let samples = speech_like(rate.get() as usize);
    bencher.bench_local(|| {
        let mut analyser = Analyser::new(rate, NonZeroU8::MIN);
        for block in samples.chunks(960) {
            analyser.push(block);
        }
        analyser.finish()
    });
}

/// The fixture, repeated by ffmpeg and taken through the crate.
fn message() -> &'static [u8] {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    MADE.get_or_init(|| {
        let speech = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/sound/speech.flac");
        let wav = Command::new("ffmpeg")
            .args([
                "-v",
                "error",
                "-stream_loop",
                "-1",
                "-i",
                speech,
                "-t",
                &SECONDS.to_string(),
            ])
            .args(["-f", "wav", "-"])
            .output()
            .expect("ffmpeg is installed")
            .stdout;
        let mut message = Vec::new();
        normalise(Cursor::new(wav), &mut message, &Options::default(), &|| false).expect("a WAV file");
        message
    })
}

fn speech_like(rate: usize) -> Vec<f32> {
    (0..rate * SECONDS)
        .map(|i| (i as f32 * 0.05).sin() * (i as f32 / rate as f32 * 9.0).sin())
        .collect()
}
