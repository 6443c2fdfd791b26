use super::BLOCK;

/// The floor rises by 2 dB a second and falls at once: it follows the quietest that was heard lately.
const RISE: f32 = 1.004_6;
/// The level of speech falls by 1 dB a second.
const FALL: f32 = 0.997_7;
/// How much of the way to a louder block the level of speech goes.
const ATTACK: f32 = 0.2;
/// −90 dBFS: what is quieter is no noise.
const LEAST_FLOOR: f32 = 1e-9;
/// Speech so far above the noise is clean.
const CLEAN_DB: f32 = 32.0;
/// So near it is noisy.
const NOISY_DB: f32 = 26.0;
/// How much of the way to a new verdict it goes in a block: a time constant of half a second.
const SMOOTH: f32 = 0.02;

/// How noisy a sound is, from the distance of its loud and quiet blocks.
pub(super) struct Noisiness {
    /// Mean squares.
    floor: f32,
    speech: f32,
    share: f32,
}

impl Noisiness {
    pub(super) fn new() -> Self {
        Self {
            // Whatever comes first is taken for noise.
            floor: f32::INFINITY,
            speech: 0.0,
            share: 0.0,
        }
    }

    /// 0 for clean to 1 for noisy, after the next block.
    pub(super) fn of(&mut self, block: &[f32; BLOCK]) -> f32 {
        let level = block.iter().map(|x| x * x).sum::<f32>() / BLOCK as f32;
        self.floor = (self.floor * RISE).min(level).max(LEAST_FLOOR);
        self.speech *= FALL;
        if level > self.speech {
            self.speech += (level - self.speech) * ATTACK;
        }
        let distance = 10.0 * (self.speech.max(LEAST_FLOOR) / self.floor).log10();
        let wanted = ((CLEAN_DB - distance) / (CLEAN_DB - NOISY_DB)).clamp(0.0, 1.0);
        // Digital silence is not noisy.
        let wanted = if self.speech <= LEAST_FLOOR { 0.0 } else { wanted };
        self.share += (wanted - self.share) * SMOOTH;
        self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(voice: f32, noise: f32) -> f32 {
        let (mut noisiness, mut seed, mut last) = (Noisiness::new(), 1_u32, 0.0);
        for n in 0..600 {
            let spoken = if (n / 15) % 3 == 1 { voice } else { 0.0 };
            last = noisiness.of(&std::array::from_fn(|i| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let hiss = ((seed >> 16) as f32 / 32_768.0 - 1.0) * noise;
                spoken * (i as f32 * std::f32::consts::TAU / 160.0).sin() + hiss
            }));
        }
        last
    }

    #[test]
    fn clean_speech_is_left_alone_and_noisy_speech_is_not() {
        assert!(share(0.3, 0.000_5) < 0.01);
        assert!(share(0.3, 0.03) > 0.99);
        assert!(share(0.0, 0.0) < 0.01);
        let between = share(0.3, 0.013);
        assert!((0.05..0.95).contains(&between), "{between}");
    }
}
