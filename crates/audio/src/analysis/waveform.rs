use std::num::NonZeroU32;

/// Length of the finest slot. 30 of them make 150 ms; a shorter sound repeats slots.
const SLOT_MS: u32 = 5;
/// Slots kept at most; when they are full, neighbours are merged. 160 s of the finest ones.
const MAX_SLOTS: usize = 1 << 15;
/// Largest value of the result.
const FULL: f64 = 1_024.0;
/// RMS below which the loudest part counts as silence: −60 dBFS.
const SILENCE_RMS: f64 = 1e-3;

/// Collects the energy of equal slots of sound, of whatever length it will be, and draws it as a waveform at the end.
#[derive(Debug)]
pub(super) struct Waveform {
    slot_len: usize,
    /// Sum of squares of each complete slot.
    slots: Vec<f64>,
    energy: f64,
    filled: usize,
}

impl Waveform {
    pub(super) fn new(rate: NonZeroU32) -> Self {
        let slot_len = (rate.get() * SLOT_MS / 1_000).max(1) as usize;
        Self {
            slot_len,
            slots: Vec::new(),
            energy: 0.0,
            filled: 0,
        }
    }

    pub(super) fn push(&mut self, mut samples: &[f32]) {
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(self.slot_len - self.filled));
            self.energy += f64::from(sum_of_squares(now));
            self.filled += now.len();
            samples = later;
            if self.filled == self.slot_len {
                self.slots.push(self.energy);
                (self.energy, self.filled) = (0.0, 0);
                if self.slots.len() == MAX_SLOTS {
                    self.merge_neighbours();
                }
            }
        }
    }

    /// The waveform of a sound of `duration_ms`; see [`super::Analysis::waveform`] for the formula.
    pub(super) fn finish(mut self, duration_ms: u64) -> Vec<u16> {
        if self.filled > 0 {
            // The last slot is short: scale it to what a full one of the same level would hold.
            self.slots
                .push(self.energy * self.slot_len as f64 / self.filled as f64);
        }
        let points = points(duration_ms);
        let levels: Vec<f64> = (0..points).map(|i| self.rms(i, points)).collect();
        let loudest = levels.iter().fold(SILENCE_RMS, |max, &level| max.max(level));
        levels
            .iter()
            .map(|level| (FULL * (level / loudest).sqrt()).round() as u16)
            .collect()
    }

    fn merge_neighbours(&mut self) {
        self.slots = self.slots.as_chunks::<2>().0.iter().map(|[a, b]| a + b).collect();
        self.slot_len *= 2;
    }

    /// RMS of share `i` of `points` of the sound.
    fn rms(&self, i: usize, points: usize) -> f64 {
        let n = self.slots.len();
        if n == 0 {
            return 0.0;
        }
        let from = i * n / points;
        let to = ((i + 1) * n / points).max(from + 1);
        let share = &self.slots[from..to];
        (share.iter().sum::<f64>() / (share.len() * self.slot_len) as f64).sqrt()
    }
}

/// Number of values for a sound of that duration: one per 30 ms, 30 to 100.
fn points(duration_ms: u64) -> usize {
    duration_ms.div_ceil(30).clamp(30, 100) as usize
}

/// Eight sums side by side, which the compiler turns into vector instructions.
fn sum_of_squares(samples: &[f32]) -> f32 {
    let (chunks, rest) = samples.as_chunks::<8>();
    let mut sums = [0.0_f32; 8];
    for chunk in chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += x * x;
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|x| x * x).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn draw(rate: u32, samples: &[f32]) -> Vec<u16> {
        let mut waveform = Waveform::new(NonZeroU32::new(rate).expect("a rate"));
        for block in samples.chunks(1_000) {
            waveform.push(block);
        }
        waveform.finish((samples.len() as u64 * 1_000).div_ceil(rate.into()))
    }

    #[test]
    fn the_shape_follows_the_sound() {
        // Silence, a quiet half at −20 dB, the loud half.
        let mut sound = vec![0.0; 16_000];
        sound.extend(vec![0.05; 16_000]);
        sound.extend(vec![0.5; 16_000]);
        let drawn = draw(16_000, &sound);
        assert_eq!(drawn.len(), 100);
        assert_eq!(drawn[10], 0);
        assert_eq!(drawn[50], (1_024.0 * 0.1_f64.sqrt()).round() as u16);
        assert_eq!(drawn[90], 1_024);
    }

    #[test]
    fn short_clips_have_fewer_points_and_never_less_than_thirty() {
        for (ms, points) in [
            (0, 30),
            (1, 30),
            (900, 30),
            (1_500, 50),
            (2_999, 100),
            (3_000, 100),
            (60_000, 100),
        ] {
            assert_eq!(draw(8_000, &vec![0.1; ms * 8]).len(), points, "{ms} ms");
        }
    }

    #[test]
    fn hours_of_sound_stay_in_bounded_memory() {
        let mut waveform = Waveform::new(NonZeroU32::new(8_000).expect("a rate"));
        let quiet = vec![0.01; 8_000];
        let loud = vec![0.04; 8_000];
        for second in 0..7_200 {
            waveform.push(if second < 3_600 { &quiet } else { &loud });
        }
        assert!(waveform.slots.len() < MAX_SLOTS);
        let drawn = waveform.finish(7_200_000);
        assert_eq!((drawn[20], drawn[80]), (512, 1_024));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_sound_gives_values_in_range_with_the_loudest_at_the_top(
            sound in prop::collection::vec(-1.0_f32..1.0, 1..5_000),
            rate in prop::sample::select(vec![8_000_u32, 16_000, 48_000]),
        ) {
            let drawn = draw(rate, &sound);
            prop_assert!((30..=100).contains(&drawn.len()));
            prop_assert!(drawn.iter().all(|&value| value <= 1_024));
            if sound.iter().any(|x| x.abs() > 0.5) && sound.len() > 2_000 {
                prop_assert_eq!(drawn.iter().max(), Some(&1_024));
            }
        }
    }
}
