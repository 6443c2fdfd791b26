use std::ops::Range;

use voxpost_audio::Report;

use super::axis;
use super::canvas::{Canvas, Stand, WIDTH};
use super::collect::{COLUMNS, Collected, ROWS, SILENCE_DB};
use super::colour::{
    CLIPPED, Colour, GRID, INTEGRATED, LEVEL, MOMENTARY, MUTED, PANEL, PEAKS, SHORT_TERM, SPEECH, TEXT, heat,
};
use crate::format;

const LEFT: usize = 90;
const RIGHT: usize = LEFT + COLUMNS;
const WAVE: Range<usize> = 112..312;
const SPEECH_BAR: Range<usize> = 322..340;
const SPECTROGRAM: Range<usize> = 372..372 + ROWS;
const LOUDNESS: Range<usize> = 786..976;
const TIMES: usize = 992;
/// The spectrogram shows so many dB below its loudest.
const SPECTROGRAM_DB: f32 = 70.0;
/// The loudness axis, in LUFS.
const LUFS: Range<i32> = -60..0;
/// What players aim at.
const TARGET_LUFS: f32 = -16.0;

/// Draws everything.
pub(super) fn draw(canvas: &mut Canvas, name: &str, report: &Report, collected: &Collected) {
    head(canvas, name, report);
    for panel in [WAVE, SPEECH_BAR, LOUDNESS] {
        canvas.fill(LEFT..RIGHT, panel, PANEL, 1.0);
    }
    spectrogram(canvas, collected);
    time_grid(canvas, report.duration_ms);
    speech(canvas, report);
    wave(canvas, collected);
    loudness(canvas, report, collected);
}

fn head(canvas: &mut Canvas, name: &str, report: &Report) {
    let name: String = name.chars().take(120).collect();
    canvas.title(LEFT, 32, &name, TEXT, Stand::Left);
    let channels = match report.channels {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        many => format!("{many} channels"),
    };
    let loudness = match report.analysis.loudness_lufs {
        Some(lufs) => format!("{lufs:.1} LUFS"),
        None => "silence".to_owned(),
    };
    let peak = 20.0 * report.analysis.peak.max(1e-6).log10();
    let duration = format::duration(i64::try_from(report.duration_ms).unwrap_or(i64::MAX));
    let facts = [
        duration,
        format!("{} in {}", report.codec, report.container),
        format!("{} Hz", report.sample_rate),
        channels,
        format!("{:.1} kbit/s", report.bitrate as f64 / 1_000.0),
        loudness,
        format!("peak {peak:.1} dBTP"),
    ];
    canvas.label(LEFT, 60, &facts.join("   "), MUTED, Stand::Left);
    if report.truncated {
        canvas.label(RIGHT, 32, "damaged", CLIPPED, Stand::Right);
    }
}

fn heading(canvas: &mut Canvas, panel: &Range<usize>, text: &str) {
    canvas.label(LEFT, panel.start - 13, text, MUTED, Stand::Left);
}

fn time_grid(canvas: &mut Canvas, duration_ms: u64) {
    for (share, text) in axis::times(duration_ms) {
        let x = LEFT + (share * (COLUMNS - 1) as f64) as usize;
        for panel in [WAVE, LOUDNESS] {
            canvas.fill(x..x + 1, panel, GRID, 1.0);
        }
        canvas.fill(x..x + 1, SPECTROGRAM, TEXT, 0.10);
        canvas.fill(x..x + 1, LOUDNESS.end..LOUDNESS.end + 5, MUTED, 1.0);
        // The last one must not run into the margin.
        if x + 30 < WIDTH {
            canvas.label(x, TIMES, &text, MUTED, Stand::Centre);
        }
    }
    canvas.label(LEFT + COLUMNS / 2, TIMES + 24, "time", MUTED, Stand::Centre);
}

fn speech(canvas: &mut Canvas, report: &Report) {
    canvas.label(LEFT - 10, SPEECH_BAR.start + 9, "speech", MUTED, Stand::Right);
    let duration = report.duration_ms.max(1);
    let column = |ms: u64| LEFT + (ms.min(duration) * COLUMNS as u64 / duration) as usize;
    for [from, to] in &report.analysis.speech {
        let xs = column(*from)..column(*to).max(column(*from) + 1);
        canvas.fill(xs.clone(), SPEECH_BAR, SPEECH, 1.0);
        canvas.fill(xs, WAVE, SPEECH, 0.07);
    }
    let spoken: u64 = report.analysis.speech.iter().map(|[from, to]| to - from).sum();
    let share = format!("{} %", 100 * spoken / duration);
    canvas.label(RIGHT + 10, SPEECH_BAR.start + 9, &share, SPEECH, Stand::Left);
}

