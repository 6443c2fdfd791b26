//! SILK v3 as WeChat stores it: the line `#!SILK_V3`, often behind a byte 0x02, then packets, each behind its size in 16
//! bits, little-endian. The SDK ends a file with the size −1, WeChat just ends it. A size of 0 is a pause (DTX).

use super::source::Source;
use super::{Ending, Event, Packets, Track};
use crate::{Codec, Error};

const MAGIC: &[u8] = b"#!SILK_V3";
/// What the SDK's decoder takes (`MAX_ARITHM_BYTES`).
pub(crate) const MAX_PACKET: usize = 1_024;

/// Opens a SILK file, with or without the byte in front.
pub(crate) fn open(mut source: Source<'_>) -> Result<Track<'_>, Error> {
    let head = source.peek(MAGIC.len() + 1)?;
    let lead = usize::from(head.first() == Some(&2));
    if !head[lead..].starts_with(MAGIC) {
        return Ok(Track::Other(Codec::Other(
            "SILK of another version than 3".into(),
        )));
    }
    source.skip((lead + MAGIC.len()) as u64)?;
    Ok(Track::Silk(Box::new(SilkFile {
        source,
        packets: 0,
        truncated: false,
    })))
}

/// Reads the packets. Nothing but their sizes tells where they are, so that a damaged size ends the file.
struct SilkFile<'a> {
    source: Source<'a>,
    packets: u64,
    truncated: bool,
}

impl SilkFile<'_> {
    /// The size of the next packet; `None` at the end.
    fn size(&mut self) -> Result<Option<usize>, Error> {
        let size = match self.source.peek(2)? {
            &[low, high] => i16::from_le_bytes([low, high]),
            rest => {
                self.truncated |= !rest.is_empty();
                return Ok(None);
            }
        };
        let fits = usize::try_from(size)
            .ok()
            .filter(|&size| size <= MAX_PACKET && self.source.left() >= 2 + size as u64);
        if fits.is_some() || size == -1 {
            return Ok(fits);
        }
        if self.packets == 0 {
            return Err(Error::corrupt("the first packet of a SILK file is damaged"));
        }
        self.truncated = true;
        Ok(None)
    }
}

impl Packets for SilkFile<'_> {
    fn next(&mut self) -> Result<Option<Event<'_>>, Error> {
        let Some(size) = self.size()? else {
            return Ok(None);
        };
        self.packets += 1;
        let packet = self.source.take(2 + size)?.unwrap_or(&[0, 0]);
        Ok(Some(Event::Packet {
            data: &packet[2..],
            at: None,
        }))
    }

    fn ending(&self) -> Ending {
        Ending {
            discard: 0,
            truncated: self.truncated,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::sniff::open;

    fn file(lead: &[u8], packets: &[&[u8]], end: &[u8]) -> Vec<u8> {
        let mut file = [lead, MAGIC].concat();
        for packet in packets {
            file.extend((packet.len() as u16).to_le_bytes());
            file.extend(*packet);
        }
        file.extend(end);
        file
    }

    fn read(file: &[u8]) -> Result<(Vec<Vec<u8>>, bool), Error> {
        let mut input = Cursor::new(file);
        let (_, Track::Silk(mut packets)) = open(&mut input)? else {
            return Err(Error::Unrecognised);
        };
        let mut found = Vec::new();
        while let Some(event) = packets.next()? {
            let Event::Packet { data, .. } = event else {
                panic!("SILK has no gaps")
            };
            found.push(data.to_vec());
        }
        Ok((found, packets.ending().truncated))
    }

    #[test]
    fn packets_are_found_with_and_without_the_byte_in_front_and_the_size_at_the_end() {
        let packets: [&[u8]; 3] = [b"abc", b"", &[7; MAX_PACKET]];
        for lead in [&b"\x02"[..], b""] {
            for end in [&b"\xFF\xFF"[..], b"", b"\xFF\xFFwhatever"] {
                let (found, truncated) = read(&file(lead, &packets, end)).unwrap();
                assert_eq!(found, packets);
                assert!(!truncated);
            }
        }
    }

    #[test]
    fn a_damaged_size_and_a_cut_packet_end_the_file_and_are_said() {
        for end in [&b"\x01\x04"[..], b"\x00\x80", b"\x05\x00abcd", b"\x05"] {
            let (found, truncated) = read(&file(b"", &[b"abc"], end)).unwrap();
            assert_eq!((found.len(), truncated), (1, true), "{end:?}");
        }
        assert_eq!(
            read(&file(b"", &[], b"\x01\x04")).unwrap_err().code(),
            "audio_corrupt"
        );
        assert_eq!(read(&file(b"", &[], b"")).unwrap(), (vec![], false));
    }

    #[test]
    fn another_version_is_named() {
        let mut input = Cursor::new(b"#!SILK_V2\0\0");
        assert!(
            matches!(open(&mut input).unwrap().1, Track::Other(Codec::Other(name)) if name.contains("SILK"))
        );
    }
}
