//! The set of intervals that were heard.

use serde::{Deserialize, Serialize};

/// Gaps shorter than this are closed: nobody skips a quarter of a second on purpose, players report that roughly.
pub const GAP_MS: i64 = 250;

/// More intervals are not kept: the shortest gaps are closed until they fit.
pub const MAX_INTERVALS: usize = 256;

/// Intervals `[from, to)` in ms: ascending, none empty, at least [`GAP_MS`] apart, at most [`MAX_INTERVALS`].
///
/// [`merge`](Self::merge) is union: in any order, however often, the same comes out (beyond [`MAX_INTERVALS`], where gaps have
/// to be closed, the order may decide which ones). What was heard once stays heard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<[i64; 2]>", into = "Vec<[i64; 2]>")]
pub struct Heard(Vec<[i64; 2]>);

impl Heard {
    /// The union of intervals in any order; empty and inverted ones count for nothing.
    pub fn new(intervals: impl IntoIterator<Item = [i64; 2]>) -> Self {
        let mut sorted: Vec<[i64; 2]> = intervals.into_iter().filter(|[from, to]| from < to).collect();
        sorted.sort_unstable();
        let mut union: Vec<[i64; 2]> = Vec::with_capacity(sorted.len().min(MAX_INTERVALS));
        for [from, to] in sorted {
            match union.last_mut() {
                Some(last) if from.saturating_sub(last[1]) < GAP_MS => last[1] = last[1].max(to),
                _ => union.push([from, to]),
            }
        }
        close_shortest(&mut union);
        Self(union)
    }

    /// Both together.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        Self::new(self.0.iter().chain(&other.0).copied())
    }

    /// What of it lies between 0 and `duration_ms`.
    #[must_use]
    pub fn clamp(&self, duration_ms: i64) -> Self {
        let cut = |at: i64| at.clamp(0, duration_ms.max(0));
        Self::new(self.0.iter().map(|&[from, to]| [cut(from), cut(to)]))
    }

    /// Adds one interval.
    pub fn add(&mut self, from_ms: i64, to_ms: i64) {
        *self = Self::new(self.0.iter().copied().chain([[from_ms, to_ms]]));
    }

    /// The intervals, ascending.
    pub fn intervals(&self) -> &[[i64; 2]] {
        &self.0
    }

    /// The sum of their lengths.
    pub fn total_ms(&self) -> i64 {
        self.0
            .iter()
            .fold(0, |sum, [from, to]| sum.saturating_add(to.saturating_sub(*from)))
    }

    /// Whether nothing was heard.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<[i64; 2]>> for Heard {
    fn from(intervals: Vec<[i64; 2]>) -> Self {
        Self::new(intervals)
    }
}

impl From<Heard> for Vec<[i64; 2]> {
    fn from(heard: Heard) -> Self {
        heard.0
    }
}

