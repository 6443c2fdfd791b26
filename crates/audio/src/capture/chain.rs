use super::BLOCK;
use super::gate::Gate;
use super::high_pass::HighPass;
use super::limiter::Limiter;
use super::suppress::Suppressor;

/// What to do about noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NoiseReduction {
    /// Nothing.
    #[default]
    Off,
    /// Turn pauses down by 12 dB, smoothly: next to no work, for weak machines. Noise under speech stays.
    Gate,
    /// Take noise out of speech and pauses by a recurrent network (RNNoise), 10 ms late; clean speech passes as it is.
    /// docs/benchmarks.md has what it gains.
    Suppress,
}

/// The steps of a [`CaptureChain`], each of which can be left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CaptureSettings {
    /// Cut-off in Hz of a high-pass (Butterworth, 4th order) against rumble and DC; 20 to 1,000.
    pub high_pass_hz: Option<f32>,
    /// What to do about noise.
    pub noise: NoiseReduction,
    /// Gain in dB, −60 to 60.
    pub gain_db: f32,
    /// The true peak that the limiter lets through at most, in dBTP, −30 to 0; without it there is no limiter, and gain may
    /// clip later.
    pub ceiling_dbtp: Option<f32>,
}

impl Default for CaptureSettings {
    /// A voice recorder's: high-pass at 80 Hz, no noise reduction, no gain, −1 dBTP.
    fn default() -> Self {
        Self {
            high_pass_hz: Some(80.0),
            noise: NoiseReduction::Off,
            gain_db: 0.0,
            ceiling_dbtp: Some(-1.0),
        }
    }
}

/// A chain of steps on mono sound at 48 kHz, block by block; nothing is allocated after its start.
///
/// ```
/// use voxpost_audio::{CaptureChain, CaptureSettings, NoiseReduction};
///
/// let mut chain = CaptureChain::new(&CaptureSettings {
///     noise: NoiseReduction::Suppress,
///     ..CaptureSettings::default()
/// });
/// let mut block = [0.0; CaptureChain::BLOCK];
/// chain.process(&mut block); // Now it holds what was said `chain.latency()` samples ago.
/// ```
pub struct CaptureChain {
    high_pass: Option<HighPass>,
    noise: Noise,
    /// Linear.
    gain: f32,
    limiter: Option<Limiter>,
}

/// 24 dB beyond full scale.
const LOUDEST: f32 = 16.0;

enum Noise {
    Off,
    Gate(Gate),
    Suppress(Box<Suppressor>),
}

impl CaptureChain {
    /// Samples of a block: 10 ms.
    pub const BLOCK: usize = BLOCK;

    /// A chain of these steps; values out of range are limited to it.
    #[must_use]
    pub fn new(settings: &CaptureSettings) -> Self {
        let in_range = |value: f32, low, high| {
            if value.is_finite() {
                value.clamp(low, high)
            } else {
                0.0
            }
        };
        Self {
            high_pass: settings
                .high_pass_hz
                .map(|hz| HighPass::new(in_range(hz, 20.0, 1_000.0).max(20.0).into())),
            noise: match settings.noise {
                NoiseReduction::Off => Noise::Off,
                NoiseReduction::Gate => Noise::Gate(Gate::new()),
                NoiseReduction::Suppress => Noise::Suppress(Box::new(Suppressor::new())),
            },
            gain: linear(in_range(settings.gain_db, -60.0, 60.0)),
            limiter: settings
                .ceiling_dbtp
                .map(|dbtp| Limiter::new(linear(in_range(dbtp, -30.0, 0.0)))),
        }
    }

    /// Works on one block in place. What is not finite counts as silence, what is far beyond full scale is cut off.
    pub fn process(&mut self, block: &mut [f32; BLOCK]) {
        for x in block.iter_mut() {
            // Filters with a memory would not get over an infinite sum.
            *x = if x.is_finite() {
                x.clamp(-LOUDEST, LOUDEST)
            } else {
                0.0
            };
        }
        if let Some(high_pass) = &mut self.high_pass {
            high_pass.process(block);
        }
        match &mut self.noise {
            Noise::Off => (),
            Noise::Gate(gate) => gate.process(block),
            Noise::Suppress(suppressor) => suppressor.process(block),
        }
        for x in block.iter_mut() {
            *x *= self.gain;
        }
        if let Some(limiter) = &mut self.limiter {
            limiter.process(block);
        }
    }

    /// By how many samples what comes out is late.
    #[must_use]
    pub fn latency(&self) -> usize {
        let noise = match self.noise {
            Noise::Off | Noise::Gate(_) => 0,
            Noise::Suppress(_) => Suppressor::LATENCY,
        };
        noise + self.limiter.as_ref().map_or(0, |_| Limiter::LATENCY)
    }
}

impl std::fmt::Debug for CaptureChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaptureChain")
            .field("latency", &self.latency())
            .finish_non_exhaustive()
    }
}

fn linear(db: f32) -> f32 {
    10.0_f32.powf(db / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_out_is_what_went_in_as_late_as_it_says() {
        for noise in [NoiseReduction::Off, NoiseReduction::Suppress] {
            let mut chain = CaptureChain::new(&CaptureSettings {
                high_pass_hz: None,
                noise,
                gain_db: -6.0,
                ceiling_dbtp: Some(-1.0),
            });
            // A chirp-like voice that the network takes for speech well enough to let it through.
            let sound: Vec<f32> = (0..48_000)
                .map(|i| {
                    let t = i as f32 / 48_000.0;
                    let phase = std::f32::consts::TAU * (150.0 * t + 20.0 * (t * 5.0).sin());
                    0.1 * (1..15).map(|k| (phase * k as f32).sin() / k as f32).sum::<f32>()
                })
                .collect();
            let mut out = Vec::new();
            for block in sound.as_chunks::<BLOCK>().0 {
                let mut block = *block;
                chain.process(&mut block);
                out.extend(block);
            }
            let score = |lag: usize| -> f32 { (24_000..40_000).map(|i| sound[i] * out[i + lag]).sum() };
            let best = (0..1_200).max_by(|a, b| score(*a).total_cmp(&score(*b)));
            // The network's own filters shift phases by a little.
            let allowed = if noise == NoiseReduction::Off { 0 } else { 10 };
            let off = best.map(|lag| lag.abs_diff(chain.latency()));
            assert!(
                off <= Some(allowed),
                "{noise:?}: {best:?} and not {}",
                chain.latency()
            );
        }
    }

    #[test]
    fn nonsense_is_silence_and_settings_out_of_range_are_limited() {
        let mut chain = CaptureChain::new(&CaptureSettings {
            high_pass_hz: Some(f32::NAN),
            noise: NoiseReduction::Suppress,
            gain_db: f32::INFINITY,
            ceiling_dbtp: Some(1e9),
        });
        for bad in [f32::NAN, f32::INFINITY, f32::MAX, -f32::MAX, 0.0] {
            for _ in 0..5 {
                let mut block = [bad; BLOCK];
                chain.process(&mut block);
                assert!(block.iter().all(|x| x.is_finite() && x.abs() <= 1.01), "{bad}");
            }
        }
    }
}
