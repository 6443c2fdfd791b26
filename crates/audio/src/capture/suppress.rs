use nnnoiseless::DenoiseState;

use super::BLOCK;

/// The network was trained on samples in the range of 16 bits.
const SCALE: f32 = 32_768.0;

/// Noise suppression by RNNoise (Valin, 2018): gains for 22 bands of the spectrum, from a recurrent network.
pub(super) struct Suppressor {
    state: Box<DenoiseState<'static>>,
    input: [f32; BLOCK],
    output: [f32; BLOCK],
}

impl Suppressor {
    /// It overlaps its windows by half.
    pub(super) const LATENCY: usize = BLOCK;

    pub(super) fn new() -> Self {
        let mut new = Self {
            state: DenoiseState::new(),
            input: [0.0; BLOCK],
            output: [0.0; BLOCK],
        };
        // Its tables are made by the first frame.
        new.process(&mut [0.0; BLOCK]);
        new
    }

    pub(super) fn process(&mut self, block: &mut [f32; BLOCK]) {
        for (to, x) in self.input.iter_mut().zip(block.iter()) {
            // It must not see what is no number: its transforms are not defined for that.
            *to = if x.is_finite() {
                x.clamp(-1.0, 1.0) * SCALE
            } else {
                0.0
            };
        }
        self.state.process_frame(&mut self.output, &self.input);
        for (to, x) in block.iter_mut().zip(self.output) {
            *to = if x.is_finite() { x / SCALE } else { 0.0 };
        }
    }
}
