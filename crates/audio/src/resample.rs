//! Changing the sample rate of a mono stream, block by block.

use std::num::NonZeroU32;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _, WindowFunction};

/// Input samples per call of the filter, at least.
const CHUNK: usize = 1_024;

/// A streaming mono resampler whose output is aligned with its input and exactly as long.
///
/// `n` samples in, in blocks of any size, give `round(n * to / from)` samples out, and sample 0 out is sample 0 in: the
/// delay of the filter is taken off and its tail is flushed. The filter is rubato's FFT resampler (a windowed sinc with
/// its cut-off below the lower of the two Nyquist frequencies), so nothing folds back. With equal rates it copies.
#[derive(Debug)]
pub struct Resampler {
    from: u64,
    to: u64,
    filter: Option<Filter>,
    samples_in: u64,
    samples_out: u64,
}

#[derive(Debug)]
struct Filter {
    fft: Fft<f32>,
    /// Input that does not fill a chunk yet.
    waiting: Vec<f32>,
    output: Vec<f32>,
    /// Output samples still to be dropped: the filter's delay.
    delay: usize,
}

impl Resampler {
    /// A resampler from the rate `from` to the rate `to`, in Hz.
    #[must_use]
    pub fn new(from: NonZeroU32, to: NonZeroU32) -> Self {
        let filter = (from != to).then(|| Filter::new(from.get() as usize, to.get() as usize));
        Self {
            from: from.get().into(),
            to: to.get().into(),
            filter,
            samples_in: 0,
            samples_out: 0,
        }
    }

    /// Takes `input` and appends what is ready to `out`.
    pub fn push(&mut self, input: &[f32], out: &mut Vec<f32>) {
        self.samples_in += input.len() as u64;
        let before = out.len();
        match &mut self.filter {
            None => out.extend_from_slice(input),
            Some(filter) => filter.push(input, out),
        }
        self.samples_out += (out.len() - before) as u64;
    }

    /// Ends the stream: appends what is left to `out`.
    pub fn finish(mut self, out: &mut Vec<f32>) {
        let Some(mut filter) = self.filter.take() else {
            return;
        };
        // Twice the sum, halved after the division: rounds to nearest.
        let total = (2 * self.samples_in * self.to + self.from) / (2 * self.from);
        let start = out.len();
        let missing = total.saturating_sub(self.samples_out) as usize;
        while out.len() - start < missing {
            filter.flush(out);
        }
        // Blocks in and blocks out advance in step, so that at most the rounding of the last one can be too much.
        let excess = (self.samples_out + (out.len() - start) as u64).saturating_sub(total) as usize;
        out.truncate(out.len().saturating_sub(excess));
    }
}

impl Filter {
    fn new(from: usize, to: usize) -> Self {
        // An even block on both sides puts the middle of the filter on a sample, so that the delay is a whole number;
        // powers of two make fast transforms.
        let step = from / gcd(from, to);
        let chunk = step * CHUNK.div_ceil(step).next_power_of_two().max(2);
        let fft = Fft::new_custom(
            from,
            to,
            chunk,
            1,
            1,
            WindowFunction::BlackmanHarris2,
            FixedSync::Both,
        )
        .expect("both rates are non-zero and so is the chunk");
        let output = vec![0.0; fft.output_frames_max()];
        let delay = fft.output_delay();
        Self {
            fft,
            waiting: Vec::new(),
            output,
            delay,
        }
    }

    fn push(&mut self, mut input: &[f32], out: &mut Vec<f32>) {
        let chunk = self.fft.input_frames_next();
        while self.waiting.len() + input.len() >= chunk {
            if self.waiting.is_empty() {
                let (now, later) = input.split_at(chunk);
                input = later;
                self.process(now, None, out);
            } else {
                let (now, later) = input.split_at(chunk - self.waiting.len());
                input = later;
                let mut waiting = std::mem::take(&mut self.waiting);
                waiting.extend_from_slice(now);
                self.process(&waiting, None, out);
                waiting.clear();
                self.waiting = waiting;
            }
        }
        self.waiting.extend_from_slice(input);
    }

