//! The chain before the encoder allocates nothing once it runs.

mod counting;

use counting::allocations;
use voxpost_audio::features::{MelSettings, MelSpectrogram, Mfcc};
use voxpost_audio::{CaptureChain, CaptureSettings, MicrophoneCheck, NoiseReduction};

/// Syllables of a buzz in some noise.
fn block(n: usize) -> [f32; CaptureChain::BLOCK] {
    let mut seed = n as u32;
    std::array::from_fn(|i| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let t = (n * CaptureChain::BLOCK + i) as f32 / 48_000.0;
        let voice: f32 = (1..12)
            .map(|k| (t * 140.0 * k as f32 * std::f32::consts::TAU).sin() / k as f32)
            .sum();
        let syllable = (t * 12.0).sin().max(0.0);
        0.4 * syllable * voice + ((seed >> 16) as f32 / 32_768.0 - 1.0) * 0.02
    })
}

#[test]
fn a_running_chain_never_allocates() {
    for noise in [
        NoiseReduction::Off,
        NoiseReduction::Gate,
        NoiseReduction::Suppress,
    ] {
        let mut chain = CaptureChain::new(&CaptureSettings {
            noise,
            gain_db: 12.0,
            ..CaptureSettings::default()
        });
        let mut check = MicrophoneCheck::default();
        // The network's tables are made when it first hears something.
        for n in 0..3 {
            chain.process(&mut block(n));
        }
        let count = allocations(|| {
            for n in 3..300 {
                let mut block = block(n);
                check.push(&block);
                chain.process(&mut block);
            }
        });
        assert_eq!(count, 0, "{noise:?}");
    }
}

#[test]
fn a_frame_of_features_never_allocates() {
    let mut mel = MelSpectrogram::new(&MelSettings::default());
    let mfcc = Mfcc::new(80, 13);
    let (mut bands, mut coefficients) = ([0.0; 80], [0.0; 13]);
    let sound = block(7);
    let count = allocations(|| {
        for start in 0..80 {
            mel.frame(&sound[start..start + 400], &mut bands);
            mfcc.frame(&bands, &mut coefficients);
        }
    });
    assert_eq!(count, 0);
}
