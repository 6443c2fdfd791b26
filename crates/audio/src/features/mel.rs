use std::num::NonZeroU32;

use super::stft::Stft;

/// How a [`MelSpectrogram`] is made. The defaults are those that Whisper and its like are trained with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MelSettings {
    /// Of the sound, in Hz.
    pub rate: NonZeroU32,
    /// Samples of a frame: `n_fft`.
    pub frame_length: usize,
    /// Samples from one frame to the next: `hop_length`.
    pub hop: usize,
    /// Bands: `n_mels`.
    pub bands: usize,
    /// Where the lowest band begins, in Hz.
    pub lowest_hz: f32,
    /// Where the highest band ends, in Hz; at most half of `rate`.
    pub highest_hz: f32,
}

impl Default for MelSettings {
    fn default() -> Self {
        Self {
            rate: NonZeroU32::new(16_000).expect("not zero"),
            frame_length: 400,
            hop: 160,
            bands: 80,
            lowest_hz: 0.0,
            highest_hz: 8_000.0,
        }
    }
}

/// Power in bands of the mel scale, frame by frame: `librosa.feature.melspectrogram` with its defaults (power 2, Slaney's scale
/// and normalisation, centred frames with zeros around).
#[derive(Debug)]
pub struct MelSpectrogram {
    settings: MelSettings,
    stft: Stft,
    filters: Vec<Filter>,
    power: Vec<f32>,
    frame: Vec<f32>,
}

/// A triangle over some bins.
#[derive(Debug)]
struct Filter {
    first: usize,
    weights: Vec<f32>,
}

impl MelSpectrogram {
    /// Prepares frames and filters.
    #[must_use]
    pub fn new(settings: &MelSettings) -> Self {
        let stft = Stft::new(settings.frame_length);
        Self {
            filters: filters(settings, stft.bins()),
            power: vec![0.0; stft.bins()],
            frame: vec![0.0; stft.frame_length()],
            stft,
            settings: *settings,
        }
    }

    /// Values of a frame.
    #[must_use]
    pub fn bands(&self) -> usize {
        self.filters.len()
    }

    /// Fills `out` with the power in each band of one frame. Never allocates.
    pub fn frame(&mut self, samples: &[f32], out: &mut [f32]) {
        self.stft.power(samples, &mut self.power);
        for (to, filter) in out.iter_mut().zip(&self.filters) {
            let bins = &self.power[filter.first..];
            *to = filter.weights.iter().zip(bins).map(|(w, p)| w * p).sum();
        }
    }

    /// All frames of a sound, one after another, [`bands`](Self::bands) values each: frame `t` is centred on sample `t · hop`,
    /// and there are `1 + samples / hop` of them.
    #[must_use]
    pub fn all(&mut self, sound: &[f32]) -> Vec<f32> {
        let hop = self.settings.hop.max(1);
        let frames = 1 + sound.len() / hop;
        let bands = self.bands();
        let mut out = vec![0.0; frames * bands];
        let mut frame = std::mem::take(&mut self.frame);
        for (t, to) in out.chunks_mut(bands.max(1)).enumerate() {
            let start = (t * hop) as i64 - (frame.len() / 2) as i64;
            for (i, x) in frame.iter_mut().enumerate() {
                let at = usize::try_from(start + i as i64).ok();
                *x = at.and_then(|at| sound.get(at)).copied().unwrap_or(0.0);
            }
            self.frame(&frame, to);
        }
        self.frame = frame;
        out
    }
}

/// Triangles with the same area, between points at equal distances on the mel scale.
fn filters(settings: &MelSettings, bins: usize) -> Vec<Filter> {
    let nyquist = f64::from(settings.rate.get()) / 2.0;
    let highest = f64::from(settings.highest_hz).clamp(0.0, nyquist);
    let lowest = f64::from(settings.lowest_hz).clamp(0.0, highest);
    let (low, high) = (mel(lowest), mel(highest));
    let edge = |i: usize| hz(low + (high - low) * i as f64 / (settings.bands + 1) as f64);
    let bin_hz = nyquist / (bins - 1).max(1) as f64;
    (0..settings.bands)
        .map(|band| {
            let [from, middle, to] = [edge(band), edge(band + 1), edge(band + 2)];
            let weight = |bin: usize| {
                let f = bin as f64 * bin_hz;
                let rising = (f - from) / (middle - from);
                let falling = (to - f) / (to - middle);
                (rising.min(falling).max(0.0) * 2.0 / (to - from)) as f32
            };
            let first = ((from / bin_hz).floor().max(0.0) as usize).min(bins - 1);
            let last = ((to / bin_hz).ceil() as usize).clamp(first, bins - 1);
            Filter {
                first,
                weights: (first..=last).map(weight).collect(),
            }
        })
        .collect()
}

/// Slaney's scale (Auditory Toolbox, 1998): linear up to 1 kHz, logarithmic above.
fn mel(hz: f64) -> f64 {
    if hz < 1_000.0 {
        hz * 3.0 / 200.0
    } else {
        15.0 + (hz / 1_000.0).ln() * 27.0 / 6.4_f64.ln()
    }
}

fn hz(mel: f64) -> f64 {
    if mel < 15.0 {
        mel * 200.0 / 3.0
    } else {
        1_000.0 * ((mel - 15.0) * 6.4_f64.ln() / 27.0).exp()
    }
}
