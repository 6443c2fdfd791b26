//! Encoding that fits: how far up a sound goes decides what is spent on it.
//!
//! A recording from a telephone has nothing above 4 kHz, whatever the rate of the file that it comes in. Coding it as
//! fullband costs bits and time for silence.

use std::num::NonZeroU32;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::settings::{Bandwidth, EncoderSettings};

/// Bands of the measurement, in Hz: fine enough to tell 4 kHz from 4.5.
const BAND_HZ: usize = 500;
/// One frame of 20 ms in this many is looked at: speech does not change faster, and it costs a hundredth of encoding.
const EVERY: usize = 4;
const FRAMES_PER_SECOND: u32 = 50;
/// A band counts when it holds more than this part of all power: 60 dB down. Breath and sibilants of close speech are 20
/// to 50 dB down over a whole sentence, the images and the noise of good resamplers and of 16 bits beyond 70.
const AUDIBLE: f64 = 1e-6;
/// Power of a band below which it is silence whatever else there is, full scale being 1: −100 dB.
const SILENCE: f64 = 1e-10;
/// What lies this far above the edge of a bandwidth still belongs to it: no filter is infinitely steep.
const SLACK_HZ: usize = 500;

/// Measures how far up a mono sound goes.
pub(super) struct BandwidthMeter {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    input: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    /// Samples per frame, and those of the current one that were seen.
    frame: usize,
    waiting: Vec<f32>,
    skipped: usize,
    /// Power in each band, summed over the frames.
    bands: Vec<f64>,
    frames: u64,
}

impl BandwidthMeter {
    pub(super) fn new(rate: NonZeroU32) -> Self {
        let frame = (rate.get() / FRAMES_PER_SECOND) as usize;
        let fft = RealFftPlanner::new().plan_fft_forward(frame);
        Self {
            input: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            fft,
            // Hann: its side lobes fall fast enough to see 60 dB down.
            window: (0..frame)
                .map(|i| {
                    (std::f32::consts::PI * (i as f32 + 0.5) / frame as f32)
                        .sin()
                        .powi(2)
                })
                .collect(),
            frame,
            waiting: Vec::with_capacity(frame),
            skipped: 0,
            bands: vec![0.0; rate.get() as usize / 2 / BAND_HZ],
            frames: 0,
        }
    }

