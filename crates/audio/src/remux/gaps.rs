//! Finding real gaps in the timestamps of a container.
//!
//! WebM counts in milliseconds, and a recorder stamps packets with the time at which it got them, late by some jitter;
//! the sum of the packets' durations is exact but knows nothing of what was never sent. A gap shows as a step between
//! the two that stays, where jitter comes back: so a packet is held until a few more are seen, and time is missing
//! before it only if *all* of them lie later than *all* of the last few did. A slow drift of the clocks is no step.

use std::collections::VecDeque;

use crate::Error;

/// Packets on either side of a step that have to agree.
const WINDOW: usize = 8;
/// Fewer than this on a side say little: then the step has to stand out from the jitter by far.
const FEW: usize = 4;
/// The smallest step that is believed, in samples (15 ms): a lost frame of 20 ms is seen, rounding is not.
const SMALLEST: i64 = 15 * 48;
/// The largest that is filled (2 s); what is larger is a mistake or a pause, and is closed up.
const LARGEST: i64 = 2 * 48_000;

/// A packet, and the time that is missing before it.
pub(super) struct Timed<'a> {
    pub(super) data: &'a [u8],
    /// Play time at 48 kHz.
    pub(super) samples: u32,
    /// Samples at 48 kHz to fill before it.
    pub(super) gap: u64,
    /// Whether a damaged packet was dropped there.
    pub(super) lost: bool,
}

struct Held {
    data: Vec<u8>,
    samples: u32,
    /// How much later than the sum of durations its timestamp is; `None` without one.
    offset: Option<i64>,
    lost: bool,
}

/// Holds back a few packets and finds what is missing between them.
pub(super) struct Gaps {
    held: VecDeque<Held>,
    /// Buffers to use again.
    spare: Vec<Vec<u8>>,
    /// Offsets of the packets that were given last.
    before: VecDeque<i64>,
    /// Sum of durations, and of the steps that were taken, up to after the last held packet.
    end: i64,
}

impl Gaps {
    pub(super) fn new() -> Self {
        Gaps {
            held: VecDeque::with_capacity(WINDOW),
            spare: Vec::new(),
            before: VecDeque::with_capacity(WINDOW),
            end: 0,
        }
    }

