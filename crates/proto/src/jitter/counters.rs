use super::packet::PayloadInfo;
use crate::rtp::{RtpHeader, extend_sequence, extend_timestamp};

/// Packets that the sequence number may run ahead or lie behind without suspicion (RFC 3550 A.1 has 3000 and 100).
const MAX_AHEAD: i64 = 3_000;
const MAX_BEHIND: i64 = 1_000;
/// By how much media time may outrun the clock, in samples: 10 s.
const MAX_LEAP: i64 = 480_000;

/// Turns the wrapping counters of one stream after another into one line of numbers that never wraps and always grows.
#[derive(Debug, Default)]
pub(super) struct Counters {
    stream: Option<Stream>,
    /// A packet that did not fit; the next one decides (RFC 3550 A.1).
    suspect: Option<RtpHeader>,
}

#[derive(Debug)]
struct Stream {
    ssrc: u32,
    /// Newest counters as the sender counts, extended.
    sequence: i64,
    timestamp: i64,
    /// From the sender's line of numbers to ours.
    sequence_base: i64,
    timestamp_base: i64,
    /// Play time and arrival of the newest packet.
    samples: i64,
    arrival: i64,
}

/// Where a packet belongs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) sequence: i64,
    pub(super) timestamp: i64,
    pub(super) restart: bool,
}

impl Counters {
    /// The place of a packet that arrived at `arrival` (samples at 48 kHz of the caller's clock), or `None` for one that
    /// does not fit and is not yet believed.
    pub(super) fn place(&mut self, header: &RtpHeader, info: &PayloadInfo, arrival: i64) -> Option<Place> {
        let Some(stream) = &mut self.stream else {
            self.stream = Some(Stream {
                ssrc: header.ssrc,
                sequence: header.sequence.into(),
                timestamp: header.timestamp.into(),
                sequence_base: 0,
                timestamp_base: 0,
                samples: info.samples.into(),
                arrival,
            });
            return Some(Place {
                sequence: header.sequence.into(),
                timestamp: header.timestamp.into(),
                restart: false,
            });
        };
        if let Some(place) = stream.place(header, info, arrival) {
            self.suspect = None;
            return Some(place);
        }
        let follows = self.suspect.is_some_and(|first| {
            first.ssrc == header.ssrc
                && first.sequence.wrapping_add(1) == header.sequence
                && (1..=MAX_LEAP as u32).contains(&header.timestamp.wrapping_sub(first.timestamp))
        });
        if !follows {
            self.suspect = Some(*header);
            return None;
        }
        self.suspect = None;
        Some(stream.restart(header, info, arrival))
    }

    /// The sequence number under which the sender knows a packet of ours.
    pub(super) fn on_the_wire(&self, sequence: i64) -> u16 {
        (sequence - self.stream.as_ref().map_or(0, |stream| stream.sequence_base)) as u16
    }
}

impl Stream {
    fn place(&mut self, header: &RtpHeader, info: &PayloadInfo, arrival: i64) -> Option<Place> {
        let sequence = extend_sequence(self.sequence, header.sequence);
        let timestamp = extend_timestamp(self.timestamp, header.timestamp);
        let (packets, samples) = (sequence - self.sequence, timestamp - self.timestamp);
        let fits = header.ssrc == self.ssrc
            && (-MAX_BEHIND..=MAX_AHEAD).contains(&packets)
            && packets.signum() == samples.signum()
            && samples <= (arrival - self.arrival).max(0) + MAX_LEAP
            && samples >= -MAX_LEAP;
        if !fits {
            return None;
        }
        if packets > 0 {
            self.sequence = sequence;
            self.timestamp = timestamp;
            self.samples = info.samples.into();
            self.arrival = arrival;
        }
        Some(Place {
            sequence: sequence + self.sequence_base,
            timestamp: timestamp + self.timestamp_base,
            restart: false,
        })
    }

    /// A new stream continues our numbers where the old one ended: the next packet, as much later as the clock says.
    fn restart(&mut self, header: &RtpHeader, info: &PayloadInfo, arrival: i64) -> Place {
        let elapsed = (arrival - self.arrival).max(self.samples);
        let place = Place {
            sequence: self.sequence + self.sequence_base + 1,
            timestamp: self.timestamp + self.timestamp_base + elapsed,
            restart: true,
        };
        *self = Self {
            ssrc: header.ssrc,
            sequence: header.sequence.into(),
            timestamp: header.timestamp.into(),
            sequence_base: place.sequence - i64::from(header.sequence),
            timestamp_base: place.timestamp - i64::from(header.timestamp),
            samples: info.samples.into(),
            arrival,
        };
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence: u16, timestamp: u32, ssrc: u32) -> RtpHeader {
        RtpHeader {
            marker: false,
            payload_type: 111,
            sequence,
            timestamp,
            ssrc,
        }
    }

    #[test]
    fn numbers_go_on_across_both_wraps() {
        let mut counters = Counters::default();
        let info = PayloadInfo::plain(960);
        let mut last = None;
        for i in 0..200_000_i64 {
            let packet = header((65_000 + i) as u16, (4_294_000_000 + 960 * i) as u32, 1);
            let place = counters.place(&packet, &info, 960 * i).expect("fits");
            if let Some((sequence, timestamp)) = last {
                assert_eq!((place.sequence, place.timestamp), (sequence + 1, timestamp + 960));
            }
            last = Some((place.sequence, place.timestamp));
        }
    }

    #[test]
    fn one_stray_packet_is_not_believed_and_two_begin_a_new_stream() {
        let mut counters = Counters::default();
        let info = PayloadInfo::plain(960);
        counters.place(&header(10, 9_600, 1), &info, 0).expect("first");
        assert_eq!(counters.place(&header(40_000, 77, 1), &info, 960), None);
        let next = counters
            .place(&header(11, 10_560, 1), &info, 960)
            .expect("the stream goes on");
        assert_eq!((next.sequence, next.restart), (11, false));
        assert_eq!(counters.place(&header(500, 0, 2), &info, 48_000), None);
        let new = counters
            .place(&header(501, 960, 2), &info, 48_960)
            .expect("new stream");
        assert_eq!(
            new,
            Place {
                sequence: 12,
                timestamp: 10_560 + 48_000,
                restart: true
            }
        );
        assert_eq!(
            counters.place(&header(502, 1_920, 2), &info, 49_920),
            Some(Place {
                sequence: 13,
                timestamp: 11_520 + 48_000,
                restart: false
            })
        );
    }

    #[test]
    fn counters_that_contradict_each_other_are_suspect() {
        let mut counters = Counters::default();
        let info = PayloadInfo::plain(960);
        counters.place(&header(10, 96_000, 1), &info, 0).expect("first");
        assert_eq!(counters.place(&header(11, 95_000, 1), &info, 960), None);
        assert_eq!(counters.place(&header(9, 97_000, 1), &info, 960), None);
        assert_eq!(
            counters.place(&header(12, 96_000 + 48_000 * 60, 1), &info, 960),
            None
        );
    }
}
