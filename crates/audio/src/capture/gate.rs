use super::BLOCK;

/// What pauses are turned down by: −12 dB. More would let the background come and go.
const CLOSED: f32 = 0.25;
/// Above the noise floor it is open: 9 dB, as mean squares.
const OPEN_ABOVE: f32 = 8.0;
/// It stays open for so long after: 250 ms, so that quiet ends of words are kept.
const HOLD_BLOCKS: u32 = 25;
/// How much of the way to its aim the gain goes in a block when it closes: a time constant of 80 ms.
const CLOSING: f32 = 0.12;
/// The floor rises by 2 dB a second and falls at once: it follows the quietest that was heard lately.
const RISE: f32 = 1.004_6;
/// −80 dBFS: what is quieter is no noise.
const LEAST_FLOOR: f32 = 1e-8;

/// Turns pauses down. The gain moves in ramps over whole blocks.
pub(super) struct Gate {
    /// Mean square of the noise.
    floor: f32,
    hold: u32,
    gain: f32,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            // Whatever comes first is taken for noise.
            floor: f32::INFINITY,
            hold: 0,
            gain: 1.0,
        }
    }

    pub(super) fn process(&mut self, block: &mut [f32; BLOCK]) {
        let level = block.iter().map(|x| x * x).sum::<f32>() / BLOCK as f32;
        self.floor = (self.floor * RISE).min(level).max(LEAST_FLOOR);
        self.hold = if level > self.floor * OPEN_ABOVE {
            HOLD_BLOCKS
        } else {
            self.hold.saturating_sub(1)
        };
        let before = self.gain;
        self.gain = if self.hold > 0 {
            1.0
        } else {
            before + (CLOSED - before) * CLOSING
        };
        let step = (self.gain - before) / BLOCK as f32;
        for (i, x) in block.iter_mut().enumerate() {
            *x *= before + step * (i + 1) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: &mut u32, level: f32) -> [f32; BLOCK] {
        std::array::from_fn(|_| {
            *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((*seed >> 16) as f32 / 32_768.0 - 1.0) * level
        })
    }

    #[test]
    fn pauses_are_turned_down_and_speech_is_not() {
        let (mut gate, mut seed) = (Gate::new(), 1);
        let mut gain_of = |level: f32, blocks: usize, gate: &mut Gate| {
            let mut last = 0.0;
            for _ in 0..blocks {
                let before = noise(&mut seed, level);
                let mut after = before;
                gate.process(&mut after);
                last = after[BLOCK - 1] / before[BLOCK - 1];
            }
            last
        };
        let pause = gain_of(0.01, 200, &mut gate);
        assert!((pause - CLOSED).abs() < 0.01, "{pause}");
        let speech = gain_of(0.2, 100, &mut gate);
        assert!((speech - 1.0).abs() < 1e-3, "{speech}");
        // The end of a word, somewhat quieter, is kept; the pause after it goes.
        assert!((gain_of(0.01, 10, &mut gate) - 1.0).abs() < 1e-3);
        assert!((gain_of(0.01, 100, &mut gate) - CLOSED).abs() < 0.01);
    }

    #[test]
    fn the_gain_never_jumps() {
        let (mut gate, mut seed) = (Gate::new(), 7);
        let mut before = None;
        for n in 0..600 {
            let mut block = [1e-3; BLOCK];
            if (n / 60) % 2 == 1 {
                block = noise(&mut seed, 0.5).map(|x| x.abs().max(0.1));
            }
            let input = block;
            gate.process(&mut block);
            for (x, y) in input.iter().zip(block) {
                let gain = y / x;
                if let Some(before) = before {
                    let step: f32 = gain - before;
                    assert!(step.abs() < 0.01, "{step}");
                }
                before = Some(gain);
            }
        }
    }
}
