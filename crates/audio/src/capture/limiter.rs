use super::BLOCK;

/// What is aimed at below the ceiling, 0.3 dB: close to half of the sampling rate four points for each sample miss so much of
/// a peak.
const MARGIN: f32 = 0.966;
/// How long before a peak the gain begins to fall: 4 ms.
const AHEAD: usize = 192;
/// How long a gain is asked for: a little more, so that the mean of that many stays down while the peak passes.
const HOLD: usize = AHEAD + 4;
/// Taps of each phase of the interpolator.
const TAPS: usize = 12;
/// Its middle, in samples.
const DELAY: usize = TAPS / 2;

/// The four phases that ITU-R BS.1770-4, annex 2, interpolates with to find true peaks. The last two mirror the first two.
const PHASES: [[f32; TAPS]; 2] = [
    [
        0.001_708_984_4,
        0.010_986_328,
        -0.019_653_32,
        0.033_203_125,
        -0.059_448_242,
        0.137_329_1,
        0.972_167_97,
        -0.102_294_92,
        0.047_607_422,
        -0.026_611_328,
        0.014_892_578,
        -0.008_300_781,
    ],
    [
        -0.029_174_805,
        0.029_296_875,
        -0.051_757_812,
        0.089_111_33,
        -0.166_503_9,
        0.465_087_9,
        0.779_785_16,
        -0.200_317_38,
        0.101_562_5,
        -0.058_227_54,
        0.033_081_055,
        -0.018_920_898,
    ],
];

/// Keeps true peaks below a ceiling: sound is delayed, and turned down smoothly before a peak comes.
pub(super) struct Limiter {
    ceiling: f32,
    /// The last samples, oldest first: two of each, so that a window is always in one piece.
    window: [f32; 2 * TAPS],
    window_at: usize,
    /// What is to come out.
    delayed: [f32; AHEAD + DELAY],
    delayed_at: usize,
    /// Gains that were asked for lately, with when: ascending, the first is the smallest.
    smallest: Ring,
    /// The smallest gains of the last windows, and their sum: their mean is the gain.
    held: [f32; AHEAD],
    held_at: usize,
    sum: f64,
    now: u64,
}

impl Limiter {
    pub(super) const LATENCY: usize = AHEAD + DELAY;

    /// `ceiling` is linear.
    pub(super) fn new(ceiling: f32) -> Self {
        Self {
            ceiling: ceiling * MARGIN,
            window: [0.0; 2 * TAPS],
            window_at: 0,
            delayed: [0.0; AHEAD + DELAY],
            delayed_at: 0,
            smallest: Ring::new(),
            held: [1.0; AHEAD],
            held_at: 0,
            sum: AHEAD as f64,
            now: 0,
        }
    }

    pub(super) fn process(&mut self, block: &mut [f32; BLOCK]) {
        for x in block {
            let peak = self.true_peak(*x);
            let wanted = if peak > self.ceiling {
                self.ceiling / peak
            } else {
                1.0
            };
            self.smallest.push(self.now, wanted);
            let smallest = self.smallest.first(self.now, HOLD as u64);
            self.now += 1;
            self.sum += f64::from(smallest) - f64::from(self.held[self.held_at]);
            self.held[self.held_at] = smallest;
            self.held_at = (self.held_at + 1) % AHEAD;
            let gain = (self.sum / AHEAD as f64) as f32;
            let out = std::mem::replace(&mut self.delayed[self.delayed_at], *x);
            self.delayed_at = (self.delayed_at + 1) % self.delayed.len();
            *x = out * gain.min(1.0);
        }
    }

    /// The largest of a sample and the three points after it, [`DELAY`] samples ago.
    fn true_peak(&mut self, x: f32) -> f32 {
        self.window[self.window_at] = x;
        self.window[self.window_at + TAPS] = x;
        self.window_at = (self.window_at + 1) % TAPS;
        let window = &self.window[self.window_at..self.window_at + TAPS];
        let mut peak = window[DELAY - 1].abs().max(window[DELAY].abs());
        for phase in &PHASES {
            let (mut there, mut mirrored) = (0.0, 0.0);
            for (i, x) in window.iter().enumerate() {
                there += phase[i] * x;
                mirrored += phase[TAPS - 1 - i] * x;
            }
            peak = peak.max(f32::abs(there)).max(f32::abs(mirrored));
        }
        peak
    }
}