    pub(super) fn push(&mut self, mut samples: &[f32]) {
        while !samples.is_empty() {
            if self.skipped < (EVERY - 1) * self.frame {
                let skip = samples.len().min((EVERY - 1) * self.frame - self.skipped);
                self.skipped += skip;
                samples = &samples[skip..];
                continue;
            }
            let (now, later) = samples.split_at(samples.len().min(self.frame - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            samples = later;
            if self.waiting.len() == self.frame {
                self.measure();
                self.waiting.clear();
                self.skipped = 0;
            }
        }
    }

    fn measure(&mut self) {
        for ((to, x), w) in self.input.iter_mut().zip(&self.waiting).zip(&self.window) {
            *to = x * w;
        }
        self.fft
            .process(&mut self.input, &mut self.spectrum)
            .expect("buffers of the planned size");
        // Bins are 50 Hz apart.
        let bins = BAND_HZ / FRAMES_PER_SECOND as usize;
        let scale = 2.0 / (self.frame as f64).powi(2);
        for (band, bins) in self.bands.iter_mut().zip(self.spectrum.chunks(bins)) {
            *band += scale * bins.iter().map(|bin| f64::from(bin.norm_sqr())).sum::<f64>();
        }
        self.frames += 1;
    }

    /// The narrowest bandwidth that holds all that is there; `None` when nothing was heard yet.
    pub(super) fn bandwidth(&self) -> Option<Bandwidth> {
        let all: f64 = self.bands.iter().sum();
        let least = (all * AUDIBLE).max(SILENCE * self.frames as f64);
        let highest = self.bands.iter().rposition(|&power| power > least)?;
        let edge = highest * BAND_HZ;
        [Bandwidth::Narrow, Bandwidth::Wide, Bandwidth::SuperWide]
            .into_iter()
            .find(|bandwidth| edge < bandwidth.hz() as usize + SLACK_HZ)
            .or(Some(Bandwidth::Full))
    }
}

/// What sound of this bandwidth is worth, where fullband gets `settings`. docs/benchmarks.md ("Encoding that fits") has the
/// PESQ of each share: at three quarters a telephone recording scores higher than uncut fullband, and its loudness stays within
/// 0.5 LU; speech up to 8 kHz needs all of its bits to stay as good as other encoders make it.
pub(super) fn fitted(settings: &EncoderSettings, found: Bandwidth) -> EncoderSettings {
    let (share, effort) = match found.min(settings.bandwidth) {
        // Time that the narrow band saves is spent on how well it is coded.
        Bandwidth::Narrow => (75, 2),
        Bandwidth::Medium | Bandwidth::Wide => (100, 1),
        Bandwidth::SuperWide | Bandwidth::Full => (100, 0),
    };
    EncoderSettings {
        bandwidth: found.min(settings.bandwidth),
        bitrate_bps: settings.bitrate_bps / 100 * share,
        complexity: (settings.complexity + effort).min(10).max(settings.complexity),
        ..*settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hz(rate: u32) -> NonZeroU32 {
        NonZeroU32::new(rate).expect("a rate")
    }

    /// Tones up to a frequency, each softer than the one below.
    fn tones(rate: u32, highest: u32) -> Vec<f32> {
        let tones: Vec<f32> = (1..)
            .map(|k| 300.0 * k as f32)
            .take_while(|&f| f <= highest as f32)
            .collect();
        (0..rate)
            .map(|i| {
                let t = i as f32 / rate as f32;
                let sum: f32 = tones
                    .iter()
                    .enumerate()
                    .map(|(k, f)| 0.3 / (k + 1) as f32 * (std::f32::consts::TAU * f * t).sin())
                    .sum();
                sum * 0.3
            })
            .collect()
    }

    fn found(rate: u32, samples: &[f32], block: usize) -> Option<Bandwidth> {
        let mut meter = BandwidthMeter::new(hz(rate));
        samples.chunks(block).for_each(|block| meter.push(block));
        meter.bandwidth()
    }

    #[test]
    fn the_highest_tone_decides_at_every_rate_and_block_size() {
        for (highest, bandwidth) in [
            (3_400, Bandwidth::Narrow),
            (7_000, Bandwidth::Wide),
            (11_000, Bandwidth::SuperWide),
            (16_000, Bandwidth::Full),
        ] {
            for rate in [8_000, 16_000, 24_000, 48_000]
                .into_iter()
                .filter(|&rate| rate >= 2 * highest)
            {
                for block in [1, 333, 960, 48_000] {
                    assert_eq!(
                        found(rate, &tones(rate, highest), block),
                        Some(bandwidth),
                        "{highest} at {rate} Hz"
                    );
                }
            }
        }
    }

    #[test]
    fn silence_has_no_bandwidth_and_noise_has_all_of_it() {
        assert_eq!(found(48_000, &vec![0.0; 48_000], 960), None);
        assert_eq!(found(48_000, &[], 1), None);
        let mut state = 1_u32;
        let noise: Vec<f32> = (0..48_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as f32 / 65_536.0 - 0.5
            })
            .collect();
        assert_eq!(found(48_000, &noise, 960), Some(Bandwidth::Full));
    }

    #[test]
    fn narrower_sound_never_gets_more_bits_or_less_effort() {
        let settings = EncoderSettings::default();
        let order = [
            Bandwidth::Narrow,
            Bandwidth::Wide,
            Bandwidth::SuperWide,
            Bandwidth::Full,
        ];
        let fitted = order.map(|found| fitted(&settings, found));
        assert!(
            fitted
                .windows(2)
                .all(|pair| pair[0].bitrate_bps <= pair[1].bitrate_bps)
        );
        assert!(
            fitted
                .windows(2)
                .all(|pair| pair[0].complexity >= pair[1].complexity)
        );
        assert_eq!(fitted[3], settings);
        assert!(fitted[0].bitrate_bps < fitted[1].bitrate_bps);
        assert_eq!(fitted.map(|settings| settings.bandwidth), order);
    }

    #[test]
    fn what_was_asked_for_is_never_exceeded() {
        let settings = EncoderSettings {
            bandwidth: Bandwidth::Wide,
            complexity: 10,
            ..EncoderSettings::default()
        };
        let full = fitted(&settings, Bandwidth::Full);
        assert_eq!((full.bandwidth, full.complexity), (Bandwidth::Wide, 10));
    }
}
