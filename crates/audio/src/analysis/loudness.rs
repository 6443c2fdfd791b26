use std::num::NonZeroU32;

use ebur128::{EbuR128, Mode};

/// Loudness that playback aims at.
const TARGET_LUFS: f32 = -16.0;
/// True peak that the gain must not push the sound past.
const CEILING_DBTP: f32 = -1.0;
/// Bounds of the gain: a voice across the room, not the noise of an empty one.
const MAX_GAIN_DB: f32 = 20.0;
/// Absolute gate of EBU R 128: below it there is only silence.
const SILENCE_LUFS: f64 = -70.0;

/// Measures loudness and peak of a stream of interleaved samples.
#[derive(Debug)]
pub(super) struct Loudness {
    meter: EbuR128,
    rate: NonZeroU32,
    channels: usize,
    frames: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    /// Integrated loudness; `None` for silence.
    pub(super) lufs: Option<f32>,
    /// True peak, linear.
    pub(super) peak: f32,
}

impl Loudness {
    pub(super) fn new(rate: NonZeroU32, channels: usize) -> Self {
        let meter = EbuR128::new(channels as u32, rate.get(), Mode::I | Mode::TRUE_PEAK)
            .expect("channels and a rate that the decoder let pass");
        Self {
            meter,
            rate,
            channels,
            frames: 0,
        }
    }

    pub(super) fn push(&mut self, interleaved: &[f32]) {
        let frames = interleaved.len() / self.channels;
        self.frames += frames as u64;
        self.meter
            .add_frames_f32(&interleaved[..frames * self.channels])
            .expect("whole frames");
    }

    pub(super) fn finish(mut self) -> Measured {
        let peaks = (0..self.channels as u32).filter_map(|channel| self.meter.true_peak(channel).ok());
        let peak = peaks.fold(0.0, f64::max) as f32;
        let loudness = match self.short_of_a_block() {
            0 => self.meter.loudness_global().ok(),
            missing => self.loudness_of_less_than_a_block(missing),
        };
        let lufs = loudness
            .filter(|lufs| *lufs > SILENCE_LUFS)
            .map(|lufs| lufs as f32);
        Measured {
            lufs,
            peak: if peak.is_finite() { peak } else { 0.0 },
        }
    }

    /// Samples that are missing from the first 400 ms gating block.
    fn short_of_a_block(&self) -> usize {
        let block = u64::from(self.rate.get()) * 2 / 5 + 4;
        block.saturating_sub(self.frames) as usize
    }

    /// R 128 does not define the loudness of less than 400 ms: it is taken here as that of the ungated whole, measured
    /// by filling the block with silence and taking the silence's share off again.
    fn loudness_of_less_than_a_block(&mut self, missing: usize) -> Option<f64> {
        let block = self.frames + missing as u64;
        self.meter
            .add_frames_f32(&vec![0.0; missing * self.channels])
            .ok()?;
        let padded = self.meter.loudness_momentary().ok()?;
        (self.frames > 0).then(|| padded + 10.0 * (block as f64 / self.frames as f64).log10())
    }
}

impl Measured {
    /// See [`super::Analysis::gain_db`].
    pub(super) fn gain_db(&self) -> f32 {
        let Some(lufs) = self.lufs else { return 0.0 };
        let headroom = CEILING_DBTP - 20.0 * self.peak.max(1e-6).log10();
        (TARGET_LUFS - lufs)
            .min(headroom)
            .clamp(-MAX_GAIN_DB, MAX_GAIN_DB)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(lufs: f32, peak: f32) -> Measured {
        Measured {
            lufs: Some(lufs),
            peak,
        }
    }

    #[test]
    fn the_gain_reaches_the_target_where_the_peak_allows_it() {
        assert_eq!(measured(-23.0, 0.1).gain_db(), 7.0);
        assert_eq!(measured(-10.0, 1.0).gain_db(), -6.0);
    }

    #[test]
    fn the_gain_stops_below_the_ceiling() {
        // A peak at −6.02 dBFS leaves 5.02 dB to −1 dBTP.
        assert!((measured(-30.0, 0.5).gain_db() - 5.02).abs() < 0.01);
    }

    #[test]
    fn the_gain_is_bounded() {
        assert_eq!(measured(-65.0, 0.001).gain_db(), 20.0);
        assert_eq!(measured(10.0, 1.0).gain_db(), -20.0);
    }

    #[test]
    fn a_short_sound_is_as_loud_as_a_long_one() {
        let rate = NonZeroU32::new(48_000).expect("a rate");
        let tone = |samples: usize| {
            let mut meter = Loudness::new(rate, 1);
            let sound: Vec<f32> = (0..samples).map(|i| 0.25 * (i as f32 * 0.1309).sin()).collect();
            meter.push(&sound);
            meter.finish().lufs.expect("sound")
        };
        let long = tone(96_000);
        for samples in [4_800, 12_000, 19_199, 19_200, 19_300] {
            assert!(
                (tone(samples) - long).abs() < 0.3,
                "{samples}: {} against {long}",
                tone(samples)
            );
        }
    }
}