/// The smallest of a sliding window (Lemire, 2006): those that can still become the smallest, ascending.
struct Ring {
    values: [(u64, f32); HOLD + 1],
    first: usize,
    len: usize,
}

impl Ring {
    fn new() -> Self {
        Self {
            values: [(0, 1.0); HOLD + 1],
            first: 0,
            len: 0,
        }
    }

    fn push(&mut self, at: u64, value: f32) {
        while self.len > 0 && self.values[self.index(self.len - 1)].1 >= value {
            self.len -= 1;
        }
        if self.len == self.values.len() {
            self.first = self.index(1);
            self.len -= 1;
        }
        let index = self.index(self.len);
        self.values[index] = (at, value);
        self.len += 1;
    }

    /// The smallest of the last `width` up to `now`.
    fn first(&mut self, now: u64, width: u64) -> f32 {
        while self.len > 0 && self.values[self.first].0 + width <= now {
            self.first = self.index(1);
            self.len -= 1;
        }
        if self.len == 0 {
            1.0
        } else {
            self.values[self.first].1
        }
    }

    fn index(&self, i: usize) -> usize {
        (self.first + i) % self.values.len()
    }
}

#[cfg(test)]
mod tests {
    use ebur128::{EbuR128, Mode};

    use super::*;

    fn limited(ceiling: f32, sound: &[f32]) -> Vec<f32> {
        let mut limiter = Limiter::new(ceiling);
        let mut out = Vec::new();
        for block in sound.as_chunks::<BLOCK>().0 {
            let mut block = *block;
            limiter.process(&mut block);
            out.extend(block);
        }
        out
    }

    fn true_peak_db(sound: &[f32]) -> f64 {
        let mut meter = EbuR128::new(1, 48_000, Mode::TRUE_PEAK).unwrap();
        meter.add_frames_f32(sound).unwrap();
        20.0 * meter.true_peak(0).unwrap().log10()
    }

    fn noise(samples: usize, level: f32) -> Vec<f32> {
        let mut seed = 1_u32;
        std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((seed >> 16) as f32 / 32_768.0 - 1.0) * level
        })
        .take(samples)
        .collect()
    }

    #[test]
    fn no_true_peak_passes_the_ceiling() {
        // A quarter of the sampling rate with its peaks between the samples: true peaks are 3 dB above the samples.
        let between: Vec<f32> = (0..48_000)
            .map(|i| 4.0 * (std::f32::consts::FRAC_PI_2 * i as f32 + std::f32::consts::FRAC_PI_4).sin())
            .collect();
        let clicks: Vec<f32> = (0..48_000)
            .map(|i| if i % 7_001 == 5 { 30.0 } else { 0.01 })
            .collect();
        let tone: Vec<f32> = (0..48_000).map(|i| 5.0 * (i as f32 * 0.02).sin()).collect();
        for (name, sound) in [
            ("between", between),
            ("noise", noise(48_000, 3.0)),
            ("clicks", clicks),
            ("tone", tone),
        ] {
            for db in [-1.0_f32, -6.0] {
                let peak = true_peak_db(&limited(10.0_f32.powf(db / 20.0), &sound));
                assert!(peak < f64::from(db) + 0.1, "{name}: {peak} dBTP and not {db}");
            }
        }
    }

    #[test]
    fn what_stays_below_is_only_late() {
        let sound = noise(48_000, 0.4);
        let out = limited(0.89, &sound);
        for (x, y) in sound.iter().zip(&out[Limiter::LATENCY..]) {
            assert!((x - y).abs() < 1e-6);
        }
    }

    #[test]
    fn the_gain_comes_back_after_a_peak() {
        let mut sound = vec![0.1; 48_000];
        sound[10_000] = 5.0;
        let out = limited(0.89, &sound);
        let at = |i: usize| out[i + Limiter::LATENCY];
        assert!(
            at(10_000) < 0.9 && at(9_990) < 0.03,
            "{} {}",
            at(10_000),
            at(9_990)
        );
        assert!((at(10_000 + 3 * AHEAD) - 0.1).abs() < 1e-4);
    }
}
