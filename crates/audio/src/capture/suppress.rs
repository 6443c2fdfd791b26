use nnnoiseless::DenoiseState;

use super::BLOCK;
use super::noisiness::Noisiness;

/// The network was trained on samples in the range of 16 bits.
const SCALE: f32 = 32_768.0;

/// Noise suppression by RNNoise (Valin, 2018): gains for 22 bands of the spectrum, from a recurrent network.
///
/// The network also takes something from speech in which there is no noise, so its share in what comes out grows with how
/// noisy the sound is, and clean speech passes as it is.
pub(super) struct Suppressor {
    state: Box<DenoiseState<'static>>,
    noisiness: Noisiness,
    /// Of the network, at the end of the last block.
    share: f32,
    input: [f32; BLOCK],
    output: [f32; BLOCK],
    /// The last block as it came, since the network is late by one.
    before: [f32; BLOCK],
}

impl Suppressor {
    /// It overlaps its windows by half.
    pub(super) const LATENCY: usize = BLOCK;

    pub(super) fn new() -> Self {
        let mut new = Self {
            state: DenoiseState::new(),
            noisiness: Noisiness::new(),
            share: 0.0,
            input: [0.0; BLOCK],
            output: [0.0; BLOCK],
            before: [0.0; BLOCK],
        };
        // Its tables are made by the first frame.
        new.state.process_frame(&mut new.output, &new.input);
        new
    }

    pub(super) fn process(&mut self, block: &mut [f32; BLOCK]) {
        for (to, x) in self.input.iter_mut().zip(block.iter_mut()) {
            // It must not see what is no number: its transforms are not defined for that.
            if !x.is_finite() {
                *x = 0.0;
            }
            *to = x.clamp(-1.0, 1.0) * SCALE;
        }
        self.state.process_frame(&mut self.output, &self.input);
        let from = self.share;
        self.share = self.noisiness.of(block);
        let step = (self.share - from) / BLOCK as f32;
        for (i, x) in block.iter_mut().enumerate() {
            let network = self.output[i] / SCALE;
            let network = if network.is_finite() { network } else { 0.0 };
            let share = from + step * (i + 1) as f32;
            let plain = std::mem::replace(&mut self.before[i], *x);
            *x = plain + (network - plain) * share;
        }
    }
}
