use super::queue::Queue;
use super::timescale;

/// What is changed at once: 30 ms, long enough to leave two thirds of it out.
const STEP: usize = 1_440;

/// Samples by which the sound may be late or early until a place is found that fits: 25 ms.
const MAX_DEBT: f64 = 1_200.0;

/// Changes how fast speech is spoken and keeps its pitch: whole pitch periods are left out or said twice. 48 kHz mono.
///
/// ```
/// use voxpost_audio::Tempo;
///
/// let mut tempo = Tempo::new(2.0);
/// let mut out = Vec::new();
/// tempo.push(&[0.0; 48_000], &mut out);
/// tempo.finish(&mut out);
/// assert!((23_000..25_000).contains(&out.len()));
/// ```
#[derive(Debug)]
pub struct Tempo {
    queue: Queue,
    speed: f64,
    /// Samples to leave out yet; negative: to add.
    debt: f64,
}

impl Tempo {
    /// The slowest and the fastest: beyond, speech cannot be followed.
    pub const SPEEDS: std::ops::RangeInclusive<f64> = 0.5..=3.0;

    /// At a speed of [`SPEEDS`](Self::SPEEDS), to which others are clamped; 1 leaves every sample as it is.
    pub fn new(speed: f64) -> Self {
        let speed = if speed.is_finite() { speed } else { 1.0 };
        Self {
            queue: Queue::new(),
            speed: speed.clamp(*Self::SPEEDS.start(), *Self::SPEEDS.end()),
            debt: 0.0,
        }
    }

    /// Appends what `input` becomes to `out`. Less than 30 ms is held back.
    pub fn push(&mut self, input: &[f32], out: &mut Vec<f32>) {
        if self.speed == 1.0 {
            return out.extend_from_slice(input);
        }
        let mut rest = input;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(STEP - self.queue.pending()));
            rest = later;
            self.queue.grow(now.len()).copy_from_slice(now);
            if self.queue.pending() == STEP {
                self.debt += STEP as f64 * (1.0 - 1.0 / self.speed);
                self.pay();
                self.finish(out);
            }
        }
    }

    /// Appends what is held back, as it is.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        let start = out.len();
        out.resize(start + self.queue.pending(), 0.0);
        self.queue.pull(&mut out[start..]);
    }

    /// Samples of the input that are held back.
    pub fn held(&self) -> usize {
        self.queue.pending()
    }

    fn pay(&mut self) {
        while self.debt >= 1.0 {
            let removed = timescale::shrink(&mut self.queue, self.debt as usize, least_likeness(self.debt));
            if removed == 0 {
                break;
            }
            self.debt -= removed as f64;
        }
        while self.debt <= -1.0 {
            let added = timescale::stretch(&mut self.queue, -self.debt as usize, least_likeness(self.debt));
            if added == 0 {
                break;
            }
            self.debt += added as f64;
        }
    }
}

/// How alike two periods must be to be joined: a debt waits for a place that fits, but not for ever.
fn least_likeness(debt: f64) -> f32 {
    if debt.abs() > MAX_DEBT { -1.0 } else { 0.5 }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;

    /// A voice-like sound: a pitch and two of its harmonics.
    fn voice(hz: f32, samples: usize) -> Vec<f32> {
        (0..samples)
            .map(|n| {
                let phase = TAU * hz * n as f32 / 48_000.0;
                0.2 * phase.sin() + 0.1 * (2.0 * phase).sin() + 0.05 * (3.0 * phase).sin()
            })
            .collect()
    }

    fn run(input: &[f32], speed: f64) -> Vec<f32> {
        let mut tempo = Tempo::new(speed);
        let mut out = Vec::new();
        for chunk in input.chunks(700) {
            tempo.push(chunk, &mut out);
        }
        tempo.finish(&mut out);
        out
    }

    /// Zero crossings upwards of the fundamental, per second.
    fn pitch(samples: &[f32]) -> f32 {
        let smooth: Vec<f32> = samples.windows(120).map(|w| w.iter().sum()).collect();
        let crossings = smooth.windows(2).filter(|w| w[0] < 0.0 && w[1] >= 0.0).count();
        crossings as f32 * 48_000.0 / smooth.len() as f32
    }

    #[test]
    fn normal_speed_leaves_every_sample_as_it_is() {
        let input = voice(150.0, 48_000);
        assert_eq!(run(&input, 1.0), input);
    }

    #[test]
    fn speech_gets_as_short_as_asked_and_keeps_its_pitch() {
        let input = voice(150.0, 5 * 48_000);
        for speed in [0.5, 0.75, 1.25, 1.5, 2.0, 3.0] {
            let out = run(&input, speed);
            let actual = input.len() as f64 / out.len() as f64;
            assert!((actual / speed - 1.0).abs() < 0.02, "{speed}: {actual}");
            let heard = pitch(&out);
            assert!((140.0..160.0).contains(&heard), "{speed}: {heard} Hz");
            assert!(out.iter().all(|s| s.abs() <= 0.36), "{speed}: louder than it was");
        }
    }

    #[test]
    fn silence_and_odd_speeds_do_no_harm() {
        for speed in [f64::NAN, f64::INFINITY, -1.0, 0.0, 100.0] {
            let out = run(&[0.0; 96_000], speed);
            assert!(out.iter().all(|s| *s == 0.0));
            assert!((30_000..200_000).contains(&out.len()), "{speed}");
        }
    }
}
