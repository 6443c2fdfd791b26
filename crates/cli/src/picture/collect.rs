use std::num::NonZeroU32;
use std::sync::Arc;

use ebur128::{EbuR128, Mode};
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::axis;

/// Columns of every panel: pixels.
pub(super) const COLUMNS: usize = 1_390;
/// Rows of the spectrogram: pixels.
pub(super) const ROWS: usize = 380;
/// What is lower is left out of the spectrogram.
const LOWEST_HZ: f64 = 60.0;
/// Nobody speaks higher.
const HIGHEST_HZ: f64 = 16_000.0;
/// Length of a frame of the spectrogram, rounded up to a power of two of samples.
const FRAME_S: f64 = 0.03;
/// Loudness is looked at so often a second.
const LOUDNESS_RATE: u32 = 10;
/// Of what has no energy.
pub(super) const SILENCE_DB: f32 = -150.0;

/// Takes a sound block by block and keeps what the picture shows, however long it is.
pub(crate) struct Collector {
    rate: u32,
    channels: usize,
    /// Frames of the whole, by which the columns are shared.
    total: u64,
    taken: u64,
    picture: Collected,
    spectrum: Spectrum,
    loudness: Option<EbuR128>,
    since_loudness: usize,
}

/// What the picture shows.
pub(super) struct Collected {
    /// Smallest and largest sample and mean square of each column; None where there are fewer samples than columns.
    pub(super) wave: Vec<Option<Wave>>,
    /// Of each column from the lowest row up, in dB below a full-scale sine.
    pub(super) spectrogram: Vec<[f32; ROWS]>,
    /// (Share of the time, momentary, short-term) in LUFS.
    pub(super) loudness: Vec<(f64, f32, f32)>,
    /// Highest frequency of the spectrogram.
    pub(super) highest_hz: f64,
}

#[derive(Clone, Copy)]
pub(super) struct Wave {
    pub(super) min: f32,
    pub(super) max: f32,
    pub(super) energy: f64,
    pub(super) count: u32,
}

impl Collector {
    /// For a sound of which it is known how long it plays.
    pub(crate) fn new(rate: NonZeroU32, channels: usize, duration_ms: u64) -> Self {
        let rate = rate.get();
        let total = (u128::from(duration_ms) * u128::from(rate) / 1_000).max(1) as u64;
        let spectrum = Spectrum::new(rate, total);
        Self {
            rate,
            channels: channels.max(1),
            total,
            taken: 0,
            picture: Collected {
                wave: vec![None; COLUMNS],
                spectrogram: vec![[SILENCE_DB; ROWS]; COLUMNS],
                loudness: Vec::new(),
                highest_hz: spectrum.highest_hz,
            },
            spectrum,
            loudness: EbuR128::new(channels.max(1) as u32, rate, Mode::M | Mode::S).ok(),
            since_loudness: 0,
        }
    }

    /// Takes the next whole frames.
    pub(crate) fn push(&mut self, interleaved: &[f32]) {
        self.push_loudness(interleaved);
        for frame in interleaved.chunks_exact(self.channels) {
            if self.taken >= self.total {
                return;
            }
            let x = frame.iter().sum::<f32>() / self.channels as f32;
            let column = (u128::from(self.taken) * COLUMNS as u128 / u128::from(self.total)) as usize;
            let wave = self.picture.wave[column].get_or_insert(Wave {
                min: x,
                max: x,
                energy: 0.0,
                count: 0,
            });
            wave.min = wave.min.min(x);
            wave.max = wave.max.max(x);
            wave.energy += f64::from(x * x);
            wave.count += 1;
            self.taken += 1;
            self.spectrum.push(x, &mut self.picture.spectrogram);
        }
    }

    fn push_loudness(&mut self, mut interleaved: &[f32]) {
        let step = (self.rate / LOUDNESS_RATE) as usize * self.channels;
        let Some(meter) = &mut self.loudness else { return };
        while !interleaved.is_empty() {
            let (now, later) = interleaved.split_at(interleaved.len().min(step - self.since_loudness));
            if meter.add_frames_f32(now).is_err() {
                return;
            }
            interleaved = later;
            self.since_loudness += now.len();
            if self.since_loudness == step {
                self.since_loudness = 0;
                let at = (self.picture.loudness.len() + 1) as f64 / f64::from(LOUDNESS_RATE);
                let share = at * f64::from(self.rate) / self.total as f64;
                let lufs = |value: Result<f64, ebur128::Error>| value.map_or(SILENCE_DB, |x| x as f32);
                let momentary = lufs(meter.loudness_momentary());
                let short_term = lufs(meter.loudness_shortterm());
                self.picture.loudness.push((share, momentary, short_term));
            }
        }
    }

    pub(super) fn finish(mut self) -> Collected {
        self.spectrum.finish(&mut self.picture.spectrogram);
        self.picture
    }
}

/// Short-time Fourier transform, frames centred on their place.
struct Spectrum {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// For amplitudes of a full-scale sine to be 1.
    scale: f32,
    hop: usize,
    total: u64,
    highest_hz: f64,
    /// The bins of each row.
    rows: Vec<(f64, f64)>,
    waiting: Vec<f32>,
    /// Samples to leave out before the next frame begins.
    skip: usize,
    /// Of the next frame.
    centre: u64,
    input: Vec<f32>,
    bins: Vec<Complex<f32>>,
}

