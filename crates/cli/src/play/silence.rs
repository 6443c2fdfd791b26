//! Where nobody speaks, and how much of that is left out.

/// What is kept of a silence before somebody speaks and after: less would cut words.
const BEFORE: u64 = 48 * 150;
const AFTER: u64 = 48 * 200;

/// Less than this is not worth a jump.
const LEAST: u64 = 48 * 300;

/// The stretches of a message to leave out, in samples at 48 kHz, ascending.
#[derive(Clone, Debug, Default)]
pub(super) struct Silences(Vec<(u64, u64)>);

impl Silences {
    /// From the speech map of a message (ms). A message in which nobody is known to speak is played as it is.
    pub(super) fn new(speech: &[[i64; 2]], length: u64) -> Self {
        let samples = |ms: i64| (ms.max(0).unsigned_abs()).saturating_mul(48).min(length);
        let mut silences = Vec::new();
        let mut spoken_until: Option<u64> = None;
        for &[from, to] in speech {
            let (from, to) = (samples(from), samples(to));
            let begin = spoken_until.map_or(0, |end| end.saturating_add(AFTER));
            silences.push((begin, from.saturating_sub(BEFORE)));
            spoken_until = spoken_until.max(Some(to));
        }
        if let Some(end) = spoken_until {
            silences.push((end.saturating_add(AFTER), length));
        }
        silences.retain(|(from, to)| from.saturating_add(LEAST) <= *to);
        Self(silences)
    }

    /// The first silence that ends behind `position`.
    pub(super) fn next(&self, position: u64) -> Option<(u64, u64)> {
        self.0.iter().copied().find(|(_, to)| *to > position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_get_shorter_and_words_stay_whole() {
        let length = 48 * 10_000;
        let silences = Silences::new(&[[1_000, 2_000], [2_400, 3_000], [6_000, 7_000]], length);
        let ms: Vec<_> = silences.0.iter().map(|(a, b)| (a / 48, b / 48)).collect();
        assert_eq!(ms, [(0, 850), (3_200, 5_850), (7_200, 10_000)]);
        assert_eq!(silences.next(0), Some((0, 48 * 850)));
        assert_eq!(silences.next(48 * 4_000), Some((48 * 3_200, 48 * 5_850)));
        assert_eq!(silences.next(length), None);
    }

    #[test]
    fn odd_maps_do_no_harm() {
        for speech in [
            &[][..],
            &[[i64::MIN, i64::MAX]],
            &[[5_000, 1_000], [-7, -3], [i64::MAX, i64::MAX]],
        ] {
            for (from, to) in Silences::new(speech, 48_000).0 {
                assert!(from < to && to <= 48_000);
            }
        }
        assert!(Silences::new(&[], 48_000).0.is_empty());
    }
}