/// Closes the shortest gaps, of equal ones the earliest, until no more than [`MAX_INTERVALS`] are left.
fn close_shortest(union: &mut Vec<[i64; 2]>) {
    let surplus = union.len().saturating_sub(MAX_INTERVALS);
    if surplus == 0 {
        return;
    }
    let mut gaps: Vec<(i64, usize)> = (1..union.len())
        .map(|at| (union[at][0].saturating_sub(union[at - 1][1]), at))
        .collect();
    gaps.sort_unstable();
    let mut closed = vec![false; union.len()];
    for (_, at) in &gaps[..surplus] {
        closed[*at] = true;
    }
    let mut kept: Vec<[i64; 2]> = Vec::with_capacity(MAX_INTERVALS);
    for (at, interval) in union.iter().enumerate() {
        match kept.last_mut() {
            Some(last) if closed[at] => last[1] = interval[1],
            _ => kept.push(*interval),
        }
    }
    *union = kept;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn gaps_of_less_than_a_quarter_of_a_second_are_closed() {
        assert_eq!(Heard::new([[0, 1000], [1249, 2000]]).intervals(), [[0, 2000]]);
        assert_eq!(
            Heard::new([[1250, 2000], [0, 1000]]).intervals(),
            [[0, 1000], [1250, 2000]]
        );
    }

    #[test]
    fn what_is_empty_or_inverted_counts_for_nothing() {
        assert!(Heard::new([[5, 5], [9, 3]]).is_empty());
        // Not even as a stepping stone over a gap.
        let heard = Heard::new([[0, 100], [300, 300], [500, 600]]);
        assert_eq!(heard.intervals(), [[0, 100], [500, 600]]);
    }

    #[test]
    fn of_too_many_intervals_the_shortest_gaps_are_closed_and_nothing_is_lost() {
        let many: Vec<[i64; 2]> = (0..300)
            .map(|n| [n * 1000, n * 1000 + if n % 7 == 0 { 700 } else { 10 }])
            .collect();
        let heard = Heard::new(many.clone());
        assert_eq!(heard.intervals().len(), MAX_INTERVALS);
        for [from, to] in many {
            assert!(heard.intervals().iter().any(|[a, b]| *a <= from && to <= *b));
        }
        // Those of 300 ms were closed, the ones of 990 ms only as far as needed.
        assert!(heard.intervals().iter().any(|[from, to]| to - from == 10));
    }

    #[test]
    fn the_ends_of_the_numbers_do_no_harm() {
        let heard = Heard::new([[i64::MIN, i64::MIN + 1], [i64::MAX - 1, i64::MAX], [0, 1]]);
        assert_eq!(heard.intervals().len(), 3);
        assert_eq!(heard.clamp(10).intervals(), [[0, 1]]);
        assert_eq!(Heard::new([[i64::MIN, i64::MAX]]).total_ms(), i64::MAX);
    }

    fn some() -> impl Strategy<Value = Heard> {
        // At most 3 × 80 intervals come together: within the bound, where the laws hold to the letter.
        prop::collection::vec((0i64..120_000, 0i64..3_000), 0..80)
            .prop_map(|list| Heard::new(list.into_iter().map(|(from, length)| [from, from + length])))
    }

    fn many() -> impl Strategy<Value = Heard> {
        prop::collection::vec((0i64..3_600_000, 0i64..3_000), 200..600)
            .prop_map(|list| Heard::new(list.into_iter().map(|(from, length)| [from, from + length])))
    }

    fn covers(whole: &Heard, part: &Heard) -> bool {
        part.intervals()
            .iter()
            .all(|[from, to]| whole.intervals().iter().any(|[a, b]| a <= from && to <= b))
    }

    fn well_formed(heard: &Heard) -> bool {
        let list = heard.intervals();
        list.len() <= MAX_INTERVALS
            && list.iter().all(|[from, to]| from < to)
            && list.windows(2).all(|pair| pair[1][0] - pair[0][1] >= GAP_MS)
    }

    proptest! {
        #[test]
        fn merging_is_commutative(a in some(), b in some()) {
            prop_assert_eq!(a.merge(&b), b.merge(&a));
        }

        #[test]
        fn merging_is_associative(a in some(), b in some(), c in some()) {
            prop_assert_eq!(a.merge(&b).merge(&c), a.merge(&b.merge(&c)));
        }

        #[test]
        fn merging_is_idempotent(a in many(), b in many()) {
            let once = a.merge(&b);
            prop_assert_eq!(&a.merge(&a), &a);
            prop_assert_eq!(&once.merge(&b), &once);
            prop_assert_eq!(once.merge(&a), once);
        }

        #[test]
        fn nothing_heard_is_ever_lost_and_the_form_is_kept(a in many(), b in many()) {
            let both = a.merge(&b);
            prop_assert!(covers(&both, &a) && covers(&both, &b) && well_formed(&both));
            prop_assert_eq!(both, b.merge(&a));
        }

        #[test]
        fn what_is_clamped_lies_within(a in many(), duration in 0i64..4_000_000) {
            let cut = a.clamp(duration);
            prop_assert!(well_formed(&cut) && cut.total_ms() <= duration);
            prop_assert!(cut.intervals().iter().all(|[from, to]| *from >= 0 && *to <= duration));
        }

        #[test]
        fn it_travels_unchanged(a in many()) {
            let text = serde_json::to_string(&a).unwrap();
            prop_assert_eq!(serde_json::from_str::<Heard>(&text).unwrap(), a);
        }
    }
}
