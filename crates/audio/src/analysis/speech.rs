use std::num::NonZeroU32;

use earshot::Detector;

use crate::resample::Resampler;

/// What the detector wants: 16 kHz, 16 ms at a time.
const RATE: NonZeroU32 = NonZeroU32::new(16_000).expect("not zero");
const FRAME: usize = 256;
const FRAME_MS: u64 = 16;
/// A frame with this score or more begins or prolongs speech; 0.5 is the detector's own recommendation.
const THRESHOLD: f32 = 0.5;
/// Frames before the first and after the last that counted: soft onsets and word ends.
const MARGIN_MS: u64 = 96;
/// Pauses up to this length belong to the speech around them.
const PAUSE_MS: u64 = 300;
/// Shorter bursts than this are clicks.
const MIN_MS: u64 = 64;

/// Finds where somebody speaks in a mono stream.
pub(super) struct SpeechDetector {
    resampler: Resampler,
    detector: Box<Detector>,
    waiting: Vec<f32>,
    frames: u64,
    /// Runs of frames that count as speech, as frame numbers `[from, to)`.
    runs: Vec<[u64; 2]>,
}

impl SpeechDetector {
    pub(super) fn new(rate: NonZeroU32) -> Self {
        Self {
            resampler: Resampler::new(rate, RATE),
            detector: Detector::default_boxed(),
            waiting: Vec::new(),
            frames: 0,
            runs: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, samples: &[f32]) {
        self.resampler.push(samples, &mut self.waiting);
        let whole = self.waiting.len() / FRAME * FRAME;
        for frame in self.waiting[..whole].as_chunks_mut::<FRAME>().0 {
            // Resampling may overshoot full scale, which the detector does not take.
            frame.iter_mut().for_each(|x| *x = x.clamp(-1.0, 1.0));
            let score = self.detector.predict_f32(frame);
            note(&mut self.runs, self.frames, score);
            self.frames += 1;
        }
        self.waiting.drain(..whole);
    }

    /// The intervals of speech in ms, within a sound of `duration_ms`.
    pub(super) fn finish(self, duration_ms: u64) -> Vec<[u64; 2]> {
        merge(&self.runs, duration_ms)
    }
}

impl std::fmt::Debug for SpeechDetector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpeechDetector")
            .field("frames", &self.frames)
            .finish_non_exhaustive()
    }
}

fn note(runs: &mut Vec<[u64; 2]>, frame: u64, score: f32) {
    if score < THRESHOLD {
        return;
    }
    // Joining over short pauses at once keeps the list short on hours of sound.
    match runs.last_mut() {
        Some([_, to]) if (frame - *to) * FRAME_MS <= PAUSE_MS => *to = frame + 1,
        _ => runs.push([frame, frame + 1]),
    }
}

fn merge(runs: &[[u64; 2]], duration_ms: u64) -> Vec<[u64; 2]> {
    let mut merged: Vec<[u64; 2]> = Vec::new();
    for [from, to] in runs.iter().map(|run| run.map(|frame| frame * FRAME_MS)) {
        if to - from < MIN_MS {
            continue;
        }
        let from = from.saturating_sub(MARGIN_MS);
        let to = (to + MARGIN_MS).min(duration_ms);
        match merged.last_mut() {
            Some(last) if from <= last[1] => last[1] = to,
            _ if from < to => merged.push([from, to]),
            _ => {}
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intervals(scores: &[(usize, f32)], duration_ms: u64) -> Vec<[u64; 2]> {
        let mut runs = Vec::new();
        let scores = scores
            .iter()
            .flat_map(|&(count, score)| std::iter::repeat_n(score, count));
        for (frame, score) in scores.enumerate() {
            note(&mut runs, frame as u64, score);
        }
        merge(&runs, duration_ms)
    }

    #[test]
    fn speech_gets_a_margin_on_both_sides() {
        assert_eq!(
            intervals(&[(50, 0.1), (50, 0.9), (50, 0.1)], 2_400),
            [[704, 1_696]]
        );
    }

    #[test]
    fn a_short_pause_does_not_part_a_sentence_and_a_long_one_does() {
        assert_eq!(intervals(&[(20, 0.9), (18, 0.1), (20, 0.9)], 928), [[0, 928]]);
        assert_eq!(
            intervals(&[(20, 0.9), (40, 0.1), (20, 0.9)], 1_280),
            [[0, 416], [864, 1_280]]
        );
    }

    #[test]
    fn a_click_is_not_speech() {
        assert_eq!(
            intervals(&[(50, 0.1), (2, 0.9), (50, 0.1)], 1_632),
            [] as [[u64; 2]; 0]
        );
    }

    #[test]
    fn nothing_reaches_past_the_end() {
        assert_eq!(intervals(&[(50, 0.1), (50, 0.9)], 1_600), [[704, 1_600]]);
    }
}