fn wave(canvas: &mut Canvas, collected: &Collected) {
    heading(canvas, &WAVE, "waveform, dBFS: peaks, and RMS within");
    let waves = collected.wave.iter().flatten();
    let peak = waves.fold(0.0_f32, |peak, wave| peak.max(-wave.min).max(wave.max));
    // The axis ends at the first step of 6 dB that holds everything.
    let mut top_db = 0;
    while top_db > -54 && peak <= 0.99 * amplitude(top_db - 6) {
        top_db -= 6;
    }
    let top = amplitude(top_db);
    let (middle, half) = ((WAVE.start + WAVE.end) / 2, (WAVE.len() / 2 - 2) as f32);
    let height = |x: f32| (middle as f32 - x / top * half).round() as usize;
    for db in [top_db, top_db - 6, top_db - 12] {
        for sign in [1.0, -1.0] {
            let y = height(sign * amplitude(db));
            canvas.line(LEFT..RIGHT, y, GRID, 2);
            canvas.label(LEFT - 10, y, &db.to_string(), MUTED, Stand::Right);
        }
    }
    canvas.line(LEFT..RIGHT, middle, GRID, 0);
    canvas.label(LEFT - 10, middle, "-inf", MUTED, Stand::Right);
    let mut last = None;
    for (column, wave) in collected.wave.iter().enumerate() {
        // Where there are fewer samples than columns the last one is held.
        let Some(wave) = wave.or(last) else { continue };
        last = Some(wave);
        let x = LEFT + column;
        let clipped = wave.max > 0.999 || wave.min < -0.999;
        let colour = if clipped { CLIPPED } else { PEAKS };
        canvas.fill(x..x + 1, height(wave.max)..height(wave.min) + 1, colour, 1.0);
        let rms = (wave.energy / f64::from(wave.count.max(1))).sqrt() as f32;
        canvas.fill(x..x + 1, height(rms)..height(-rms) + 1, LEVEL, 0.85);
    }
}

fn amplitude(db: i32) -> f32 {
    10.0_f32.powf(db as f32 / 20.0)
}

fn spectrogram(canvas: &mut Canvas, collected: &Collected) {
    heading(canvas, &SPECTROGRAM, "spectrogram, Hz on the mel scale");
    let cells = collected.spectrogram.iter().flatten();
    let loudest = cells.fold(SILENCE_DB, |max, db| max.max(*db));
    let top = (loudest / 10.0).ceil().max(-8.0) * 10.0;
    let mut last = [SILENCE_DB; ROWS];
    for (column, cells) in collected.spectrogram.iter().enumerate() {
        if cells.iter().any(|db| *db > SILENCE_DB) {
            last = *cells;
        }
        for (row, db) in last.iter().enumerate() {
            let share = (db - top + SPECTROGRAM_DB) / SPECTROGRAM_DB;
            let y = SPECTROGRAM.end - 1 - row;
            canvas.dot(LEFT + column, y, heat(share), 1.0);
        }
    }
    let (low, high) = (axis::mel(60.0), axis::mel(collected.highest_hz));
    for (hz, text) in axis::FREQUENCIES {
        let share = (axis::mel(hz) - low) / (high - low);
        if share <= 1.0 {
            let y = SPECTROGRAM.end - 1 - (share * (ROWS - 1) as f64) as usize;
            canvas.fill(LEFT - 5..LEFT, y..y + 1, MUTED, 1.0);
            canvas.line(LEFT..RIGHT, y, [0x50, 0x50, 0x60], 1);
            canvas.label(LEFT - 10, y, text, MUTED, Stand::Right);
        }
    }
    scale(canvas, top);
}

