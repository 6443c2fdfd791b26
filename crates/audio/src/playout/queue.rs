/// What was heard stays for comparison: 40 ms.
pub(super) const HISTORY: usize = 1_920;
/// Room for sound that was not heard: more than the longest packet stretched on top of a tick.
const PENDING: usize = 4 * 5_760;

/// Decoded samples in order: some that were heard, then those that were not. Never grows beyond its first size.
#[derive(Debug)]
pub(super) struct Queue {
    samples: Vec<f32>,
    /// First sample that was not heard.
    head: usize,
}

impl Queue {
    pub(super) fn new() -> Self {
        let mut samples = Vec::with_capacity(2 * HISTORY + 2 * PENDING);
        samples.resize(HISTORY, 0.0);
        Self {
            samples,
            head: HISTORY,
        }
    }

    /// Samples that were not heard.
    pub(super) fn pending(&self) -> usize {
        self.samples.len() - self.head
    }

    /// All there is: at least [`HISTORY`] samples that were heard, then those that were not.
    pub(super) fn all(&self) -> &[f32] {
        &self.samples
    }

    /// All there is, to be changed near its end.
    pub(super) fn all_mut(&mut self) -> &mut [f32] {
        &mut self.samples
    }

    /// Makes room for `len` samples at the end and gives it; too much sound loses its oldest.
    pub(super) fn grow(&mut self, len: usize) -> &mut [f32] {
        let len = len.min(PENDING);
        let excess = (self.pending() + len).saturating_sub(PENDING);
        self.head += excess;
        if self.samples.len() + len > self.samples.capacity() {
            let from = self.head - HISTORY;
            self.samples.copy_within(from.., 0);
            self.samples.truncate(self.samples.len() - from);
            self.head = HISTORY;
        }
        let start = self.samples.len();
        self.samples.resize(start + len, 0.0);
        &mut self.samples[start..]
    }

    /// Drops the last `len` samples that were not heard.
    pub(super) fn shrink(&mut self, len: usize) {
        let len = len.min(self.pending());
        self.samples.truncate(self.samples.len() - len);
    }

    /// The samples that were not heard.
    pub(super) fn pending_mut(&mut self) -> &mut [f32] {
        &mut self.samples[self.head..]
    }

    /// Moves up to `out.len()` samples out; gives how many.
    pub(super) fn pull(&mut self, out: &mut [f32]) -> usize {
        let len = out.len().min(self.pending());
        out[..len].copy_from_slice(&self.samples[self.head..self.head + len]);
        self.head += len;
        len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_out_in_order_and_the_memory_stays_the_same() {
        let mut queue = Queue::new();
        let (mut written, mut read) = (0, 0);
        let capacity = queue.samples.capacity();
        for round in 0..2_000 {
            let len = 120 + round * 7 % 2_880;
            for sample in queue.grow(len) {
                *sample = written as f32;
                written += 1;
            }
            let mut out = vec![0.0; len];
            assert_eq!(queue.pull(&mut out), len);
            for sample in out {
                assert_eq!(sample, read as f32);
                read += 1;
            }
            assert!(queue.head >= HISTORY);
        }
        assert_eq!(queue.samples.capacity(), capacity);
    }

    #[test]
    fn too_much_sound_loses_its_oldest() {
        let mut queue = Queue::new();
        for i in 0..100 {
            queue.grow(5_760).fill(i as f32);
        }
        assert_eq!(queue.pending(), PENDING);
        assert_eq!(queue.all().last(), Some(&99.0));
    }
}
