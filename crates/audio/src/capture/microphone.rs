use super::BLOCK;

/// What a recorder can tell before anything is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MicrophoneVerdict {
    /// Too little was heard yet: less than a second.
    Listening,
    /// There is nothing: the microphone is muted or not the one that is spoken into.
    Silent,
    /// It is too loud: peaks are cut off.
    Clipping,
    /// Speech is below −45 dBFS: come closer, or turn it up.
    TooQuiet,
    /// What is loudest is less than 10 dB above what is always there.
    TooNoisy,
    /// Nothing is wrong.
    Good,
}

/// What the verdict is made of, in dBFS (RMS over 10 ms).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MicrophoneLevels {
    /// Of the loudest twentieth of the blocks: speech, if there was any.
    pub speech_dbfs: f32,
    /// Of the quietest tenth.
    pub noise_dbfs: f32,
    /// Share of the blocks in which peaks are cut off, 0 to 1.
    pub clipped: f32,
}

/// Blocks before there is a verdict: a second.
const ENOUGH: u32 = 100;
/// Levels that are told apart: one for each dB from here up to 0.
const LOWEST_DBFS: usize = 100;
/// Samples in a row at full scale: fewer may be a peak.
const CUT_OFF: usize = 3;
const FULL_SCALE: f32 = 0.99;
/// More cut-off blocks than one in fifty are heard.
const TOO_MANY_CLIPPED: f32 = 0.02;
const SILENT_DBFS: f32 = -75.0;
const QUIET_DBFS: f32 = -45.0;
const LEAST_DISTANCE_DB: f32 = 10.0;
/// Noise below that does not disturb, however close speech is to it.
const NOISE_DBFS: f32 = -55.0;

/// Listens to a microphone, mono at 48 kHz in blocks of 10 ms, and says what is wrong with it. It never allocates.
#[derive(Debug, Clone)]
pub struct MicrophoneCheck {
    /// Blocks at each level.
    levels: [u32; LOWEST_DBFS + 1],
    blocks: u32,
    clipped: u32,
    /// Samples in a row at full scale, up to now.
    run: usize,
}

impl Default for MicrophoneCheck {
    fn default() -> Self {
        Self {
            levels: [0; LOWEST_DBFS + 1],
            blocks: 0,
            clipped: 0,
            run: 0,
        }
    }
}

impl MicrophoneCheck {
    /// Takes the next block.
    pub fn push(&mut self, block: &[f32; BLOCK]) {
        let mut clipped = false;
        let mut energy = 0.0;
        for x in block {
            self.run = if x.abs() >= FULL_SCALE { self.run + 1 } else { 0 };
            clipped |= self.run >= CUT_OFF;
            energy += if x.is_finite() { x * x } else { 0.0 };
        }
        let dbfs = 10.0 * (energy / BLOCK as f32).max(1e-12).log10();
        let below = (-dbfs).round().clamp(0.0, LOWEST_DBFS as f32) as usize;
        self.levels[below] = self.levels[below].saturating_add(1);
        self.blocks = self.blocks.saturating_add(1);
        self.clipped += u32::from(clipped && self.clipped < u32::MAX);
    }

    /// What was heard up to now.
    #[must_use]
    pub fn levels(&self) -> MicrophoneLevels {
        let total = self.blocks.max(1);
        // The level that a share of the blocks reaches, counted from the loudest.
        let reached = |share: f32| {
            let wanted = (share * total as f32).ceil().max(1.0) as u32;
            let mut seen = 0_u32;
            let below = self.levels.iter().position(|count| {
                seen = seen.saturating_add(*count);
                seen >= wanted
            });
            -(below.unwrap_or(LOWEST_DBFS) as f32)
        };
        MicrophoneLevels {
            speech_dbfs: reached(0.05),
            noise_dbfs: reached(0.9),
            clipped: self.clipped as f32 / total as f32,
        }
    }

    /// What to tell whoever is about to speak.
    #[must_use]
    pub fn verdict(&self) -> MicrophoneVerdict {
        let found = self.levels();
        let distance = found.speech_dbfs - found.noise_dbfs;
        match found {
            _ if self.blocks < ENOUGH => MicrophoneVerdict::Listening,
            found if found.speech_dbfs < SILENT_DBFS => MicrophoneVerdict::Silent,
            found if found.clipped > TOO_MANY_CLIPPED => MicrophoneVerdict::Clipping,
            found if found.noise_dbfs > NOISE_DBFS && distance < LEAST_DISTANCE_DB => {
                MicrophoneVerdict::TooNoisy
            }
            found if found.speech_dbfs < QUIET_DBFS => MicrophoneVerdict::TooQuiet,
            _ => MicrophoneVerdict::Good,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Syllables over noise, at these levels.
    fn listen(voice: f32, noise: f32, blocks: usize) -> MicrophoneCheck {
        let mut check = MicrophoneCheck::default();
        let mut seed = 1_u32;
        for n in 0..blocks {
            let spoken = if (n / 15) % 3 == 1 { voice } else { 0.0 };
            let block = std::array::from_fn(|i| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let hiss = ((seed >> 16) as f32 / 32_768.0 - 1.0) * noise;
                let tone = (i as f32 * std::f32::consts::TAU / 160.0).sin();
                (spoken * tone + hiss).clamp(-1.0, 1.0)
            });
            check.push(&block);
        }
        check
    }

    #[test]
    fn each_thing_that_is_wrong_is_told_and_good_sound_is_good() {
        use MicrophoneVerdict::*;
        for (voice, noise, expected) in [
            (0.2, 0.001, Good),
            (0.05, 0.002, Good),
            (0.0, 0.0, Silent),
            (0.0, 1e-5, Silent),
            (3.0, 0.001, Clipping),
            (0.003, 1e-4, TooQuiet),
            (0.05, 0.05, TooNoisy),
            (0.0, 0.1, TooNoisy),
        ] {
            let check = listen(voice, noise, 300);
            assert_eq!(check.verdict(), expected, "{voice} {noise}: {:?}", check.levels());
        }
        assert_eq!(listen(0.2, 0.001, 99).verdict(), Listening);
    }

    #[test]
    fn levels_are_those_of_the_sound() {
        let found = listen(0.2, 0.001, 300).levels();
        assert!((found.speech_dbfs + 17.0).abs() <= 1.0, "{found:?}");
        assert!((found.noise_dbfs + 64.8).abs() <= 1.0, "{found:?}");
        let mut odd = MicrophoneCheck::default();
        odd.push(&[f32::NAN; BLOCK]);
        assert!(odd.levels().speech_dbfs.is_finite());
    }
}
