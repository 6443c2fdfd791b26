//! Where the marks of an axis are, and what they say.

/// Marks of the time axis: (share of the whole, text), at most a dozen, at round times.
pub(super) fn times(duration_ms: u64) -> Vec<(f64, String)> {
    const STEPS_MS: [u64; 18] = [
        50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
        1_800_000, 3_600_000, 7_200_000, 14_400_000,
    ];
    let step = STEPS_MS
        .into_iter()
        .find(|step| duration_ms / step <= 12)
        .unwrap_or(duration_ms / 10 + 1);
    (0..=duration_ms / step)
        .map(|i| {
            let at = i * step;
            (at as f64 / duration_ms.max(1) as f64, clock(at, step))
        })
        .collect()
}

fn clock(ms: u64, step: u64) -> String {
    let (minutes, seconds) = (ms / 60_000, ms / 1_000 % 60);
    match step {
        ..100 => format!("{:.2} s", ms as f64 / 1_000.0),
        100..1_000 => format!("{:.1} s", ms as f64 / 1_000.0),
        _ if minutes >= 60 => format!("{}:{:02}:{seconds:02}", minutes / 60, minutes % 60),
        _ => format!("{minutes}:{seconds:02}"),
    }
}

/// Marks of the frequency axis in Hz.
pub(super) const FREQUENCIES: [(f64, &str); 9] = [
    (125.0, "125"),
    (250.0, "250"),
    (500.0, "500"),
    (1_000.0, "1k"),
    (2_000.0, "2k"),
    (4_000.0, "4k"),
    (8_000.0, "8k"),
    (12_000.0, "12k"),
    (16_000.0, "16k"),
];

/// The mel scale (O'Shaughnessy): as the ear spaces pitches.
pub(super) fn mel(hz: f64) -> f64 {
    2_595.0 * (1.0 + hz / 700.0).log10()
}

pub(super) fn hz(mel: f64) -> f64 {
    700.0 * (10.0_f64.powf(mel / 2_595.0) - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_round_and_few_for_every_duration() {
        for ms in [0, 1, 40, 700, 4_206, 59_999, 600_000, 7_200_000, u64::MAX / 2] {
            let marks = times(ms);
            assert!((1..=13).contains(&marks.len()), "{ms}: {}", marks.len());
            assert!(marks.iter().all(|(share, _)| (0.0..=1.0).contains(share)), "{ms}");
        }
        let texts = |ms| -> Vec<String> { times(ms).into_iter().map(|(_, text)| text).collect() };
        assert_eq!(texts(4_206)[..3], ["0.0 s", "0.5 s", "1.0 s"]);
        assert_eq!(texts(90_000)[1..3], ["0:10", "0:20"]);
        assert_eq!(texts(7_200_000)[6..8], ["1:00:00", "1:10:00"]);
    }

    #[test]
    fn mel_and_hz_are_each_others_inverse() {
        for f in [0.0, 125.0, 1_000.0, 20_000.0] {
            assert!((hz(mel(f)) - f).abs() < 1e-6);
        }
        assert!((mel(1_000.0) - 1_000.0).abs() < 0.1);
    }
}
