//! Time-scale modification by whole pitch periods: WSOLA (Verhelst and Roelands, 1993) for a stream.
//!
//! A stretch of sound is laid over itself, moved by the lag at which it is most like itself, and cross-faded: with one
//! period less or more than before, and the pitch that it had.

use super::queue::Queue;

/// Lags that are tried: 2.5 ms to 12.5 ms, pitches of 80 to 400 Hz.
const SHORTEST_LAG: usize = 120;
const LONGEST_LAG: usize = 600;
/// Length of a cross-fade: 5 ms.
const FADE: usize = 240;
/// Samples compared for each lag: 10 ms, every fourth at first.
const WINDOW: usize = 480;
const COARSE: usize = 4;
/// Mean square below which sound is as good as silent (-60 dBFS): any lag will do.
const SILENT: f32 = 1e-6;

/// Plays the newest sound faster: removes up to one period. Gives the samples removed, 0 when nothing fits well enough.
pub(super) fn shrink(queue: &mut Queue, wanted: usize, least_likeness: f32) -> usize {
    let pending = queue.pending();
    if pending < FADE + SHORTEST_LAG || wanted < SHORTEST_LAG {
        return 0;
    }
    let longest = LONGEST_LAG.min(pending - FADE).min(wanted);
    let Some(lag) = best_lag(queue.all(), longest, least_likeness) else {
        return 0;
    };
    // The end of the sound moves forward over what lies `lag` before it: [.. a a' b] becomes [.. (a×b)].
    let sound = queue.pending_mut();
    let end = sound.len();
    for i in 0..FADE {
        let weight = (i as f32 + 0.5) / FADE as f32;
        let (early, late) = (sound[end - FADE - lag + i], sound[end - FADE + i]);
        sound[end - FADE - lag + i] = early + (late - early) * weight;
    }
    queue.shrink(lag);
    lag
}

/// Plays the newest sound slower: repeats one period. Gives the samples added, 0 when nothing fits well enough.
pub(super) fn stretch(queue: &mut Queue, wanted: usize, least_likeness: f32) -> usize {
    let pending = queue.pending();
    if pending < FADE || wanted < SHORTEST_LAG {
        return 0;
    }
    let longest = LONGEST_LAG.min(wanted);
    let Some(lag) = best_lag(queue.all(), longest, least_likeness) else {
        return 0;
    };
    // S becomes S[..n-F] + S[n-F..n] fading into S[n-F-lag..n-lag] + S[n-lag..].
    queue.grow(lag);
    let sound = queue.all_mut();
    let end = sound.len() - lag;
    sound.copy_within(end - lag..end, end);
    // Backwards: with a short lag the repeated part reaches into the faded one.
    for i in (0..FADE).rev() {
        let weight = (i as f32 + 0.5) / FADE as f32;
        let (straight, repeated) = (sound[end - FADE + i], sound[end - FADE - lag + i]);
        sound[end - FADE + i] = straight + (repeated - straight) * weight;
    }
    lag
}

/// Fills `out` with what would follow if the last period of `sound` went on.
pub(super) fn continuation(sound: &[f32], out: &mut [f32]) {
    let lag = best_lag(sound, LONGEST_LAG, -1.0).unwrap_or(LONGEST_LAG);
    let period = &sound[sound.len() - lag..];
    for (out, sample) in out.iter_mut().zip(period.iter().cycle()) {
        *out = *sample;
    }
}

/// The lag, up to `longest`, at which the end of `sound` is most like what lies before it, when the normalised
/// correlation there reaches `least`.
fn best_lag(sound: &[f32], longest: usize, least: f32) -> Option<usize> {
    let end = &sound[sound.len() - WINDOW..];
    if end.iter().map(|s| s * s).sum::<f32>() < SILENT * WINDOW as f32 {
        return Some(longest);
    }
    let rough = (SHORTEST_LAG..=longest)
        .step_by(COARSE)
        .max_by(|&a, &b| likeness(sound, a, COARSE).total_cmp(&likeness(sound, b, COARSE)))?;
    let around = rough.saturating_sub(COARSE - 1).max(SHORTEST_LAG)..=(rough + COARSE - 1).min(longest);
    let (lag, alike) = around
        .map(|lag| (lag, likeness(sound, lag, 1)))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    (alike >= least).then_some(lag)
}

/// Normalised correlation of the last `WINDOW` samples with those `lag` before, -1 to 1, of every `step`th sample.
fn likeness(sound: &[f32], lag: usize, step: usize) -> f32 {
    let n = sound.len();
    let (new, old) = (&sound[n - WINDOW..], &sound[n - WINDOW - lag..n - lag]);
    let (mut both, mut new_energy, mut old_energy) = (0.0, 1e-9_f32, 1e-9_f32);
    for (a, b) in new.iter().step_by(step).zip(old.iter().step_by(step)) {
        both += a * b;
        new_energy += a * a;
        old_energy += b * b;
    }
    both / (new_energy * old_energy).sqrt()
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;

    fn tone(queue: &mut Queue, hz: f32, len: usize, phase: &mut f32) {
        for sample in queue.grow(len) {
            *sample = 0.3 * phase.sin();
            *phase = (*phase + TAU * hz / 48_000.0) % TAU;
        }
    }

    /// Largest step from sample to sample that the tone has by itself, with a little room.
    fn smooth(samples: &[f32], hz: f32) -> bool {
        let largest = samples
            .windows(2)
            .map(|w| (w[1] - w[0]).abs())
            .fold(0.0, f32::max);
        largest < 0.3 * TAU * hz / 48_000.0 * 1.3
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_has_no_click_when_stretched_and_shrunk() {
        for hz in [110.0, 180.0, 333.0] {
            for faster in [true, false] {
                let (mut queue, mut phase, mut changed, mut heard) = (Queue::new(), 0.0, 0, Vec::new());
                for _ in 0..50 {
                    tone(&mut queue, hz, 960, &mut phase);
                    changed += if faster {
                        shrink(&mut queue, 2_000, 0.9)
                    } else {
                        stretch(&mut queue, 2_000, 0.9)
                    };
                    let mut out = vec![0.0; queue.pending()];
                    queue.pull(&mut out);
                    heard.extend(out);
                }
                let expected = if faster {
                    48_000 - changed
                } else {
                    48_000 + changed
                };
                assert_eq!(heard.len(), expected);
                assert!(changed > 5_000, "{hz} Hz: {changed}");
                assert!(smooth(&heard[960..], hz), "{hz} Hz");
                let rising = heard.windows(2).filter(|w| w[0] <= 0.0 && w[1] > 0.0).count() as f32;
                let measured = rising * 48_000.0 / heard.len() as f32;
                assert!((measured - hz).abs() < 3.0, "{hz} Hz became {measured} Hz");
            }
        }
    }

    #[test]
    fn noise_is_left_alone_unless_it_must_be() {
        let mut queue = Queue::new();
        let mut state = 1_u32;
        for sample in queue.grow(2_880) {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = (state >> 8) as f32 / 16_777_216.0 - 0.5;
        }
        assert_eq!(shrink(&mut queue, 2_000, 0.9), 0);
        assert_eq!(stretch(&mut queue, 2_000, 0.9), 0);
        assert!(shrink(&mut queue, 2_000, -1.0) > 0);
    }
}
