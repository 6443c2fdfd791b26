//! Latencies and their percentiles.

use std::time::Duration;

use serde::Serialize;

/// Measured times; 4 bytes each, so that millions fit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies(Vec<u32>);

/// What there is to say about them, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) count: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Latencies {
    /// Up to 71 minutes, with microseconds.
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Percentiles by nearest rank; all zero when nothing was measured.
    pub(crate) fn summary(&self) -> Summary {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = |quantile: f64| {
            let rank = (quantile * sorted.len() as f64).ceil() as usize;
            sorted
                .get(rank.max(1) - 1)
                .map_or(0.0, |&micros| f64::from(micros) / 1000.0)
        };
        Summary {
            count: sorted.len(),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            max_ms: at(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_nearest_rank() {
        let mut latencies = Latencies::default();
        (1..=100)
            .rev()
            .for_each(|ms| latencies.add(Duration::from_millis(ms)));
        let expected = Summary {
            count: 100,
            p50_ms: 50.0,
            p90_ms: 90.0,
            p99_ms: 99.0,
            max_ms: 100.0,
        };
        assert_eq!(latencies.summary(), expected);
    }

    #[test]
    fn a_single_value_is_every_percentile_and_nothing_is_zero() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.summary().max_ms, 0.0);
        latencies.add(Duration::from_micros(1500));
        let summary = latencies.summary();
        assert_eq!((summary.p50_ms, summary.p99_ms), (1.5, 1.5));
    }
}
