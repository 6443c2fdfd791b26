use std::num::{NonZeroU8, NonZeroU32};

use serde::{Deserialize, Serialize};

use super::loudness::Loudness;
use super::speech::SpeechDetector;
use super::waveform::Waveform;
use crate::pcm::{Layout, downmix};

/// What is measured from the sound of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Level over time, 0..=1024 with the loudest part at 1024: 100 values, fewer (but at least 30) under 3 s.
    ///
    /// Each value is `1024 * sqrt(rms / rms of the loudest)`, the RMS taken over an equal share of the duration. The
    /// root lifts quiet speech as the eye expects it; sound below −60 dBFS counts as silence, so noise is not blown up.
    pub waveform: Vec<u16>,
    /// Integrated loudness in LUFS (EBU R 128, ITU-R BS.1770-4); `None` for silence.
    pub loudness_lufs: Option<f32>,
    /// What a player applies to reach −16 LUFS, in dB, within ±20 dB and never past −1 dBTP; 0 for silence.
    pub gain_db: f32,
    /// True peak, linear: 1.0 is full scale.
    pub peak: f32,
    /// Where somebody speaks: `[from, to]` in ms, ascending, apart from each other.
    pub speech: Vec<[u64; 2]>,
}

/// Measures a stream as it goes by. It keeps ten loudness values a second and nothing else that grows with the sound.
///
/// Loudness and peak are those of all channels, as the standard has it; waveform and speech those of the mono mix.
#[derive(Debug)]
pub struct Analyser {
    rate: NonZeroU32,
    layout: Layout,
    frames: u64,
    mono: Vec<f32>,
    waveform: Waveform,
    loudness: Loudness,
    speech: SpeechDetector,
}

impl Analyser {
    /// An analyser of sound at `rate` Hz (4,000 to 384,000) with 1 to 8 channels.
    #[must_use]
    pub fn new(rate: NonZeroU32, channels: NonZeroU8) -> Self {
        Self::with_layout(
            rate,
            Layout {
                channels: channels.get().into(),
                lfe: None,
            },
        )
    }

    pub(crate) fn with_layout(rate: NonZeroU32, layout: Layout) -> Self {
        Self {
            rate,
            layout,
            frames: 0,
            mono: Vec::new(),
            waveform: Waveform::new(rate),
            loudness: Loudness::new(rate, layout.channels),
            speech: SpeechDetector::new(rate),
        }
    }

    /// Takes the next whole frames, interleaved and finite, full scale at ±1.
    pub fn push(&mut self, interleaved: &[f32]) {
        self.mono.clear();
        downmix(interleaved, self.layout, &mut self.mono);
        self.frames += self.mono.len() as u64;
        self.waveform.push(&self.mono);
        self.speech.push(&self.mono);
        self.loudness.push(interleaved);
    }

    /// The result for all that was pushed.
    #[must_use]
    pub fn finish(self) -> Analysis {
        let duration_ms = (self.frames * 1_000).div_ceil(self.rate.get().into());
        let loudness = self.loudness.finish();
        Analysis {
            waveform: self.waveform.finish(duration_ms),
            loudness_lufs: loudness.lufs,
            gain_db: loudness.gain_db(),
            peak: loudness.peak,
            speech: self.speech.finish(duration_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn analyse(rate: u32, sound: impl IntoIterator<Item = f32>) -> Analysis {
        let mut analyser = Analyser::new(NonZeroU32::new(rate).expect("a rate"), NonZeroU8::MIN);
        let sound: Vec<f32> = sound.into_iter().collect();
        for block in sound.chunks(960) {
            analyser.push(block);
        }
        analyser.finish()
    }

    #[test]
    fn silence_has_no_loudness_no_gain_and_no_speech() {
        let silence = analyse(48_000, vec![0.0; 48_000 * 4]);
        assert_eq!(silence.loudness_lufs, None);
        assert_eq!(silence.gain_db, 0.0);
        assert_eq!(silence.peak, 0.0);
        assert_eq!(silence.speech, [] as [[u64; 2]; 0]);
        assert_eq!(silence.waveform, [0; 100]);
    }

    #[test]
    fn a_constant_is_only_its_onset_to_the_ear() {
        let constant = analyse(48_000, vec![0.5; 48_000 * 4]);
        assert!(
            constant.loudness_lufs.is_none_or(|lufs| lufs < -30.0),
            "{constant:?}"
        );
        assert_eq!(constant.speech, [] as [[u64; 2]; 0]);
    }

    #[test]
    fn everything_is_a_number_in_json_however_short_the_sound() {
        for samples in [0, 1, 2, 7, 479, 4_800, 19_199, 19_200] {
            let analysis = analyse(48_000, (0..samples).map(|i| (i as f32 * 0.1).sin()));
            let json = serde_json::to_value(&analysis).expect("JSON");
            assert!(
                json["gain_db"].is_f64() && json["peak"].is_f64(),
                "{samples}: {json}"
            );
            assert_eq!(
                serde_json::from_value::<Analysis>(json).expect("round trip"),
                analysis
            );
        }
    }

    #[test]
    fn a_tone_of_one_kilohertz_has_the_loudness_of_its_definition() {
        // BS.1770-4: a 997 Hz sine at 0 dBFS in one channel reads −3.01 LKFS.
        for rate in [8_000, 16_000, 24_000, 48_000] {
            let step = std::f32::consts::TAU * 997.0 / rate as f32;
            let tone = analyse(rate, (0..rate * 5).map(|i| 0.1 * (i as f32 * step).sin()));
            let lufs = tone.loudness_lufs.expect("sound");
            assert!((lufs + 23.01).abs() < 0.15, "{rate} Hz: {lufs}");
            assert!((tone.gain_db - 7.01).abs() < 0.15, "{rate} Hz: {}", tone.gain_db);
            assert!((tone.peak - 0.1).abs() < 0.002, "{rate} Hz: {}", tone.peak);
        }
    }
}
