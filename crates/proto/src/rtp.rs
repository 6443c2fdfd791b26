//! RTP packets (RFC 3550 §5.1): reading and writing of the fixed header, and the arithmetic of wrapping counters.

/// The fixed part of an RTP header, what a receiver needs of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpHeader {
    /// Marker bit; for Opus set on the first packet after a pause (RFC 7587 §4.1).
    pub marker: bool,
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Sequence number; goes up by one for each packet and wraps.
    pub sequence: u16,
    /// Media time of the first sample, in samples at 48 kHz for Opus at whatever rate it codes; wraps.
    pub timestamp: u32,
    /// Synchronisation source: names one stream of one sender.
    pub ssrc: u32,
}

/// Why some bytes are no RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    /// Shorter than the header says it is.
    #[error("an RTP packet is cut off")]
    Truncated,
    /// Any other version than 2.
    #[error("RTP version {0} is not known")]
    Version(u8),
    /// The padding length is zero or longer than the payload.
    #[error("the padding of an RTP packet is wrong")]
    Padding,
}

/// Bytes of the header without contributing sources and extension.
pub const RTP_HEADER_BYTES: usize = 12;

impl RtpHeader {
    /// Splits a packet into header and payload. Contributing sources and the header extension are stepped over,
    /// padding is cut off.
    ///
    /// # Errors
    /// The first rule of RFC 3550 that the bytes break.
    pub fn parse(packet: &[u8]) -> Result<(Self, &[u8]), RtpError> {
        let (fixed, mut rest) = packet
            .split_first_chunk::<RTP_HEADER_BYTES>()
            .ok_or(RtpError::Truncated)?;
        let [flags, kind, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *fixed;
        if flags >> 6 != 2 {
            return Err(RtpError::Version(flags >> 6));
        }
        rest = rest
            .get(usize::from(flags & 0x0F) * 4..)
            .ok_or(RtpError::Truncated)?;
        if flags & 0x10 != 0 {
            let (head, after) = rest.split_first_chunk::<4>().ok_or(RtpError::Truncated)?;
            let words = usize::from(u16::from_be_bytes([head[2], head[3]]));
            rest = after.get(words * 4..).ok_or(RtpError::Truncated)?;
        }
        if flags & 0x20 != 0 {
            let padding = usize::from(*rest.last().ok_or(RtpError::Padding)?);
            let kept = rest.len().checked_sub(padding).ok_or(RtpError::Padding)?;
            if padding == 0 {
                return Err(RtpError::Padding);
            }
            rest = &rest[..kept];
        }
        let header = Self {
            marker: kind & 0x80 != 0,
            payload_type: kind & 0x7F,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
        };
        Ok((header, rest))
    }

    /// The header as bytes; the payload follows directly.
    pub fn to_bytes(&self) -> [u8; RTP_HEADER_BYTES] {
        let mut bytes = [0; RTP_HEADER_BYTES];
        bytes[0] = 0x80;
        bytes[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7F;
        bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..].copy_from_slice(&self.ssrc.to_be_bytes());
        bytes
    }
}

/// Extends a wrapped sequence number to the value nearest to `reference`.
pub fn extend_sequence(reference: i64, sequence: u16) -> i64 {
    reference.wrapping_add(i64::from(sequence.wrapping_sub(reference as u16) as i16))
}

/// Extends a wrapped timestamp to the value nearest to `reference`.
pub fn extend_timestamp(reference: i64, timestamp: u32) -> i64 {
    reference.wrapping_add(i64::from(timestamp.wrapping_sub(reference as u32) as i32))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: RtpHeader = RtpHeader {
        marker: true,
        payload_type: 111,
        sequence: 0xFFFE,
        timestamp: 0x8000_0001,
        ssrc: 0xDEAD_BEEF,
    };

    #[test]
    fn a_written_header_reads_back_with_its_payload() {
        let mut packet = HEADER.to_bytes().to_vec();
        packet.extend(b"opus");
        assert_eq!(RtpHeader::parse(&packet), Ok((HEADER, &b"opus"[..])));
    }

    #[test]
    fn sources_extension_and_padding_are_stepped_over() {
        let mut packet = HEADER.to_bytes().to_vec();
        packet[0] |= 0x30 | 2;
        packet.extend([1; 8]);
        packet.extend([0xBE, 0xDE, 0, 1, 9, 9, 9, 9]);
        packet.extend(b"opus\0\0\x03");
        assert_eq!(RtpHeader::parse(&packet), Ok((HEADER, &b"opus"[..])));
    }

    #[test]
    fn every_cut_and_every_wrong_length_is_an_error() {
        let mut packet = HEADER.to_bytes().to_vec();
        for n in 0..packet.len() {
            assert_eq!(RtpHeader::parse(&packet[..n]), Err(RtpError::Truncated));
        }
        packet[0] = 0x8F;
        assert_eq!(RtpHeader::parse(&packet), Err(RtpError::Truncated));
        packet[0] = 0x90;
        packet.extend([0, 0, 0xFF, 0xFF]);
        assert_eq!(RtpHeader::parse(&packet), Err(RtpError::Truncated));
        packet[0] = 0xA0;
        assert_eq!(RtpHeader::parse(&packet), Err(RtpError::Padding));
        packet[0] = 0x40;
        assert_eq!(RtpHeader::parse(&packet), Err(RtpError::Version(1)));
    }

    #[test]
    fn counters_are_extended_across_their_wrap_in_both_directions() {
        assert_eq!(extend_sequence(0xFFFF, 0), 0x1_0000);
        assert_eq!(extend_sequence(0x1_0000, 0xFFFF), 0xFFFF);
        assert_eq!(extend_timestamp(0xFFFF_FFFF, 959), 0x1_0000_03BF);
        assert_eq!(extend_timestamp(0x1_0000_0000, 0xFFFF_FC40), 0xFFFF_FC40);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok((header, payload)) = RtpHeader::parse(&bytes) {
                prop_assert!(payload.len() + RTP_HEADER_BYTES <= bytes.len());
                prop_assert_eq!(&header.to_bytes()[1..], &bytes[1..RTP_HEADER_BYTES]);
            }
        }
    }
}
