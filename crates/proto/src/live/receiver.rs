//! The receiving end of a recording: which packets are new, and up to where all are durable.

use std::ops::Range;

use super::Runs;
use crate::rtp::{RtpHeader, extend_sequence};

/// Holes between packets that are kept in mind. A sender of our own makes none on a socket; a datagram path makes few.
const MAX_RUNS: usize = 1024;

/// What came with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is new and has this extended sequence number: keep it.
    New(u32),
    /// It was there before.
    Duplicate(u32),
    /// It is none of this recording, or cannot be taken in now.
    Refused(Refusal),
}

/// Why a packet is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its number is before the first of the recording, or beyond what 32 bits count.
    #[error("the sequence number is not one of this recording")]
    Outside,
    /// It would be one hole too many. It is not acknowledged and may come again.
    #[error("too many packets are missing before this one")]
    TooManyGaps,
}

/// Whether a recording of so many packets is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishCheck {
    /// All are durable.
    Complete,
    /// The first that is not.
    Missing {
        /// Its extended sequence number.
        next_sequence: u32,
    },
    /// More are there than the sender says it made.
    TooFew {
        /// How many there are, up to the highest.
        packets: u32,
    },
}

/// What one recording has received. Extended sequence numbers count on from the first one, through every wrap of the 16 bits
/// that travel. After a takeover or a restart it is made anew from what is durable.
#[derive(Debug, Clone)]
pub struct LiveReceiver {
    first: u32,
    /// Taken in, durable or not.
    received: Runs,
    durable: Runs,
    /// What was acknowledged: everything before it.
    acknowledged: u32,
    /// The sender seems not to know what it was told.
    repeat: bool,
}

impl LiveReceiver {
    /// A receiver of a recording that begins with `first`.
    pub fn new(first: u32) -> Self {
        Self::restore(first, [])
    }

    /// A receiver that goes on with these runs of durable packets.
    pub fn restore(first: u32, durable: impl IntoIterator<Item = Range<u32>>) -> Self {
        let mut runs = Runs::default();
        runs.extend(
            durable
                .into_iter()
                .map(|run| run.start.max(first)..run.end.max(first)),
        );
        let acknowledged = runs.first_absent(first);
        Self {
            first,
            received: runs.clone(),
            durable: runs,
            acknowledged,
            repeat: false,
        }
    }

    /// Takes a packet in. Its number is the nearest to the highest seen so far, which is right as long as fewer than 32,768
    /// packets in a row are lost.
    pub fn handle_packet(&mut self, header: &RtpHeader) -> Arrival {
        let reference = self.received.end().map_or(self.first, |end| end - 1);
        let extended = extend_sequence(i64::from(reference), header.sequence);
        let sequence = match u32::try_from(extended) {
            // The last number is left free, so that one more always counts.
            Ok(sequence) if sequence >= self.first && sequence < u32::MAX => sequence,
            _ => return Arrival::Refused(Refusal::Outside),
        };
        if self.received.contains(sequence) {
            self.repeat = true;
            return Arrival::Duplicate(sequence);
        }
        if self.received.count() >= MAX_RUNS && self.received.would_split(sequence) {
            return Arrival::Refused(Refusal::TooManyGaps);
        }
        self.received.add(sequence..sequence + 1);
        Arrival::New(sequence)
    }

    /// These packets are durable now.
    pub fn handle_durable(&mut self, run: Range<u32>) {
        self.received.add(run.clone());
        self.durable.add(run);
    }

    /// The highest contiguous durable number, when there is something to tell: progress, or a sender that repeats what is
    /// there. To be asked after each commit, at least each 200 ms.
    pub fn poll_ack(&mut self) -> Option<u32> {
        let next = self.next_sequence();
        let due = next > self.acknowledged || self.repeat;
        self.acknowledged = next;
        self.repeat = false;
        if due && next > self.first {
            Some(next - 1)
        } else {
            None
        }
    }

    /// The first number that is not durable: where a sender goes on.
    pub fn next_sequence(&self) -> u32 {
        self.durable.first_absent(self.first)
    }

    /// The number of the first packet.
    pub fn first_sequence(&self) -> u32 {
        self.first
    }

    /// What is durable.
    pub fn durable(&self) -> &Runs {
        &self.durable
    }

    /// Whether packets were taken in that are not durable yet.
    pub fn is_behind(&self) -> bool {
        self.received.len() > self.durable.len()
    }

    /// How many packets the recording has up to its highest durable one, holes included.
    pub fn packets(&self) -> u32 {
        self.durable.end().map_or(0, |end| end - self.first)
    }

