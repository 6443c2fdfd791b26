/// Samples at 48 kHz in a bin: 5 ms.
pub(super) const BIN: i64 = 240;
/// Bins: 5.12 s, longer than any delay that is worth waiting for.
const BINS: usize = 1024;
/// Weights below this are as good as forgotten.
const USED: f32 = 5e-4;

/// A weighted distribution of transit times that forgets. Each value that is added takes a share from all older ones,
/// so the sum of the weights approaches one.
///
/// Transit times (arrival minus timestamp) have an arbitrary zero: the range of the bins moves with the values.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    weights: Box<[f32; BINS]>,
    /// Lower edge of the first bin.
    origin: i64,
    /// Weight of values that never came.
    never: f32,
    /// Share of the old that stays.
    forget: f32,
    added: u32,
}

impl Histogram {
    pub(super) fn new(forget: f32) -> Self {
        Self {
            weights: Box::new([0.0; BINS]),
            origin: 0,
            never: 0.0,
            forget,
            added: 0,
        }
    }

    /// Adds one value; `None` stands for a packet that was lost.
    pub(super) fn add(&mut self, value: Option<i64>) {
        // Early on all values count alike, so that the first one does not stand for everything.
        self.added = self.added.saturating_add(1);
        let share = (1.0 / self.added as f32).max(1.0 - self.forget);
        let keep = 1.0 - share;
        self.weights.iter_mut().for_each(|w| *w *= keep);
        self.never *= keep;
        match value {
            None => self.never += share,
            Some(value) => {
                let bin = self.bin_of(value);
                self.weights[bin] += share;
            }
        }
    }

    /// The lowest value that still counts: the fastest way through the network.
    pub(super) fn lowest(&self) -> Option<i64> {
        self.span().map(|(lowest, _)| lowest)
    }

    /// Edges of bins from the lowest to past the highest that are in use.
    pub(super) fn span(&self) -> Option<(i64, i64)> {
        let first = self.weights.iter().position(|&w| w > USED)?;
        let last = self.weights.iter().rposition(|&w| w > USED)?;
        Some((
            self.origin + first as i64 * BIN,
            self.origin + (last as i64 + 1) * BIN,
        ))
    }

    /// The tail, to be asked for rising edges.
    pub(super) fn tail(&self) -> Tail<'_> {
        Tail {
            histogram: self,
            bin: 0,
            above: self.never + self.weights.iter().sum::<f32>(),
        }
    }

    fn bin_of(&mut self, value: i64) -> usize {
        if self.added == 1 {
            self.origin = (value.div_euclid(BIN) - BINS as i64 / 4) * BIN;
        }
        let bin = (value - self.origin).div_euclid(BIN);
        if (0..BINS as i64).contains(&bin) {
            return bin as usize;
        }
        let middle = BINS as i64 / 4;
        self.shift(bin - middle);
        middle as usize
    }

    /// Moves the range up by `bins`; what falls off either end counts as the end.
    fn shift(&mut self, bins: i64) {
        let mut moved = [0.0; BINS];
        for (i, &weight) in self.weights.iter().enumerate() {
            let to = (i as i64).saturating_sub(bins).clamp(0, BINS as i64 - 1);
            moved[to as usize] += weight;
        }
        *self.weights = moved;
        self.origin += bins * BIN;
    }
}

/// Walks up a [`Histogram`].
pub(super) struct Tail<'a> {
    histogram: &'a Histogram,
    bin: usize,
    above: f32,
}

impl Tail<'_> {
    /// Share of the values above `edge`, those that never came included. Edges must not fall from call to call.
    pub(super) fn above(&mut self, edge: i64) -> f32 {
        let below = (edge - self.histogram.origin)
            .div_euclid(BIN)
            .clamp(0, BINS as i64) as usize;
        while self.bin < below {
            self.above -= self.histogram.weights[self.bin];
            self.bin += 1;
        }
        self.above.max(self.histogram.never)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_falls_from_one_to_the_share_that_never_came() {
        let mut histogram = Histogram::new(0.99);
        for i in 0..100 {
            histogram.add((i % 10 != 0).then_some(i % 10 * 480));
        }
        let mut tail = histogram.tail();
        let shares: Vec<_> = (-2..30).map(|i| tail.above(i * BIN)).collect();
        assert!(shares.windows(2).all(|pair| pair[0] >= pair[1]));
        assert!((shares[0] - 1.0).abs() < 1e-3);
        let end = *shares.last().expect("values");
        assert!(
            (end - histogram.never).abs() < 1e-3 && (0.05..0.15).contains(&end),
            "{end}"
        );
    }

    #[test]
    fn values_far_out_move_the_range_and_are_found_again() {
        let mut histogram = Histogram::new(0.99);
        for value in [0, 1 << 40, -(1 << 40), 960] {
            histogram.add(Some(value));
            let mut tail = histogram.tail();
            let step = tail.above(value - BIN) - tail.above(value + BIN);
            assert!(step > 0.01, "{value}: {step}");
        }
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let mut histogram = Histogram::new(0.98);
        histogram.add(Some(48_000));
        (0..600).for_each(|_| histogram.add(Some(0)));
        assert_eq!(histogram.span(), Some((0, BIN)));
    }
}
