//! Where packets lie in time, and what is put between them.

/// The longest jump that is filled: 2 s. What is longer is a pause that nobody recorded, or a lie, and is closed up.
pub const MAX_FILL_SAMPLES: u64 = 2 * 48_000;

/// The shortest Opus frame, 2.5 ms: what a filler is a multiple of.
const GRAIN: u64 = 120;

/// The longest Opus packet, 120 ms (RFC 6716 §3.4): more cannot have been lost with one.
const LONGEST: u64 = 5_760;

/// Lays the packets of a recording out one after the other. Timestamps only say what is missing between two neighbours, so one
/// that lies does no harm beyond its own packet: at most [`MAX_FILL_SAMPLES`] before it.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// What a packet is taken to play when nothing is known of it, in samples at 48 kHz.
    nominal: u64,
    next_sequence: u32,
    /// Timestamp after the last packet.
    expected: Option<u32>,
    /// What was too short to be filled, to be filled with the next.
    carry: u64,
    placed: u64,
    missing: u64,
}

impl Timeline {
    /// The timeline of a recording that begins with the packet `first_sequence`; its packets play `nominal_samples` (at 48 kHz)
    /// as a rule.
    pub fn new(first_sequence: u32, nominal_samples: u32) -> Self {
        Self {
            nominal: u64::from(nominal_samples).min(LONGEST),
            next_sequence: first_sequence,
            expected: None,
            carry: 0,
            placed: 0,
            missing: 0,
        }
    }

    /// Places the next packet, which plays `samples`; returns how many samples are to be filled before it, a multiple of 2.5 ms.
    /// Packets come in the order of their extended sequence numbers, each once.
    pub fn place(&mut self, sequence: u32, timestamp: u32, samples: u32) -> u64 {
        debug_assert!(sequence >= self.next_sequence, "packets come in order");
        let lost = sequence.saturating_sub(self.next_sequence);
        let jump = match self.expected {
            None => u64::from(lost) * self.nominal,
            // A jump back (or of more than 12 hours) is none: the packet follows directly.
            Some(expected) => u64::try_from(timestamp.wrapping_sub(expected) as i32).unwrap_or(0),
        };
        let fill = self.gap(jump, lost);
        self.next_sequence = sequence.saturating_add(1);
        self.expected = Some(timestamp.wrapping_add(samples));
        self.placed += u64::from(samples);
        fill
    }

    /// Ends a recording before the packet `end_sequence`; returns how many samples are to be filled at the end.
    pub fn finish(&mut self, end_sequence: u32) -> u64 {
        let lost = end_sequence.saturating_sub(self.next_sequence);
        let jump = u64::from(lost) * self.nominal;
        self.next_sequence = self.next_sequence.max(end_sequence);
        if self.placed == 0 {
            return 0;
        }
        self.gap(jump, lost)
    }

    /// What is placed so far, fillers included, in samples at 48 kHz.
    pub fn samples(&self) -> u64 {
        self.placed
    }

    /// The time of lost packets, whether it was filled or closed up, in samples at 48 kHz. Silence that was not sent (DTX) is
    /// not among it.
    pub fn missing_samples(&self) -> u64 {
        self.missing
    }

    fn gap(&mut self, jump: u64, lost: u32) -> u64 {
        if lost > 0 {
            self.missing += jump.min(u64::from(lost) * LONGEST);
        }
        if jump == 0 || jump > MAX_FILL_SAMPLES {
            return 0;
        }
        let fill = (jump + self.carry) / GRAIN * GRAIN;
        self.carry = (jump + self.carry) % GRAIN;
        self.placed += fill;
        fill
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: u32 = 960;

    #[test]
    fn packets_in_a_row_need_no_filler_across_every_wrap() {
        let mut timeline = Timeline::new(65_000, FRAME);
        let start = u32::MAX - 10 * FRAME;
        for n in 0..2_000 {
            let at = start.wrapping_add(n * FRAME);
            assert_eq!(timeline.place(65_000 + n, at, FRAME), 0);
        }
        assert_eq!(timeline.samples(), 2_000 * u64::from(FRAME));
        assert_eq!(timeline.missing_samples(), 0);
    }

    #[test]
    fn silence_that_was_not_sent_is_filled_and_not_missing() {
        let mut timeline = Timeline::new(0, FRAME);
        assert_eq!(timeline.place(0, 500, FRAME), 0);
        assert_eq!(timeline.place(1, 500 + 20 * FRAME, FRAME), u64::from(19 * FRAME));
        assert_eq!(timeline.missing_samples(), 0);
    }

    #[test]
    fn lost_packets_are_filled_and_missing() {
        let mut timeline = Timeline::new(0, FRAME);
        timeline.place(0, 0, FRAME);
        assert_eq!(timeline.place(11, 11 * FRAME, FRAME), 9_600);
        assert_eq!(timeline.missing_samples(), 9_600);
    }

    #[test]
    fn a_jump_of_more_than_two_seconds_is_closed_up_and_what_is_lost_is_told() {
        let mut timeline = Timeline::new(0, FRAME);
        timeline.place(0, 0, FRAME);
        assert_eq!(timeline.place(1, FRAME + 96_000, FRAME), 96_000);
        assert_eq!(timeline.place(2, 2 * FRAME + 2 * 96_000 + 1, FRAME), 0);
        assert_eq!(timeline.missing_samples(), 0);
        let next = 3 * FRAME + 2 * 96_000 + 1;
        assert_eq!(timeline.place(253, next + 250 * FRAME, FRAME), 0);
        assert_eq!(timeline.missing_samples(), u64::from(250 * FRAME));
    }

    #[test]
    fn what_is_lost_at_the_ends_is_taken_to_be_of_the_usual_length() {
        let mut timeline = Timeline::new(10, FRAME);
        assert_eq!(timeline.place(15, 77, FRAME), u64::from(5 * FRAME));
        assert_eq!(timeline.finish(18), u64::from(2 * FRAME));
        assert_eq!(timeline.missing_samples(), u64::from(7 * FRAME));
        assert_eq!(timeline.samples(), u64::from(8 * FRAME));
    }

    #[test]
    fn without_any_sound_there_is_nothing_to_fill() {
        let mut timeline = Timeline::new(0, FRAME);
        assert_eq!(timeline.finish(100), 0);
        assert_eq!(timeline.samples(), 0);
    }

    #[test]
    fn parts_too_short_for_a_filler_are_not_forgotten() {
        let mut timeline = Timeline::new(0, FRAME);
        let mut fill = timeline.place(0, 0, FRAME);
        for n in 1..=12 {
            fill += timeline.place(n, n * (FRAME + 50), FRAME);
        }
        assert_eq!(fill, 12 * 50 / GRAIN * GRAIN);
    }

    proptest! {
        #[test]
        fn any_timestamps_keep_the_order_and_the_bounds(
            packets in prop::collection::vec((1u32..5, any::<u32>(), 120u32..=5_760), 1..200)
        ) {
            let mut timeline = Timeline::new(0, FRAME);
            let (mut sequence, mut sum, mut lost) = (0, 0, 0);
            for (step, timestamp, samples) in packets {
                sequence += step;
                lost += u64::from(step - 1);
                let fill = timeline.place(sequence - 1, timestamp, samples);
                prop_assert!(fill <= MAX_FILL_SAMPLES + GRAIN && fill.is_multiple_of(GRAIN));
                sum += fill + u64::from(samples);
                prop_assert_eq!(timeline.samples(), sum);
                prop_assert!(timeline.missing_samples() <= lost * LONGEST);
            }
        }
    }
}
