//! Is that the sound that was spoken? Comparing recordings, and decoding them with a program that is not ours.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

/// Rate of all samples that the readers of this module return, in Hz.
pub const RATE: u32 = 48_000;

/// Speech band in which waveforms are compared: below it codecs filter, above it they invent.
const BAND_HZ: [f64; 2] = [150.0, 3_600.0];
/// Frame of the energy envelope.
const ENVELOPE_MS: usize = 20;
/// Energy range of the envelope below its loudest frame; what is softer is silence.
const ENVELOPE_RANGE_DB: f64 = 45.0;

/// How alike two recordings are, once the second is moved to where it fits the first best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    /// By how many samples the second comes later than the first (negative: earlier).
    pub lag_samples: i64,
    /// Normalised correlation of the waveforms in the speech band, −1 to 1. Sound that one has and the other lacks
    /// lowers it; a different volume does not. 0 when one of them is silent.
    pub correlation: f64,
    /// Pearson correlation of the log-energy envelopes (20 ms frames): survives what bends the waveform, such as
    /// noise suppression, gain control or very low bit rates.
    pub envelope_correlation: f64,
    /// Energy of the first over that of the difference, in dB, at the best volume.
    pub snr_db: f64,
}

impl Similarity {
    /// Whether a listener would hear the same words in the same voice. Two different sentences, or a sentence and
    /// silence or noise, stay far below both thresholds.
    #[must_use]
    pub fn is_same_speech(&self) -> bool {
        self.correlation > 0.7 && self.envelope_correlation > 0.8
    }
}

/// Compares two mono recordings at the same `rate`; `b` may be shifted, louder or longer.
#[must_use]
pub fn similarity(a: &[f32], b: &[f32], rate: u32) -> Similarity {
    let size = (a.len() + b.len()).next_power_of_two().max(2);
    let mut planner = RealFftPlanner::<f64>::new();
    let (forward, backward) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));

    let spectrum = |x: &[f32]| {
        let mut padded = vec![0.0; size];
        padded
            .iter_mut()
            .zip(x)
            .for_each(|(to, &from)| *to = f64::from(from));
        let mut bins = forward.make_output_vec();
        forward
            .process(&mut padded, &mut bins)
            .expect("buffers of the planned size");
        for (i, bin) in bins.iter_mut().enumerate() {
            let hz = i as f64 * f64::from(rate) / size as f64;
            if !(BAND_HZ[0]..=BAND_HZ[1]).contains(&hz) {
                *bin = Complex::default();
            }
        }
        bins
    };
    let (spectrum_a, spectrum_b) = (spectrum(a), spectrum(b));
    let energy = |bins: &[Complex<f64>]| 2.0 * bins.iter().map(Complex::norm_sqr).sum::<f64>() / size as f64;
    let (energy_a, energy_b) = (energy(&spectrum_a), energy(&spectrum_b));

    let mut product: Vec<_> = spectrum_a
        .iter()
        .zip(&spectrum_b)
        .map(|(a, b)| a.conj() * b)
        .collect();
    let mut correlations = backward.make_output_vec();
    backward
        .process(&mut product, &mut correlations)
        .expect("a spectrum without energy at its ends");
    let (at, &best) = correlations
        .iter()
        .enumerate()
        .max_by(|x, y| x.1.total_cmp(y.1))
        .expect("at least two correlations");
    // The second half of a circular correlation holds the negative lags.
    let lag_samples = if at < size / 2 {
        at as i64
    } else {
        at as i64 - size as i64
    };

    let scale = (energy_a * energy_b).sqrt();
    let correlation = if scale > 1e-9 {
        best / size as f64 / scale
    } else {
        0.0
    };
    let explained = correlation.max(0.0).powi(2);
    Similarity {
        lag_samples,
        correlation,
        envelope_correlation: envelope_correlation(a, b, lag_samples, rate),
        snr_db: -10.0 * (1.0 - explained).max(1e-12).log10(),
    }
}

/// Decodes an Ogg Opus file to 48 kHz mono with ffmpeg's libopus: pre-skip and end trim are applied as players do.
///
/// # Panics
/// When ffmpeg is missing or takes the file for broken.
#[must_use]
pub fn decode_ogg_opus(bytes: &[u8]) -> Vec<f32> {
    // ffmpeg's own Opus decoder differs from the reference in SILK frames.
    ffmpeg(&["-c:a", "libopus", "-f", "ogg", "-i", "pipe:0"], bytes)
}

/// Reads a WAV file (or anything else that ffmpeg reads) as 48 kHz mono.
///
/// # Panics
/// When ffmpeg is missing or cannot read the file.
#[must_use]
pub fn read_wav(path: &Path) -> Vec<f32> {
    ffmpeg(&["-i", path.to_str().expect("a path in UTF-8")], &[])
}

