//! The sending end of a recording: packets are kept until the server has them for good.

use std::collections::VecDeque;
use std::ops::Range;

use super::{PAYLOAD_TYPE, bundle};
use crate::rtp::RtpHeader;

/// Makes RTP packets of encoded sound, keeps what is not acknowledged, and goes on where the server says after every
/// connection. Nothing is sent before [`handle_ready`](Self::handle_ready), however much is recorded meanwhile.
///
/// What is kept here should be in a journal too: [`push`](Self::push) gives each packet to write,
/// [`forgettable`](Self::forgettable) says what may go, [`restore`](Self::restore) makes a sender of what a journal held.
#[derive(Debug, Clone)]
pub struct LiveSender {
    ssrc: u32,
    first: u32,
    /// Packets with their play time, the first of which has the number `base`.
    kept: VecDeque<(Vec<u8>, u32)>,
    base: u32,
    /// The next to send on this connection.
    unsent: u32,
    connected: bool,
    timestamp: u32,
    /// Sound recorded so far, at 48 kHz.
    samples: u64,
    after_pause: bool,
}

/// What the server has not got yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Packets that are not acknowledged.
    pub packets: usize,
    /// Their bytes, headers included.
    pub bytes: usize,
    /// Their play time, in samples at 48 kHz.
    pub samples: u64,
}

/// What to say with `recording.finish`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// Packets of the whole recording.
    pub packets: u32,
    /// Sound of the whole recording, in samples at 48 kHz.
    pub samples: u64,
}

/// The server wants packets that are kept nowhere any more. The recording can still be finished with `allow_gaps`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("packets {} to {} are in no journal any more", missing.start, missing.end.saturating_sub(1))]
pub struct JournalGap {
    /// Their extended sequence numbers.
    pub missing: Range<u32>,
}

impl LiveSender {
    /// A sender of a new recording. `ssrc` and `timestamp` are any numbers (RFC 3550 §5.1: random ones).
    pub fn new(ssrc: u32, first_sequence: u32, timestamp: u32) -> Self {
        Self {
            ssrc,
            first: first_sequence,
            kept: VecDeque::new(),
            base: first_sequence,
            unsent: first_sequence,
            connected: false,
            timestamp,
            samples: 0,
            after_pause: true,
        }
    }

    /// A sender that goes on with a journal: `packets` as [`push`](Self::push) made them, in order, with their play time; the
    /// first has the number `base`. `samples` is all sound that was recorded. What cannot be read ends the journal.
    pub fn restore(
        first_sequence: u32,
        base: u32,
        packets: impl IntoIterator<Item = (Vec<u8>, u32)>,
        samples: u64,
    ) -> Self {
        let mut sender = Self::new(0, first_sequence, samples as u32);
        sender.base = base.max(first_sequence);
        sender.unsent = sender.base;
        sender.samples = samples;
        for (packet, played) in packets {
            match RtpHeader::parse(&packet) {
                Ok((header, _)) if header.sequence == sender.next_sequence() as u16 => {
                    sender.ssrc = header.ssrc;
                    sender.timestamp = header.timestamp.wrapping_add(played);
                    sender.kept.push_back((packet, played));
                }
                _ => break,
            }
        }
        sender
    }

