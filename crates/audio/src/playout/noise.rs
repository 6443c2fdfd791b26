/// Order of the predictor that shapes the noise.
const ORDER: usize = 16;
/// Samples that the quietest moment is measured on: 20 ms.
const FRAME: usize = 960;
/// The floor rises by this factor per frame, so that a room that grows louder is followed: 3 dB in 2 s.
const RISE: f32 = 1.007;

/// Comfort noise: what the room sounded like when nobody spoke.
///
/// The spectrum is that of the quietest recent frame, as a linear predictor (autocorrelation method, Levinson-Durbin
/// recursion); the noise is white noise through that filter. The sequence is always the same.
#[derive(Debug)]
pub(super) struct ComfortNoise {
    /// Mean square of the quietest frame.
    floor: Option<f32>,
    predictor: [f32; ORDER],
    /// Root mean square of the white noise that goes in.
    gain: f32,
    memory: [f32; ORDER],
    random: u32,
}

impl ComfortNoise {
    pub(super) fn new() -> Self {
        Self {
            floor: None,
            predictor: [0.0; ORDER],
            gain: 0.0,
            memory: [0.0; ORDER],
            random: 0x9E37_79B9,
        }
    }

    /// Looks at decoded sound; only the last 20 ms count.
    pub(super) fn listen(&mut self, sound: &[f32]) {
        let Some(frame) = sound.len().checked_sub(FRAME).map(|from| &sound[from..]) else {
            return;
        };
        let power = frame.iter().map(|s| s * s).sum::<f32>() / FRAME as f32;
        // Digital silence is no room.
        if power < 1e-10 {
            return;
        }
        let floor = self.floor.map_or(f32::INFINITY, |floor| floor * RISE);
        if power <= floor {
            self.floor = Some(power);
            self.learn(frame);
        } else {
            self.floor = Some(floor);
        }
    }

    /// Fills `out` with noise.
    pub(super) fn fill(&mut self, out: &mut [f32]) {
        for sample in out {
            self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Uniform over ±√3 has a mean square of one.
            let white = ((self.random >> 8) as f32 / 8_388_608.0 - 1.0) * 1.732;
            let predicted: f32 = self.predictor.iter().zip(&self.memory).map(|(a, m)| a * m).sum();
            let value = (predicted + white * self.gain).clamp(-1.0, 1.0);
            self.memory.copy_within(..ORDER - 1, 1);
            self.memory[0] = value;
            *sample = value;
        }
    }

    fn learn(&mut self, frame: &[f32]) {
        let mut correlation = [0.0_f64; ORDER + 1];
        for (lag, sum) in correlation.iter_mut().enumerate() {
            *sum = frame[lag..]
                .iter()
                .zip(frame)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum();
        }
        // A little white noise keeps the filter well inside of stability.
        correlation[0] *= 1.001;
        let (predictor, error) = levinson(&correlation);
        self.predictor = predictor.map(|a| a as f32);
        self.gain = (error / FRAME as f64).max(0.0).sqrt() as f32;
    }
}

/// The predictor for an autocorrelation, and the energy that it leaves (Levinson-Durbin).
fn levinson(correlation: &[f64; ORDER + 1]) -> ([f64; ORDER], f64) {
    let mut predictor = [0.0; ORDER];
    let mut error = correlation[0];
    for i in 0..ORDER {
        if error <= 0.0 {
            break;
        }
        let known: f64 = (0..i).map(|j| predictor[j] * correlation[i - j]).sum();
        let reflection = (correlation[i + 1] - known) / error;
        let before = predictor;
        predictor[i] = reflection;
        for j in 0..i {
            predictor[j] = before[j] - reflection * before[i - 1 - j];
        }
        error *= 1.0 - reflection * reflection;
    }
    (predictor, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn power(sound: &[f32]) -> f32 {
        sound.iter().map(|s| s * s).sum::<f32>() / sound.len() as f32
    }

    #[test]
    fn the_noise_has_the_level_and_the_colour_of_the_room() {
        let mut random = 7_u32;
        let mut last = 0.0;
        // Dull noise: each sample is close to the one before.
        let room: Vec<f32> = (0..9_600)
            .map(|_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                last = 0.95 * last + 0.001 * ((random >> 8) as f32 / 8_388_608.0 - 1.0);
                last
            })
            .collect();
        let mut noise = ComfortNoise::new();
        room.chunks(960).for_each(|frame| noise.listen(frame));
        noise.listen(&[0.5; 960]);
        let mut out = vec![0.0; 48_000];
        noise.fill(&mut out);
        let ratio = power(&out) / power(&room);
        assert!((0.3..1.5).contains(&ratio), "level {ratio}");
        let alike = out.windows(2).map(|w| w[0] * w[1]).sum::<f32>() / out.iter().map(|s| s * s).sum::<f32>();
        assert!(alike > 0.9, "colour {alike}");
    }

    #[test]
    fn without_a_room_there_is_silence() {
        let mut noise = ComfortNoise::new();
        noise.listen(&[0.0; 960]);
        let mut out = [1.0; 480];
        noise.fill(&mut out);
        assert!(out.iter().all(|&s| s == 0.0));
    }
}