    /// Compares with what the sender says it made in all.
    pub fn check_finish(&self, packets: u32) -> FinishCheck {
        let have = self.packets();
        if packets < have {
            return FinishCheck::TooFew { packets: have };
        }
        let next_sequence = self.next_sequence();
        if next_sequence - self.first >= packets {
            FinishCheck::Complete
        } else {
            FinishCheck::Missing { next_sequence }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(sequence: u32) -> RtpHeader {
        RtpHeader {
            marker: false,
            payload_type: super::super::PAYLOAD_TYPE,
            sequence: sequence as u16,
            timestamp: 0,
            ssrc: 1,
        }
    }

    #[test]
    fn packets_are_acknowledged_once_they_are_durable_and_in_order() {
        let mut receiver = LiveReceiver::new(65_530);
        assert_eq!(receiver.poll_ack(), None);
        for n in 65_530..65_540 {
            assert_eq!(receiver.handle_packet(&header(n)), Arrival::New(n));
        }
        assert_eq!(receiver.poll_ack(), None, "nothing is durable yet");
        receiver.handle_durable(65_535..65_540);
        assert_eq!(receiver.poll_ack(), None, "the first ones are missing");
        receiver.handle_durable(65_530..65_535);
        assert_eq!(receiver.poll_ack(), Some(65_539));
        assert_eq!(receiver.poll_ack(), None);
        assert_eq!(
            receiver.handle_packet(&header(65_531)),
            Arrival::Duplicate(65_531)
        );
        assert_eq!(receiver.poll_ack(), Some(65_539), "said again to who repeats");
    }

    #[test]
    fn a_restored_receiver_goes_on_after_what_is_durable() {
        let mut receiver = LiveReceiver::restore(0, [0..100, 120..130]);
        assert_eq!(receiver.next_sequence(), 100);
        assert_eq!(receiver.handle_packet(&header(125)), Arrival::Duplicate(125));
        assert_eq!(receiver.handle_packet(&header(100)), Arrival::New(100));
        receiver.handle_durable(100..120);
        assert_eq!(receiver.poll_ack(), Some(129));
        assert_eq!(receiver.check_finish(130), FinishCheck::Complete);
        assert_eq!(
            receiver.check_finish(131),
            FinishCheck::Missing { next_sequence: 130 }
        );
        assert_eq!(receiver.check_finish(7), FinishCheck::TooFew { packets: 130 });
    }

    #[test]
    fn a_hundred_thousand_packets_wrap_and_are_all_there() {
        let mut receiver = LiveReceiver::new(7);
        for n in 7..100_007 {
            assert_eq!(receiver.handle_packet(&header(n)), Arrival::New(n));
        }
        receiver.handle_durable(7..100_007);
        assert_eq!(receiver.poll_ack(), Some(100_006));
        assert_eq!(receiver.check_finish(100_000), FinishCheck::Complete);
    }

    #[test]
    fn holes_are_bounded_and_what_is_refused_may_come_again() {
        let mut receiver = LiveReceiver::new(0);
        let mut taken = 0;
        for n in 0..3_000 {
            match receiver.handle_packet(&header(2 * n + 1)) {
                Arrival::New(_) => taken += 1,
                refused => assert_eq!(refused, Arrival::Refused(Refusal::TooManyGaps)),
            }
        }
        assert_eq!(taken, MAX_RUNS);
        for n in 0..1_000 {
            assert_eq!(receiver.handle_packet(&header(2 * n)), Arrival::New(2 * n));
        }
        assert_eq!(receiver.handle_packet(&header(2_999)), Arrival::New(2_999));
    }

    #[test]
    fn what_is_before_the_first_is_none_of_it() {
        let mut receiver = LiveReceiver::new(100);
        let before = receiver.handle_packet(&header(99));
        assert_eq!(before, Arrival::Refused(Refusal::Outside));
        let mut receiver = LiveReceiver::new(u32::MAX - 1);
        assert_eq!(
            receiver.handle_packet(&header(u32::MAX - 1)),
            Arrival::New(u32::MAX - 1)
        );
        assert_eq!(
            receiver.handle_packet(&header(u32::MAX)),
            Arrival::Refused(Refusal::Outside)
        );
    }

    proptest! {
        #[test]
        fn each_packet_is_new_once_whatever_the_order(
            first in 0u32..200_000,
            swaps in prop::collection::vec((0usize..400, 0usize..400), 0..200),
            again in prop::collection::vec(0usize..400, 0..100),
        ) {
            let mut order: Vec<u32> = (0..400).map(|n| first + n).collect();
            for (a, b) in swaps {
                order.swap(a, b);
            }
            let repeated: Vec<u32> = again.iter().map(|&at| order[at]).collect();
            order.extend(repeated);
            let mut receiver = LiveReceiver::new(first);
            let mut new = Vec::new();
            for n in order {
                match receiver.handle_packet(&header(n)) {
                    Arrival::New(sequence) => {
                        prop_assert_eq!(sequence, n);
                        receiver.handle_durable(n..n + 1);
                        new.push(n);
                    }
                    Arrival::Duplicate(sequence) => prop_assert_eq!(sequence, n),
                    Arrival::Refused(refusal) => prop_assert!(false, "{}", refusal),
                }
            }
            new.sort_unstable();
            prop_assert_eq!(new, (first..first + 400).collect::<Vec<_>>());
            prop_assert_eq!(receiver.poll_ack(), Some(first + 399));
        }
    }
}