    /// Takes a valid packet in, and gives those of which enough is known. Without timestamps nothing is held.
    pub(super) fn push(
        &mut self,
        data: &[u8],
        samples: u32,
        at: Option<i64>,
        lost: bool,
        mut emit: impl FnMut(&Timed<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if at.is_none() && self.held.is_empty() {
            self.end += i64::from(samples);
            return emit(&Timed {
                data,
                samples,
                gap: 0,
                lost,
            });
        }
        if self.held.len() == WINDOW {
            self.give(&mut emit)?;
        }
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(data);
        let offset = at.map(|at| at - self.end);
        self.end += i64::from(samples);
        self.held.push_back(Held {
            data: buffer,
            samples,
            offset,
            lost,
        });
        Ok(())
    }

    /// Gives all that is held.
    pub(super) fn drain(
        &mut self,
        mut emit: impl FnMut(&Timed<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        while !self.held.is_empty() {
            self.give(&mut emit)?;
        }
        Ok(())
    }

    /// Gives the first packet.
    fn give(&mut self, emit: &mut impl FnMut(&Timed<'_>) -> Result<(), Error>) -> Result<(), Error> {
        let step = self.step();
        if step > 0 {
            self.end += step;
            for held in &mut self.held {
                held.offset = held.offset.map(|offset| offset - step);
            }
        }
        let gap = if step <= LARGEST { step as u64 } else { 0 };
        let Some(held) = self.held.pop_front() else {
            return Ok(());
        };
        if let Some(offset) = held.offset {
            if self.before.len() == WINDOW {
                self.before.pop_front();
            }
            self.before.push_back(offset);
        }
        let result = emit(&Timed {
            data: &held.data,
            samples: held.samples,
            gap,
            lost: held.lost,
        });
        self.spare.push(held.data);
        result
    }

    /// The time that is missing before the first held packet, rounded to what packets can fill; 0 when none is.
    fn step(&self) -> i64 {
        let Some(first) = self.held.front().filter(|first| first.offset.is_some()) else {
            return 0;
        };
        let (Some(&low), Some(&high)) = (self.before.iter().min(), self.before.iter().max()) else {
            return 0;
        };
        let after = self.held.iter().filter_map(|held| held.offset);
        let Some(later) = after.clone().min() else {
            return 0;
        };

        let samples = i64::from(first.samples);
        let mut least = SMALLEST.max(samples * 3 / 4);
        if self.before.len() < FEW || after.count() < FEW {
            least += 4 * (high - low);
        }
        if later - high < least {
            return 0;
        }
        let gap = later - low;
        let frames = (gap + samples / 2) / samples * samples;
        // Within 2 ms of whole packets it is whole packets: timestamps are in milliseconds.
        if (gap - frames).abs() <= 2 * 48 {
            frames
        } else {
            (gap + 60) / 120 * 120
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FRAME: u32 = 960;

    /// Feeds 20 ms packets with these timestamps (ms) and gives (packet, ms missing before it) where any is.
    fn gaps(stamps: &[i64]) -> Vec<(usize, u64)> {
        let mut found = Vec::new();
        let mut gaps = Gaps::new();
        let mut seen = 0;
        let mut emit = |timed: &Timed<'_>| {
            assert_eq!(timed.data, (seen as u32).to_be_bytes());
            if timed.gap > 0 {
                found.push((seen, timed.gap / 48));
            }
            seen += 1;
            Ok(())
        };
        for (i, ms) in stamps.iter().enumerate() {
            gaps.push(&(i as u32).to_be_bytes(), FRAME, Some(ms * 48), false, &mut emit)
                .unwrap();
        }
        gaps.drain(&mut emit).unwrap();
        assert_eq!(seen, stamps.len());
        found
    }

    /// An even clock with holes: (after how many packets, ms).
    fn clock(packets: usize, holes: &[(usize, i64)]) -> Vec<i64> {
        (0..packets)
            .map(|i| {
                20 * i as i64
                    + holes
                        .iter()
                        .filter(|(at, _)| i >= *at)
                        .map(|(_, ms)| ms)
                        .sum::<i64>()
            })
            .collect()
    }

    #[test]
    fn an_even_clock_has_no_gaps_wherever_it_starts() {
        assert_eq!(gaps(&clock(100, &[])), []);
        assert_eq!(gaps(&clock(100, &[(0, 123_456)])), []);
    }

    #[test]
    fn single_and_repeated_losses_and_dtx_are_found_with_their_length() {
        for holes in [
            vec![(50, 20)],
            vec![(50, 20), (51, 20), (53, 40)],
            (10..90).map(|i| (i, 380)).collect(),
            vec![(1, 400), (98, 400), (99, 60)],
            vec![(3, 60)],
        ] {
            let expected: Vec<_> = holes.iter().map(|&(at, ms)| (at, ms as u64)).collect();
            assert_eq!(gaps(&clock(100, &holes)), expected);
        }
    }

    #[test]
    fn a_gap_of_more_than_two_seconds_is_closed_up_and_what_follows_is_unharmed() {
        assert_eq!(gaps(&clock(100, &[(30, 2_020), (60, 100)])), [(60, 100)]);
        assert_eq!(gaps(&clock(100, &[(30, 2_000)])), [(30, 2_000)]);
        assert_eq!(gaps(&clock(100, &[(30, 36_000_000)])), []);
    }

    #[test]
    fn a_clock_that_jumps_back_makes_no_gaps() {
        assert_eq!(gaps(&clock(100, &[(30, -600), (60, 100)])), [(60, 100)]);
        assert_eq!(gaps(&[clock(50, &[]), clock(50, &[])].concat()), []);
    }

    #[test]
    fn packets_that_come_late_in_bursts_make_no_gaps() {
        // Five packets at a time, all stamped with the arrival of the burst.
        let stamps: Vec<_> = (0..200).map(|i| i / 5 * 100 + i % 5).collect();
        assert_eq!(gaps(&stamps), []);
        // One packet stamped far too late, then back on time.
        let mut stamps = clock(100, &[]);
        stamps[40] += 300;
        stamps[41] += 290;
        stamps[98] += 50;
        assert_eq!(gaps(&stamps), []);
    }

    #[test]
    fn a_clock_that_runs_fast_or_slow_makes_no_gaps() {
        // 1000 ppm over ten minutes: 600 ms in all.
        for drift in [-1, 1] {
            let stamps: Vec<_> = (0..30_000i64).map(|i| 20 * i + drift * i / 50).collect();
            assert_eq!(gaps(&stamps), []);
        }
    }

    proptest! {
        #[test]
        fn rounding_to_milliseconds_hides_no_loss_and_makes_none(
            phase in 0i64..48, losses in prop::collection::btree_set(1usize..200, 0..10)
        ) {
            let mut at = phase;
            let mut stamps = Vec::new();
            for i in 0..200 {
                if losses.contains(&i) {
                    at += i64::from(FRAME);
                }
                stamps.push(at / 48);
                at += i64::from(FRAME);
            }
            let expected: Vec<_> = losses.iter().map(|&i| (i, 20)).collect();
            prop_assert_eq!(gaps(&stamps), expected);
        }

        #[test]
        fn jitter_alone_makes_no_gaps(late in prop::collection::vec(0i64..15, 300)) {
            let stamps: Vec<_> = late.iter().enumerate().map(|(i, late)| 20 * i as i64 + late).collect();
            prop_assert_eq!(gaps(&stamps), []);
        }

        #[test]
        fn any_timestamps_are_survived(stamps in prop::collection::vec(any::<i32>(), 0..50)) {
            gaps(&stamps.into_iter().map(i64::from).collect::<Vec<_>>());
        }
    }
}
