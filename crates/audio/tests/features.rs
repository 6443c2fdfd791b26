//! Features equal to those that librosa computes; fixtures/features/make.py made the vectors.

use std::path::Path;

use voxpost_audio::features::{MelSettings, MelSpectrogram, Mfcc, decibels};

fn read(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/features")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn floats(name: &str) -> Vec<f32> {
    let bytes = read(name);
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| f32::from_le_bytes(*b))
        .collect()
}

fn sound() -> Vec<f32> {
    let bytes = read("sound.s16");
    let samples = bytes.as_chunks::<2>().0.iter();
    samples
        .map(|b| f32::from(i16::from_le_bytes(*b)) / 32_768.0)
        .collect()
}

#[test]
fn mel_spectra_and_cepstra_are_those_of_librosa() {
    for (name, frame_length, hop, bands) in [("whisper", 400, 160, 80), ("wide", 1_024, 512, 40)] {
        let mut mel = MelSpectrogram::new(&MelSettings {
            frame_length,
            hop,
            bands,
            ..MelSettings::default()
        });
        let mut found = mel.all(&sound());
        let expected = floats(&format!("{name}.mel.f32"));
        assert_eq!(found.len(), expected.len(), "{name}");
        let loudest = expected.iter().fold(0.0_f32, |max, x| max.max(*x));
        // One in ten thousand of each value, and where there is next to nothing 100 dB below the loudest.
        for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
            assert!((a - b).abs() <= 1e-4 * b + 1e-10 * loudest, "{name} {i}: {a} {b}");
        }

        decibels(&mut found, 80.0);
        let mfcc = Mfcc::new(bands, 13);
        let expected = floats(&format!("{name}.mfcc.f32"));
        let mut out = [0.0; 13];
        for (log_mel, expected) in found.chunks(bands).zip(expected.chunks(13)) {
            mfcc.frame(log_mel, &mut out);
            for (a, b) in out.iter().zip(expected) {
                // In dB, over values of some hundreds.
                assert!((a - b).abs() < 0.02, "{name}: {a} {b}");
            }
        }
    }
}

#[test]
fn silence_and_a_sound_of_no_length_have_features_too() {
    let mut mel = MelSpectrogram::new(&MelSettings::default());
    let mut frames = mel.all(&[]);
    assert_eq!(frames, vec![0.0; 80]);
    decibels(&mut frames, 80.0);
    assert_eq!(frames, vec![-100.0; 80]);
    assert_eq!(mel.all(&[0.0; 1_600]).len(), 11 * 80);
}
