//! Sets of sequence numbers, kept as runs: what has come and what is durable.

use std::ops::Range;

/// A set of extended sequence numbers as disjoint runs in order, with room between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runs(Vec<Range<u32>>);

impl Runs {
    /// How many runs there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The runs in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        self.0.iter().cloned()
    }

    /// How many numbers are in it.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|run| u64::from(run.end - run.start)).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `n` is in it.
    pub fn contains(&self, n: u32) -> bool {
        let after = self.0.partition_point(|run| run.end <= n);
        self.0.get(after).is_some_and(|run| run.start <= n)
    }

    /// The first number from `from` on that is not in it.
    pub fn first_absent(&self, from: u32) -> u32 {
        let after = self.0.partition_point(|run| run.end <= from);
        match self.0.get(after) {
            Some(run) if run.start <= from => run.end,
            _ => from,
        }
    }

    /// One more than the highest number; `None` when there is none.
    pub fn end(&self) -> Option<u32> {
        self.0.last().map(|run| run.end)
    }

    /// Whether adding `n` would make one run more.
    pub fn would_split(&self, n: u32) -> bool {
        let after = self.0.partition_point(|run| run.end < n);
        self.0
            .get(after)
            .is_none_or(|run| run.start > n.saturating_add(1))
    }

    /// Adds a run; what overlaps or touches becomes one.
    pub fn add(&mut self, run: Range<u32>) {
        if run.is_empty() {
            return;
        }
        // The common case: it goes on where the last one ended.
        if let Some(last) = self.0.last_mut()
            && last.end == run.start
        {
            last.end = run.end;
            return;
        }
        let begin = self.0.partition_point(|other| other.end < run.start);
        let end = self.0.partition_point(|other| other.start <= run.end);
        let merged = self.0[begin..end].iter().fold(run, |sum, other| {
            sum.start.min(other.start)..sum.end.max(other.end)
        });
        self.0.splice(begin..end, [merged]);
    }
}

impl Extend<Range<u32>> for Runs {
    fn extend<T: IntoIterator<Item = Range<u32>>>(&mut self, runs: T) {
        runs.into_iter().for_each(|run| self.add(run));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_are_the_set_that_they_stand_for(added in prop::collection::vec((0u32..200, 0u32..20), 0..60)) {
            let (mut runs, mut set) = (Runs::default(), BTreeSet::new());
            for (start, length) in added {
                if length == 1 {
                    let split = runs.would_split(start);
                    let before = runs.count();
                    let mut more = runs.clone();
                    more.add(start..start + 1);
                    prop_assert_eq!(split, more.count() > before);
                }
                runs.add(start..start + length);
                set.extend(start..start + length);
            }
            prop_assert_eq!(runs.len(), set.len() as u64);
            prop_assert_eq!(runs.end(), set.last().map(|n| n + 1));
            for n in 0..230 {
                prop_assert_eq!(runs.contains(n), set.contains(&n));
                prop_assert_eq!(runs.first_absent(n), (n..).find(|n| !set.contains(n)).unwrap());
            }
            let list: Vec<_> = runs.iter().collect();
            prop_assert!(list.windows(2).all(|pair| pair[0].end < pair[1].start));
        }
    }
}