fn ffmpeg(input: &[&str], stdin: &[u8]) -> Vec<f32> {
    let mut child = Command::new("ffmpeg")
        .args(["-v", "error", "-xerror"])
        .args(input)
        .args(["-ac", "1", "-ar", "48000", "-f", "f32le", "pipe:1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ffmpeg is installed");
    let mut pipe = child.stdin.take().expect("a pipe");
    let stdin = stdin.to_vec();
    // A broken pipe is ffmpeg's refusal, which its exit status tells better.
    let writer = std::thread::spawn(move || drop(pipe.write_all(&stdin)));
    let output = child.wait_with_output().expect("ffmpeg ran");
    writer.join().expect("the writer ends with its pipe");
    assert!(
        output.status.success(),
        "ffmpeg: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
        .stdout
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}

fn envelope_correlation(a: &[f32], b: &[f32], lag: i64, rate: u32) -> f64 {
    // Both are cut so that they begin at the same instant; what only one of them has counts as silence in the other.
    let skip = |by: i64| usize::try_from(by).unwrap_or(0);
    let a = a.get(skip(-lag)..).unwrap_or_default();
    let b = b.get(skip(lag)..).unwrap_or_default();
    let frame = (rate as usize * ENVELOPE_MS / 1_000).max(1);
    let frames = a.len().max(b.len()) / frame;
    pearson(&envelope(a, frame, frames), &envelope(b, frame, frames))
}

/// Energy per frame in dB below the loudest one, limited to [`ENVELOPE_RANGE_DB`].
fn envelope(x: &[f32], frame: usize, frames: usize) -> Vec<f64> {
    let mut energies: Vec<f64> = x
        .chunks(frame)
        .map(|chunk| chunk.iter().map(|&s| f64::from(s).powi(2)).sum())
        .collect();
    energies.resize(frames, 0.0);
    let loudest = energies.iter().fold(1e-9_f64, |max, &e| max.max(e));
    energies
        .iter()
        .map(|e| (10.0 * (e / loudest).max(1e-12).log10()).max(-ENVELOPE_RANGE_DB))
        .collect()
}

fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len().max(1) as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        (ab, aa, bb) = (ab + x * y, aa + x * x, bb + y * y);
    }
    if aa > 0.0 && bb > 0.0 {
        ab / (aa * bb).sqrt()
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A voice-like sound: a buzz whose pitch and loudness wander with `seed`, in syllables with pauses.
    fn voice(seed: f32, samples: usize) -> Vec<f32> {
        let mut phase = 0.0_f32;
        (0..samples)
            .map(|i| {
                let t = i as f32 / 16_000.0;
                let pitch = 140.0 + 40.0 * (t * (2.1 + seed)).sin() + 25.0 * (t * 5.3 * seed).sin();
                phase += std::f32::consts::TAU * pitch / 16_000.0;
                let syllable = ((t * (3.0 + seed)).sin() + 0.4 * (t * 7.7 * seed).sin()).max(0.0);
                syllable * (1..12).map(|k| (phase * k as f32).sin() / k as f32).sum::<f32>() * 0.2
            })
            .collect()
    }

    #[test]
    fn a_later_and_softer_copy_is_the_same_speech_and_its_lag_is_found() {
        let original = voice(1.0, 48_000);
        let mut copy = vec![0.0; 1_234];
        copy.extend(original.iter().map(|x| 0.1 * x));
        let found = similarity(&original, &copy, 16_000);
        assert_eq!(found.lag_samples, 1_234);
        assert!(
            found.correlation > 0.99 && found.snr_db > 20.0 && found.is_same_speech(),
            "{found:?}"
        );

        let earlier = similarity(&original, &original[500..], 16_000);
        assert_eq!(earlier.lag_samples, -500);
        assert!(earlier.is_same_speech(), "{earlier:?}");
    }

    #[test]
    fn other_speech_is_not_the_same_speech() {
        let found = similarity(&voice(1.0, 48_000), &voice(1.7, 48_000), 16_000);
        assert!(!found.is_same_speech() && found.correlation < 0.5, "{found:?}");
    }

    #[test]
    fn silence_and_noise_are_not_the_same_speech() {
        let original = voice(1.0, 48_000);
        let silence = similarity(&original, &vec![0.0; 48_000], 16_000);
        assert_eq!((silence.correlation, silence.envelope_correlation), (0.0, 0.0));
        assert!(!silence.is_same_speech());

        let mut state = 1_u32;
        let noise: Vec<f32> = (0..48_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as f32 / 65_536.0 - 0.5
            })
            .collect();
        assert!(!similarity(&original, &noise, 16_000).is_same_speech());
        assert!(!similarity(&[], &original, 16_000).is_same_speech());
        assert!(!similarity(&[], &[], 16_000).is_same_speech());
    }

    #[test]
    fn half_of_the_sentence_is_not_the_whole() {
        let original = voice(1.0, 64_000);
        let found = similarity(&original, &original[..24_000], 16_000);
        assert!(!found.is_same_speech(), "{found:?}");
    }
}
