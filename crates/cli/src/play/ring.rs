//! Samples from the thread that decodes to whoever takes them: a lock-free ring, and some numbers beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rtrb::{Consumer, Producer, RingBuffer};

/// The end that decodes.
pub(super) struct Ring {
    producer: Producer<f32>,
    shared: Arc<Shared>,
    /// The last emptying that was asked for.
    emptying: u64,
}

/// The end that plays: nothing here waits, allocates or locks.
pub(crate) struct Outlet {
    consumer: Consumer<f32>,
    shared: Arc<Shared>,
    emptied: u64,
}

#[derive(Default)]
struct Shared {
    paused: AtomicBool,
    /// No more will come: an empty ring is the end and not an underrun.
    finished: AtomicBool,
    /// Counts up with each wish to have the ring emptied, and follows it.
    emptying: AtomicU64,
    emptied: AtomicU64,
    /// Samples that were taken to be played.
    taken: AtomicU64,
    /// Of these, how many have not left the loudspeaker yet.
    latency: AtomicU64,
    underruns: AtomicU64,
}

/// A ring for so many samples.
pub(super) fn ring(samples: usize) -> (Ring, Outlet) {
    let (producer, consumer) = RingBuffer::new(samples);
    let shared = Arc::new(Shared::default());
    let outlet = Outlet {
        consumer,
        shared: Arc::clone(&shared),
        emptied: 0,
    };
    let ring = Ring {
        producer,
        shared,
        emptying: 0,
    };
    (ring, outlet)
}

impl Ring {
    /// How many samples there is room for.
    pub(super) fn room(&self) -> usize {
        self.producer.slots()
    }

    /// Whether all was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.producer.slots() == self.producer.buffer().capacity()
    }

    /// Puts in what there is room for, which the caller has seen to be enough.
    pub(super) fn push(&mut self, samples: &[f32]) {
        let (_, left) = self.producer.push_partial_slice(samples);
        debug_assert!(left.is_empty());
    }

    /// Asks for all to be thrown away that was not taken. Until [`is_emptied`](Self::is_emptied) nothing may be put in.
    pub(super) fn empty(&mut self) {
        self.emptying += 1;
        self.shared.emptying.store(self.emptying, Ordering::Release);
    }

    pub(super) fn is_emptied(&self) -> bool {
        self.shared.emptied.load(Ordering::Acquire) == self.emptying
    }

    pub(super) fn pause(&self, paused: bool) {
        self.shared.paused.store(paused, Ordering::Release);
    }

    pub(super) fn finish(&self, finished: bool) {
        self.shared.finished.store(finished, Ordering::Release);
    }

    pub(super) fn taken(&self) -> u64 {
        self.shared.taken.load(Ordering::Acquire)
    }

    /// Samples that were taken and are not heard yet.
    pub(super) fn latency(&self) -> u64 {
        self.shared.latency.load(Ordering::Acquire)
    }

    /// How often there was nothing to play.
    pub(super) fn underruns(&self) -> u64 {
        self.shared.underruns.load(Ordering::Acquire)
    }
}

impl Outlet {
    /// Fills `out` with what is to be heard next; gives how many samples. Fewer when it is paused, ended, or (which is counted)
    /// the other end is late.
    pub(super) fn take(&mut self, out: &mut [f32]) -> usize {
        let emptying = self.shared.emptying.load(Ordering::Acquire);
        if emptying != self.emptied {
            if let Ok(chunk) = self.consumer.read_chunk(self.consumer.slots()) {
                chunk.commit_all();
            }
            self.emptied = emptying;
            self.shared.emptied.store(emptying, Ordering::Release);
            return 0;
        }
        if self.shared.paused.load(Ordering::Acquire) {
            return 0;
        }
        // Before the ring is looked at: what was finished then is in it.
        let finished = self.shared.finished.load(Ordering::Acquire);
        let count = self.consumer.pop_partial_slice(out).0.len();
        let taken = self.shared.taken.fetch_add(count as u64, Ordering::AcqRel);
        // Before the first sample nothing can be late.
        if count < out.len() && !finished && taken + count as u64 > 0 {
            self.shared.underruns.fetch_add(1, Ordering::AcqRel);
        }
        count
    }

    /// How many samples lie between taking one and hearing it.
    #[cfg(feature = "sound")]
    pub(super) fn set_latency(&self, samples: u64) {
        self.shared.latency.store(samples, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_out_in_order_and_what_is_late_is_counted() {
        let (mut ring, mut outlet) = ring(8);
        let mut out = [0.0; 4];
        assert_eq!((outlet.take(&mut out), ring.underruns()), (0, 0));
        ring.push(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!((outlet.take(&mut out), out), (4, [1.0, 2.0, 3.0, 4.0]));
        assert_eq!((outlet.take(&mut out), ring.underruns()), (1, 1));
        ring.finish(true);
        assert_eq!((outlet.take(&mut out), ring.underruns()), (0, 1));
        assert_eq!(ring.taken(), 5);
        assert!(ring.is_empty());
    }

    #[test]
    fn a_pause_takes_nothing_and_an_emptied_ring_counts_nothing() {
        let (mut ring, mut outlet) = ring(8);
        let mut out = [0.0; 4];
        ring.push(&[1.0; 6]);
        ring.pause(true);
        assert_eq!((outlet.take(&mut out), ring.taken()), (0, 0));
        ring.empty();
        assert!(!ring.is_emptied());
        outlet.take(&mut out);
        assert!(ring.is_emptied() && ring.is_empty());
        ring.pause(false);
        ring.push(&[7.0]);
        assert_eq!((outlet.take(&mut out), out[0], ring.taken()), (1, 7.0, 1));
    }
}
