//! What a live microphone costs: `cargo bench -p voxpost-audio --bench capture`. Each line is a second of it, so that 10 ms are 1 % of a
//! core.

use std::num::{NonZeroU8, NonZeroU32};
use std::path::Path;

use divan::Bencher;
use voxpost_audio::{
    Analyser, CaptureChain, CaptureSettings, EncoderSettings, MicrophoneCheck, NoiseReduction, Resampler,
    SpeechEncoder, decode,
};

fn main() {
    divan::main();
}

const RATE: NonZeroU32 = NonZeroU32::new(48_000).expect("not zero");
const BLOCK: usize = CaptureChain::BLOCK;

/// A second of speech.
fn second() -> Vec<[f32; BLOCK]> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sound/speech.flac");
    let mut sound = Vec::new();
    let mut resampler = None;
    decode(
        std::fs::File::open(file).expect("a fixture"),
        &|| false,
        &mut |block| {
            resampler
                .get_or_insert_with(|| Resampler::new(block.rate, RATE))
                .push(block.interleaved, &mut sound);
        },
    )
    .expect("a fixture");
    sound[24_000..].as_chunks().0[..100].to_vec()
}

/// High-pass, noise reduction, gain, limiter.
#[divan::bench(args = ["off", "gate", "suppress"])]
fn chain(bencher: Bencher<'_, '_>, noise: &str) {
    let noise = match noise {
        "gate" => NoiseReduction::Gate,
        "suppress" => NoiseReduction::Suppress,
        _ => NoiseReduction::Off,
    };
    let mut chain = CaptureChain::new(&CaptureSettings {
        noise,
        ..CaptureSettings::default()
    });
    let second = second();
    bencher.bench_local(|| {
        for block in &second {
            let mut block = *block;
            chain.process(&mut block);
            divan::black_box(&block);
        }
    });
}

/// The microphone's verdict, the chain with suppression, speech detection, waveform and loudness, and Opus at this complexity.
#[divan::bench(args = [5, 9])]
fn all_of_it(bencher: Bencher<'_, '_>, complexity: u8) {
    let mut check = MicrophoneCheck::default();
    let mut chain = CaptureChain::new(&CaptureSettings {
        noise: NoiseReduction::Suppress,
        ..CaptureSettings::default()
    });
    let mut analyser = Analyser::new(RATE, NonZeroU8::MIN);
    let mut encoder = SpeechEncoder::new(&EncoderSettings {
        complexity,
        ..EncoderSettings::live()
    });
    let second = second();
    let (mut frame, mut packet) = (Vec::new(), Vec::new());
    bencher.bench_local(|| {
        for block in &second {
            check.push(block);
            let mut block = *block;
            chain.process(&mut block);
            analyser.push(&block);
            frame.extend_from_slice(&block);
            if frame.len() == 2 * BLOCK {
                packet.clear();
                encoder.encode(&frame, &mut packet);
                frame.clear();
            }
        }
    });
}