    /// One more chunk: what waits, then silence.
    fn flush(&mut self, out: &mut Vec<f32>) {
        let waiting = std::mem::take(&mut self.waiting);
        self.process(&waiting, Some(waiting.len()), out);
    }

    fn process(&mut self, input: &[f32], partial: Option<usize>, out: &mut Vec<f32>) {
        let indexing = partial.map(|frames| Indexing::new().partial_len(frames));
        let from = InterleavedSlice::new(input, 1, input.len()).expect("one channel of that many frames");
        let frames = self.output.len();
        let mut to =
            InterleavedSlice::new_mut(&mut self.output, 1, frames).expect("one channel of that many frames");
        let (_, produced) = self
            .fft
            .process_into_buffer(&from, &mut to, indexing.as_ref())
            .expect("the buffers hold one chunk each");
        let dropped = self.delay.min(produced);
        self.delay -= dropped;
        out.extend_from_slice(&self.output[dropped..produced]);
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(hz: u32) -> NonZeroU32 {
        NonZeroU32::new(hz).expect("a rate")
    }

    fn resample(input: &[f32], from: u32, to: u32, block: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(rate(from), rate(to));
        let mut out = Vec::new();
        for part in input.chunks(block) {
            resampler.push(part, &mut out);
        }
        resampler.finish(&mut out);
        out
    }

    fn tone(hz: f64, rate: u32, samples: usize) -> Vec<f32> {
        (0..samples)
            .map(|i| (0.5 * (std::f64::consts::TAU * hz * i as f64 / f64::from(rate)).sin()) as f32)
            .collect()
    }

    /// Signal-to-noise ratio in dB away from both ends, where the filter sees silence.
    fn snr(want: &[f32], got: &[f32]) -> f64 {
        let margin = want.len() / 4;
        let (mut signal, mut noise) = (0.0, 1e-30);
        for (w, g) in want.iter().zip(got).skip(margin).take(want.len() - 2 * margin) {
            signal += f64::from(*w).powi(2);
            noise += f64::from(w - g).powi(2);
        }
        10.0 * (signal / noise).log10()
    }

    #[test]
    fn a_tone_comes_out_at_its_place_at_every_common_rate() {
        for from in [
            8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 88_200, 96_000, 176_400, 192_000,
        ] {
            let got = resample(&tone(1_000.0, from, from as usize), from, 48_000, 777);
            assert_eq!(got.len(), 48_000, "{from} Hz");
            let snr = snr(&tone(1_000.0, 48_000, 48_000), &got);
            assert!(snr > 60.0, "{from} Hz: {snr:.1} dB");
        }
    }

    #[test]
    fn rates_without_a_common_factor_work_too() {
        let got = resample(&tone(440.0, 44_101, 88_202), 44_101, 48_000, 4_096);
        assert_eq!(got.len(), 96_000);
        assert!(snr(&tone(440.0, 48_000, 96_000), &got) > 60.0);
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_removed_and_not_folded_back() {
        // 30 kHz would appear as 18 kHz, 15 kHz as 1 kHz.
        for (hz, from, to) in [(30_000.0, 96_000, 48_000), (15_000.0, 48_000, 16_000)] {
            let got = resample(&tone(hz, from, from as usize), from, to, 1_000);
            let middle = &got[got.len() / 4..got.len() * 3 / 4];
            let peak = middle.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
            assert!(peak < 0.5e-3, "{hz} Hz leaves {peak}");
        }
    }

    /// Gain in dB of a tone, and what else came out, relative to it.
    fn response(hz: f64, from: u32, to: u32) -> (f64, f64) {
        let got = resample(&tone(hz, from, from as usize), from, to, 960);
        let middle = &got[got.len() / 4..got.len() * 3 / 4];
        let (mut sine, mut cosine) = (0.0, 0.0);
        let angle = |i: usize| std::f64::consts::TAU * hz * (i + got.len() / 4) as f64 / f64::from(to);
        let scale = 2.0 / middle.len() as f64;
        for (i, x) in middle.iter().enumerate() {
            sine += scale * f64::from(*x) * angle(i).sin();
            cosine += scale * f64::from(*x) * angle(i).cos();
        }
        let rest: f64 = middle
            .iter()
            .enumerate()
            .map(|(i, x)| (f64::from(*x) - sine * angle(i).sin() - cosine * angle(i).cos()).powi(2))
            .sum();
        let db = |amplitude: f64| 20.0 * (amplitude.max(1e-12) / 0.5).log10();
        (db(sine.hypot(cosine)), db((rest * scale).sqrt()))
    }

    /// docs/benchmarks.md has the same for soxr. The tones play whole periods in half a second.
    #[test]
    fn the_pass_band_is_flat_and_the_stop_band_is_silent() {
        for (from, to) in [
            (48_000, 16_000),
            (44_100, 48_000),
            (16_000, 48_000),
            (48_000, 24_000),
            (48_000, 44_100),
        ] {
            let nyquist = f64::from(from.min(to)) / 2.0;
            for part in [0.02, 0.25, 0.5, 0.75, 0.9, 0.95] {
                let hz = (nyquist * part / 100.0).round() * 100.0;
                let (gain, rest) = response(hz, from, to);
                assert!(gain.abs() < 0.05, "{from} to {to}, {hz} Hz: {gain:.3} dB");
                assert!(
                    rest < -100.0,
                    "{from} to {to}, {hz} Hz: {rest:.0} dB of something else"
                );
            }
            for part in [1.01, 1.05, 1.2, 1.5, 2.0].into_iter().filter(|_| to < from) {
                let hz = (nyquist * part / 100.0).round() * 100.0;
                if hz >= f64::from(from) / 2.0 {
                    continue;
                }
                let got = resample(&tone(hz, from, from as usize), from, to, 960);
                let middle = &got[got.len() / 4..got.len() * 3 / 4];
                let peak = middle.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
                assert!(
                    peak < 0.5e-5,
                    "{from} to {to}: {hz} Hz leaves {peak}, more than −100 dB"
                );
            }
        }
    }

    #[test]
    fn sound_comes_out_after_two_blocks_of_the_filter_at_most() {
        for (from, to, most_ms) in [
            (48_000, 16_000, 43),
            (44_100, 48_000, 43),
            (16_000, 48_000, 128),
            (8_000, 48_000, 256),
        ] {
            let mut resampler = Resampler::new(rate(from), rate(to));
            let mut out = Vec::new();
            let mut samples = 0;
            while out.is_empty() {
                resampler.push(&[0.0], &mut out);
                samples += 1;
            }
            assert!(
                samples * 1_000 <= most_ms * from,
                "{from} to {to}: {samples} samples"
            );
        }
    }

    #[test]
    fn the_block_size_does_not_change_the_sound() {
        let input = tone(700.0, 44_100, 10_000);
        let whole = resample(&input, 44_100, 48_000, 10_000);
        for block in [1, 13, 1_024, 1_176] {
            assert_eq!(
                resample(&input, 44_100, 48_000, block),
                whole,
                "blocks of {block}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_length_is_the_duration(
            from in prop::sample::select(vec![8_000_u32, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000]),
            to in prop::sample::select(vec![16_000_u32, 24_000, 48_000]),
            samples in 0_usize..20_000,
            block in 1_usize..5_000,
        ) {
            let got = resample(&vec![0.25; samples], from, to, block);
            let want = (samples as f64 * f64::from(to) / f64::from(from) + 0.5).floor() as usize;
            prop_assert_eq!(got.len(), want);
            prop_assert!(got.iter().all(|x| x.is_finite() && x.abs() < 0.5));
        }
    }
}