    /// Takes an encoded packet that plays for `samples` (at 48 kHz); returns its extended sequence number and itself, for the
    /// journal.
    pub fn push(&mut self, payload: &[u8], samples: u32) -> (u32, &[u8]) {
        let sequence = self.next_sequence();
        let header = RtpHeader {
            marker: std::mem::take(&mut self.after_pause),
            payload_type: PAYLOAD_TYPE,
            sequence: sequence as u16,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        let packet = [&header.to_bytes()[..], payload].concat();
        self.advance(samples);
        let at = self.kept.len();
        self.kept.push_back((packet, samples));
        (sequence, &self.kept[at].0)
    }

    /// Sound was recorded for which the encoder sends nothing (DTX). A pause is not recorded and not told here.
    pub fn skip(&mut self, samples: u32) {
        self.advance(samples);
        self.after_pause = true;
    }

    /// A connection is ready and the server wants `next_sequence`.
    ///
    /// # Errors
    /// When packets that it wants are lost; what is kept is sent all the same.
    pub fn handle_ready(&mut self, next_sequence: u32) -> Result<(), JournalGap> {
        self.connected = true;
        self.forget(next_sequence);
        self.unsent = self.base;
        if next_sequence < self.base {
            let missing = next_sequence..self.base;
            return Err(JournalGap { missing });
        }
        Ok(())
    }

    /// The connection is gone. What is recorded meanwhile is kept.
    pub fn handle_disconnect(&mut self) {
        self.connected = false;
    }

    /// Everything up to and with `sequence` is durable at the server.
    pub fn handle_ack(&mut self, sequence: u32) {
        self.forget(sequence.saturating_add(1));
        self.unsent = self.unsent.max(self.base);
    }

    /// The next binary message to send: one packet, or a bundle when several wait, of about `max_bytes` at most.
    pub fn poll_transmit(&mut self, handle: u32, max_bytes: usize) -> Option<Vec<u8>> {
        if !self.connected || self.unsent >= self.next_sequence() {
            return None;
        }
        let from = (self.unsent - self.base) as usize;
        let waiting = self.kept.range(from..).map(|(packet, _)| packet.as_slice());
        let (message, count) = bundle(handle, waiting, max_bytes);
        // A packet too long for any message is no Opus; it must not be in the way of the others.
        self.unsent += count.max(1) as u32;
        (count > 0).then_some(message)
    }

    /// The journal may forget packets before this number.
    pub fn forgettable(&self) -> u32 {
        self.base
    }

    /// The number of the next packet.
    pub fn next_sequence(&self) -> u32 {
        self.base + self.kept.len() as u32
    }

    /// What is not acknowledged.
    pub fn backlog(&self) -> Backlog {
        self.kept
            .iter()
            .fold(Backlog::default(), |sum, (packet, samples)| Backlog {
                packets: sum.packets + 1,
                bytes: sum.bytes + packet.len(),
                samples: sum.samples + u64::from(*samples),
            })
    }

    /// What to say with `recording.finish`.
    pub fn whole(&self) -> Whole {
        Whole {
            packets: self.next_sequence() - self.first,
            samples: self.samples,
        }
    }

    fn advance(&mut self, samples: u32) {
        self.timestamp = self.timestamp.wrapping_add(samples);
        self.samples += u64::from(samples);
    }

    /// Drops what is before `sequence`. A server that has more than the journal knows of sets the number of the next packet:
    /// none is used twice.
    fn forget(&mut self, sequence: u32) {
        let gone = sequence.saturating_sub(self.base) as usize;
        if gone > self.kept.len() {
            self.kept.clear();
            self.base = sequence;
        } else {
            self.kept.drain(..gone);
            self.base += gone as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{entries, packet_down};
    use crate::{BinaryKind, BinaryMessage};

    fn sequences(message: &[u8]) -> Vec<u16> {
        let message = BinaryMessage::parse(message).unwrap();
        let packets: Vec<&[u8]> = match message.kind {
            BinaryKind::BundleUp => entries(message.body).map(Result::unwrap).collect(),
            _ => vec![message.body],
        };
        packets
            .iter()
            .map(|packet| RtpHeader::parse(packet).unwrap().0.sequence)
            .collect()
    }

    fn recorded(packets: u32) -> LiveSender {
        let mut sender = LiveSender::new(9, 65_534, 0);
        for n in 0..packets {
            let (sequence, packet) = sender.push(&n.to_be_bytes(), 960);
            assert_eq!(sequence, 65_534 + n);
            assert!(packet.ends_with(&n.to_be_bytes()));
        }
        sender
    }

    #[test]
    fn nothing_is_sent_before_the_server_is_ready_and_then_all_in_bundles() {
        let mut sender = recorded(5);
        assert_eq!(sender.poll_transmit(1, 1_000), None);
        sender.handle_ready(65_534).unwrap();
        let sent = sender.poll_transmit(1, 1_000).unwrap();
        assert_eq!(sequences(&sent), [65_534, 65_535, 0, 1, 2]);
        assert_eq!(sender.poll_transmit(1, 1_000), None);
        sender.push(b"more", 960);
        let sent = sender.poll_transmit(1, 1_000).unwrap();
        assert_eq!((sent[0], sequences(&sent)), (1, vec![3]), "alone it is no bundle");
        assert_eq!(packet_down(1, &sent[5..])[5..], sent[5..]);
    }

    #[test]
    fn what_is_not_acknowledged_is_sent_again_on_the_next_connection() {
        let mut sender = recorded(10);
        sender.handle_ready(65_534).unwrap();
        while sender.poll_transmit(1, 60).is_some() {}
        sender.handle_ack(65_536);
        assert_eq!(sender.forgettable(), 65_537);
        assert_eq!(sender.backlog().packets, 7);
        sender.handle_disconnect();
        assert_eq!(sender.poll_transmit(1, 1_000), None);
        sender.handle_ready(65_539).unwrap();
        let sent = sender.poll_transmit(2, 10_000).unwrap();
        assert_eq!(sequences(&sent), [3, 4, 5, 6, 7]);
        let whole = Whole {
            packets: 10,
            samples: 9_600,
        };
        assert_eq!(sender.whole(), whole);
    }

    #[test]
    fn a_sender_made_of_its_journal_goes_on_with_the_same_packets() {
        let sender = recorded(10);
        let journal: Vec<_> = sender.kept.iter().cloned().collect();
        let mut again = LiveSender::restore(65_534, 65_534, journal, 9_600);
        again.handle_ready(65_540).unwrap();
        let (sequence, packet) = again.push(b"next", 960);
        assert_eq!(sequence, 65_544);
        let header = RtpHeader::parse(packet).unwrap().0;
        assert_eq!((header.timestamp, header.ssrc, header.sequence), (9_600, 9, 8));
        assert_eq!(again.whole().packets, 11);
        assert_eq!(
            sequences(&again.poll_transmit(1, 10_000).unwrap()),
            [4, 5, 6, 7, 8]
        );
    }

    #[test]
    fn a_lost_journal_uses_no_number_twice_and_tells_what_cannot_be_sent() {
        let mut sender = LiveSender::restore(0, 0, [], 0);
        sender.handle_ready(500).unwrap();
        assert_eq!(sender.push(b"new", 960).0, 500);
        assert_eq!(sender.whole().packets, 501);

        let kept: Vec<_> = recorded(10).kept.into_iter().skip(4).collect();
        let mut sender = LiveSender::restore(65_534, 65_538, kept, 9_600);
        let gap = sender.handle_ready(65_535).unwrap_err();
        assert_eq!(gap.missing, 65_535..65_538);
        assert_eq!(sequences(&sender.poll_transmit(1, 10_000).unwrap()).len(), 6);
    }

    #[test]
    fn silence_moves_the_clock_and_marks_what_follows() {
        let mut sender = LiveSender::new(9, 0, 100);
        sender.push(b"a", 960);
        sender.skip(1_920);
        let (_, packet) = sender.push(b"b", 960);
        let header = RtpHeader::parse(packet).unwrap().0;
        assert_eq!((header.timestamp, header.marker), (100 + 2_880, true));
        assert_eq!(sender.whole().samples, 3_840);
    }
}