impl Spectrum {
    fn new(rate: u32, total: u64) -> Self {
        let size = ((f64::from(rate) * FRAME_S) as usize).next_power_of_two();
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(size);
        let window: Vec<f32> = (0..size)
            .map(|i| 0.5 - 0.5 * (std::f32::consts::TAU * i as f32 / size as f32).cos())
            .collect();
        // At least one frame in a column, at most four.
        let column = usize::try_from(total / COLUMNS as u64)
            .unwrap_or(usize::MAX)
            .max(1);
        let hop = if column < size / 4 {
            column
        } else {
            (column / 4).max(size / 4)
        };
        let highest_hz = (f64::from(rate) / 2.0).min(HIGHEST_HZ);
        let (low, high) = (axis::mel(LOWEST_HZ), axis::mel(highest_hz));
        let edge = |row: usize| {
            let hz = axis::hz(low + (high - low) * row as f64 / ROWS as f64);
            hz * size as f64 / f64::from(rate)
        };
        Self {
            scale: 2.0 / window.iter().sum::<f32>(),
            input: vec![0.0; size],
            bins: fft.make_output_vec(),
            rows: (0..ROWS).map(|row| (edge(row), edge(row + 1))).collect(),
            fft,
            hop,
            total,
            highest_hz,
            waiting: vec![0.0; size / 2],
            window,
            skip: 0,
            centre: 0,
        }
    }

    fn push(&mut self, x: f32, columns: &mut [[f32; ROWS]]) {
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        self.waiting.push(x);
        if self.waiting.len() == self.window.len() {
            self.frame(columns);
        }
    }

    fn finish(&mut self, columns: &mut [[f32; ROWS]]) {
        for _ in 0..self.window.len() / 2 {
            self.push(0.0, columns);
        }
    }

    fn frame(&mut self, columns: &mut [[f32; ROWS]]) {
        for (to, (x, w)) in self.input.iter_mut().zip(self.waiting.iter().zip(&self.window)) {
            *to = x * w;
        }
        if self.fft.process(&mut self.input, &mut self.bins).is_ok() && self.centre < self.total {
            let column = (u128::from(self.centre) * COLUMNS as u128 / u128::from(self.total)) as usize;
            for (row, (from, to)) in self.rows.iter().enumerate() {
                let db = self.decibels(*from, *to);
                let cell = &mut columns[column][row];
                *cell = cell.max(db);
            }
        }
        self.centre += self.hop as u64;
        let gone = self.hop.min(self.waiting.len());
        self.waiting.drain(..gone);
        self.skip = self.hop - gone;
    }

    /// The loudest of these bins; between bins where a row is narrower than one.
    fn decibels(&self, from: f64, to: f64) -> f32 {
        let last = self.bins.len() - 1;
        let power = |bin: usize| self.bins[bin.min(last)].norm_sqr();
        let (low, high) = (from.ceil() as usize, to.floor() as usize);
        let power = if low <= high {
            (low..=high).map(power).fold(0.0, f32::max)
        } else {
            let share = ((from + to) / 2.0).fract() as f32;
            let bin = ((from + to) / 2.0) as usize;
            power(bin) * (1.0 - share) + power(bin + 1) * share
        };
        (10.0 * (power * self.scale * self.scale).max(1e-15).log10()).max(SILENCE_DB)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_one_bright_line_at_its_height_and_level() {
        for (rate, seconds) in [(8_000, 2), (48_000, 1), (16_000, 600)] {
            let rate = NonZeroU32::new(rate).unwrap();
            let mut collector = Collector::new(rate, 1, seconds * 1_000);
            let step = std::f64::consts::TAU * 1_000.0 / f64::from(rate.get());
            for second in 0..seconds {
                let block: Vec<f32> = (0..rate.get())
                    .map(|i| (0.1 * (step * f64::from(i)).sin()) as f32)
                    .collect();
                let _ = second;
                collector.push(&block);
            }
            let picture = collector.finish();
            let (low, high) = (axis::mel(LOWEST_HZ), axis::mel(picture.highest_hz));
            let expected = ((axis::mel(1_000.0) - low) / (high - low) * ROWS as f64) as usize;
            for column in [100, 700, 1_300] {
                let cells = &picture.spectrogram[column];
                let brightest = (0..ROWS).max_by(|a, b| cells[*a].total_cmp(&cells[*b])).unwrap();
                assert!(
                    brightest.abs_diff(expected) <= 3,
                    "{rate}: {brightest} {expected}"
                );
                assert!(
                    (cells[brightest] + 20.0).abs() < 1.6,
                    "{rate}: {}",
                    cells[brightest]
                );
                let wave = picture.wave[column].unwrap();
                assert!((wave.max - 0.1).abs() < 0.04);
            }
            let (_, momentary, _) = picture.loudness[5];
            assert!((momentary + 23.0).abs() < 0.3, "{momentary}");
        }
    }
}
