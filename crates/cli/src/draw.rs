//! Sound as block characters.

/// The loudest value of a waveform.
const FULL: f32 = 1024.0;
/// Eighths of a cell, from an empty one to a full one.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A waveform (0 to 1024) as `height` lines of at most `width` columns, the top line first. Silence is a base line, so that
/// its length can be seen.
pub(crate) fn waveform(levels: &[u16], width: usize, height: usize) -> Vec<String> {
    let columns = fit(levels, width);
    let steps = height * (EIGHTHS.len() - 1);
    let filled: Vec<usize> = columns
        .iter()
        .map(|&level| ((f32::from(level) / FULL * steps as f32).round() as usize).clamp(1, steps.max(1)))
        .collect();
    (0..height)
        .rev()
        .map(|row| {
            let below = row * (EIGHTHS.len() - 1);
            let cell = |&filled: &usize| EIGHTHS[filled.saturating_sub(below).min(EIGHTHS.len() - 1)];
            filled.iter().map(cell).collect()
        })
        .collect()
}

/// As many columns as there is room for, the loudest level of each part; no more than there are levels.
fn fit(levels: &[u16], width: usize) -> Vec<u16> {
    let columns = width.min(levels.len());
    (0..columns)
        .map(|column| {
            let from = column * levels.len() / columns;
            let to = (column + 1) * levels.len() / columns;
            levels[from..to].iter().copied().max().unwrap_or(0)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_rises_from_silence_to_full() {
        let levels: Vec<u16> = (0..=8).map(|n| n * 128).collect();
        assert_eq!(waveform(&levels, 80, 1), ["▁▁▂▃▄▅▆▇█"]);
    }

    #[test]
    fn two_lines_stack() {
        assert_eq!(waveform(&[0, 512, 768, 1024], 80, 2), ["  ▄█", "▁███"]);
    }

    #[test]
    fn a_narrow_terminal_keeps_the_peaks() {
        let mut levels = vec![0; 100];
        levels[37] = 1024;
        let line = &waveform(&levels, 10, 1)[0];
        assert_eq!(line.chars().count(), 10);
        assert_eq!(line.chars().position(|c| c == '█'), Some(3));
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(waveform(&[], 80, 1), [""]);
        assert_eq!(waveform(&[1024], 0, 1), [""]);
        assert!(waveform(&[1024], 80, 0).is_empty());
    }

    #[test]
    fn a_level_beyond_full_is_drawn_as_full() {
        assert_eq!(waveform(&[u16::MAX], 80, 1), ["█"]);
    }
}
