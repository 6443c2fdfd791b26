//! Packets in the bodies of binary messages.
//!
//! `0x01` and `0x02` hold one RTP packet, `0x04` holds entries of (u16 length, RTP packet). The server's log keeps packets in
//! the same entries.

use crate::{BINARY_HEAD_BYTES, BinaryKind, BinaryMessage};

/// Why the body of a bundle is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// An entry says that it is longer than what is left.
    #[error("a bundle is cut off")]
    Truncated,
}

/// The entries of a bundle, in order; ends after the first error.
#[derive(Debug, Clone)]
pub struct Entries<'a>(&'a [u8]);

/// Reads the body of a bundle. An empty one holds nothing.
pub fn entries(body: &[u8]) -> Entries<'_> {
    Entries(body)
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<&'a [u8], FramingError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let entry = self.0.split_first_chunk::<2>().and_then(|(length, rest)| {
            let length = usize::from(u16::from_be_bytes(*length));
            rest.split_at_checked(length)
        });
        match entry {
            Some((packet, rest)) => {
                self.0 = rest;
                Some(Ok(packet))
            }
            None => {
                self.0 = &[];
                Some(Err(FramingError::Truncated))
            }
        }
    }
}

/// Appends an entry; false, and nothing is appended, when the packet is longer than an entry can be.
pub fn push_entry(body: &mut Vec<u8>, packet: &[u8]) -> bool {
    let Ok(length) = u16::try_from(packet.len()) else {
        return false;
    };
    body.extend(length.to_be_bytes());
    body.extend_from_slice(packet);
    true
}

/// A binary message with as many of the packets as `max_bytes` holds, and how many those are; one alone goes unbundled. The
/// first goes in however long it is.
pub fn bundle<'a>(
    handle: u32,
    packets: impl IntoIterator<Item = &'a [u8]>,
    max_bytes: usize,
) -> (Vec<u8>, usize) {
    let mut message = BinaryMessage::head(BinaryKind::BundleUp, handle).to_vec();
    let mut count = 0;
    for packet in packets {
        let fits = message.len() + 2 + packet.len() <= max_bytes;
        if (count > 0 && !fits) || !push_entry(&mut message, packet) {
            break;
        }
        count += 1;
    }
    if count == 1 {
        message[0] = BinaryKind::PacketUp.byte();
        message.drain(BINARY_HEAD_BYTES..BINARY_HEAD_BYTES + 2);
    }
    (message, count)
}

/// A packet for a listener as a binary message.
pub fn packet_down(handle: u32, packet: &[u8]) -> Vec<u8> {
    [&BinaryMessage::head(BinaryKind::PacketDown, handle)[..], packet].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(message: &[u8]) -> Vec<Vec<u8>> {
        let message = BinaryMessage::parse(message).unwrap();
        match message.kind {
            BinaryKind::BundleUp => entries(message.body)
                .map(|entry| entry.unwrap().to_vec())
                .collect(),
            _ => vec![message.body.to_vec()],
        }
    }

    proptest! {
        #[test]
        fn what_is_bundled_comes_out_again_in_order(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..40),
            max in 0usize..3000,
        ) {
            let mut left = packets.as_slice();
            let mut read_back = Vec::new();
            while !left.is_empty() {
                let (message, count) = bundle(7, left.iter().map(Vec::as_slice), max);
                prop_assert!(count >= 1 && (count == 1 || message.len() <= max));
                prop_assert_eq!(BinaryMessage::parse(&message).unwrap().handle, 7);
                read_back.extend(read(&message));
                left = &left[count..];
            }
            prop_assert_eq!(read_back, packets);
        }

        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut used = 0;
            let mut cut = false;
            for entry in entries(&body) {
                prop_assert!(!cut, "it ends after an error");
                match entry {
                    Ok(packet) => used += 2 + packet.len(),
                    Err(FramingError::Truncated) => cut = true,
                }
            }
            prop_assert_eq!(used == body.len(), !cut);
        }
    }

    #[test]
    fn a_packet_down_is_its_head_and_itself() {
        assert_eq!(packet_down(1, b"rtp"), [&[2, 0, 0, 0, 1][..], b"rtp"].concat());
    }
}