/// What the colours mean.
fn scale(canvas: &mut Canvas, top: f32) {
    let xs = RIGHT + 14..RIGHT + 30;
    for y in SPECTROGRAM {
        let share = (SPECTROGRAM.end - y) as f32 / ROWS as f32;
        canvas.fill(xs.clone(), y..y + 1, heat(share), 1.0);
    }
    for step in 0..=7 {
        let y = SPECTROGRAM.start + step * (ROWS - 1) / 7;
        // Zero, and not its negative.
        let db = top - 10.0 * step as f32 + 0.0;
        canvas.fill(xs.end..xs.end + 4, y..y + 1, MUTED, 1.0);
        canvas.label(xs.end + 8, y, &format!("{db:.0}"), MUTED, Stand::Left);
    }
    canvas.label(xs.start, SPECTROGRAM.start - 13, "dBFS", MUTED, Stand::Left);
}

fn loudness(canvas: &mut Canvas, report: &Report, collected: &Collected) {
    heading(canvas, &LOUDNESS, "loudness, LUFS (EBU R 128)");
    legend(canvas);
    let height = |lufs: f32| {
        let share = (LUFS.end as f32 - lufs) / LUFS.len() as f32;
        LOUDNESS.start + (share.clamp(0.0, 1.0) * (LOUDNESS.len() - 1) as f32) as usize
    };
    for lufs in LUFS.step_by(10).chain([LUFS.end]) {
        let y = height(lufs as f32);
        canvas.line(LEFT..RIGHT, y, GRID, 2);
        canvas.label(LEFT - 10, y, &lufs.to_string(), MUTED, Stand::Right);
    }
    curve(
        canvas,
        collected,
        |(_, momentary, _)| height(*momentary),
        MOMENTARY,
        2,
    );
    curve(
        canvas,
        collected,
        |(_, _, short_term)| height(*short_term),
        SHORT_TERM,
        3,
    );
    canvas.line(LEFT..RIGHT, height(TARGET_LUFS), SPEECH, 6);
    canvas.label(RIGHT + 10, height(TARGET_LUFS), "-16 target", SPEECH, Stand::Left);
    if let Some(lufs) = report.analysis.loudness_lufs {
        canvas.line(LEFT..RIGHT, height(lufs), INTEGRATED, 0);
        // Not over the target's.
        let y = height(lufs);
        let near = y.abs_diff(height(TARGET_LUFS)) < 16;
        let y = if near && lufs < TARGET_LUFS {
            height(TARGET_LUFS) + 16
        } else {
            y
        };
        let y = if near && lufs >= TARGET_LUFS {
            height(TARGET_LUFS) - 16
        } else {
            y
        };
        canvas.label(RIGHT + 10, y, &format!("{lufs:.1}"), INTEGRATED, Stand::Left);
    }
}

fn legend(canvas: &mut Canvas) {
    let mut x = RIGHT;
    let entries: [(&str, Colour); 3] = [
        ("integrated", INTEGRATED),
        ("short-term, 3 s", SHORT_TERM),
        ("momentary, 400 ms", MOMENTARY),
    ];
    for (text, colour) in entries {
        let y = LOUDNESS.start - 13;
        canvas.label(x, y, text, MUTED, Stand::Right);
        x -= 9 * text.len() + 32;
        canvas.fill(x..x + 24, y - 1..y + 2, colour, 1.0);
        x -= 24;
    }
}

fn curve(
    canvas: &mut Canvas,
    collected: &Collected,
    height: impl Fn(&(f64, f32, f32)) -> usize,
    colour: Colour,
    thick: usize,
) {
    let mut before: Option<(usize, usize)> = None;
    for point in &collected.loudness {
        let column = (point.0 * COLUMNS as f64) as usize;
        let (x, y) = (LEFT + column.min(COLUMNS - 1), height(point));
        let (from_x, from_y) = before.unwrap_or((x, y));
        for at in from_x..=x {
            let share = (at - from_x) as f64 / (x - from_x).max(1) as f64;
            let middle = from_y as f64 + (y as f64 - from_y as f64) * share;
            // Steep parts are filled down to where the next column begins.
            let slope = (y as f64 - from_y as f64) / (x - from_x).max(1) as f64;
            let (low, high) = (middle.min(middle + slope), middle.max(middle + slope));
            let ys = low as usize..(high as usize).max(low as usize + thick);
            canvas.fill(
                at..at + 1,
                ys.start.max(LOUDNESS.start)..ys.end.min(LOUDNESS.end),
                colour,
                1.0,
            );
        }
        before = Some((x, y));
    }
}
