//! Opus out of Core Audio Format, as older iOS recorded it: packets one after the other, their sizes in a table of their
//! own (Apple Core Audio Format Specification 1.0, "Packet Table Chunk").

use super::source::Source;
use super::{Demux, Ending, Event, Packets, Track, printable};
use crate::opus::head::LIBOPUS_DELAY;
use crate::opus::packet;
use crate::{Codec, Error, OpusHead};

/// The largest packet table that is read: a day of 20 ms packets.
const MAX_TABLE: u64 = 16 << 20;
/// Chunks that are looked at.
const MAX_CHUNKS: usize = 10_000;
/// Name and 64-bit size.
const CHUNK_HEADER: u64 = 12;
/// `mSampleRate` to `mBitsPerChannel`.
const DESCRIPTION: usize = 32;
/// `mNumberPackets` to `mRemainderFrames`.
const TABLE_HEADER: usize = 24;
/// The edit count that the sound data begins with.
const EDIT_COUNT: u64 = 4;

/// What the description says (`CAFAudioFormat`).
struct Description {
    rate: f64,
    format: [u8; 4],
    bytes_per_packet: u32,
    frames_per_packet: u32,
    channels: u32,
}

impl Description {
    /// Reads the head of the file and the description, which has to come first.
    fn read(source: &mut Source<'_>) -> Result<Self, Error> {
        let head = source.peek(8 + CHUNK_HEADER as usize + DESCRIPTION)?;
        let body = head.get(20..).filter(|body| body.len() == DESCRIPTION);
        let (Some(b"desc"), Some(body)) = (head.get(8..12), body) else {
            return Err(Error::corrupt("a CAF file without a description"));
        };
        let word = |at: usize| u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
        let rate = f64::from_bits(u64::from(word(0)) << 32 | u64::from(word(4)));
        Ok(Self {
            rate,
            format: word(8).to_be_bytes(),
            bytes_per_packet: word(16),
            frames_per_packet: word(20),
            channels: word(24),
        })
    }

    fn codec(&self) -> Codec {
        match &self.format {
            b"lpcm" | b"ulaw" | b"alaw" => Codec::Pcm,
            b"ima4" => Codec::Adpcm,
            b"alac" => Codec::Alac,
            b"aac " => Codec::Aac,
            b".mp3" => Codec::Mp3,
            b"flac" => Codec::Flac,
            b"opus" => Codec::Opus,
            b"aach" => Codec::Other("HE-AAC in CAF".into()),
            b"aacp" => Codec::Other("HE-AAC v2 in CAF".into()),
            b"samr" => Codec::Other("AMR in CAF".into()),
            other => Codec::Other(printable(other)),
        }
    }

    /// Frames of the description's clock in samples at 48 kHz.
    fn samples_48k(&self, frames: u64) -> u64 {
        (frames as f64 * 48_000.0 / self.rate).round() as u64
    }
}

/// Where the sound and its table are.
#[derive(Default)]
struct Chunks {
    /// First byte and size of the packets.
    data: Option<(u64, u64)>,
    table: Vec<u8>,
    truncated: bool,
}

impl Chunks {
    fn find(source: &mut Source<'_>) -> Result<Self, Error> {
        let mut found = Self::default();
        source.seek(8)?;
        for _ in 0..MAX_CHUNKS {
            let &[a, b, c, d, ref size @ ..] = source.peek(CHUNK_HEADER as usize)? else {
                break;
            };
            let Ok(size) = size.try_into().map(u64::from_be_bytes) else {
                break;
            };
            source.skip(CHUNK_HEADER)?;
            // −1 stands for the rest of the file; other negative sizes are as wrong as those past the end.
            let there = size.min(source.left());
            found.truncated |= there < size && size != u64::MAX;
            let begin = source.position();
            match &[a, b, c, d] {
                b"data" if found.data.is_none() => {
                    found.data = Some((begin + EDIT_COUNT, there.saturating_sub(EDIT_COUNT)));
                }
                b"pakt" if found.table.is_empty() => {
                    if there > MAX_TABLE {
                        return Err(Error::corrupt("a CAF packet table of absurd size"));
                    }
                    while (found.table.len() as u64) < there {
                        let left = there - found.table.len() as u64;
                        let piece = source.peek(left.min(64 << 10) as usize)?;
                        found.table.extend_from_slice(piece);
                        let read = piece.len() as u64;
                        source.skip(read)?;
                    }
                }
                _ => {}
            }
            source.seek(begin + there)?;
        }
        Ok(found)
    }
}

/// Finds out what a CAF file holds; Opus is read here.
pub(crate) fn open(mut source: Source<'_>) -> Result<Track<'_>, Error> {
    let description = Description::read(&mut source)?;
    if description.codec() != Codec::Opus {
        return Ok(Track::Other(description.codec()));
    }
    if !(1.0..=1e6).contains(&description.rate) {
        return Err(Error::corrupt("a CAF file with an impossible sample rate"));
    }
    let channels = match description.channels {
        n @ 1..=2 => n as u8,
        n => return Err(Error::unsupported(format!("Opus in CAF with {n} channels"))),
    };
    let Chunks {
        data,
        table,
        truncated,
    } = Chunks::find(&mut source)?;
    let (begin, left) = data.ok_or_else(|| Error::corrupt("a CAF file without sound data"))?;
    let Some((header, entries)) = table.split_at_checked(TABLE_HEADER) else {
        return Err(Error::corrupt("Opus in CAF without a packet table"));
    };
    let word = |at: usize| i32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let priming = description.samples_48k(word(16).max(0).unsigned_abs().into());
    let remainder = description.samples_48k(word(20).max(0).unsigned_abs().into());
    let mut head = OpusHead::new(channels, u16::try_from(priming).unwrap_or(0));
    if head.pre_skip == 0 {
        head.pre_skip = LIBOPUS_DELAY;
    }
    head.input_sample_rate = description.rate as u32;
    let entries = entries.to_vec();
    source.seek(begin)?;
    Ok(Track::Opus(Box::new(CafOpus {
        source,
        head,
        left,
        entries,
        at: 0,
        fixed_size: description.bytes_per_packet,
        has_durations: description.frames_per_packet == 0,
        discard: remainder,
        truncated,
    })))
}

/// Reads Opus packets by the table of their sizes.
struct CafOpus<'a> {
    source: Source<'a>,
    head: OpusHead,
    /// Bytes of sound data that are left.
    left: u64,
    /// The table: numbers of seven bits to a byte.
    entries: Vec<u8>,
    at: usize,
    /// One size for all, or 0.
    fixed_size: u32,
    /// Each entry has a duration too.
    has_durations: bool,
    discard: u64,
    truncated: bool,
}

impl CafOpus<'_> {
    /// The size of the next packet; `None` at the end of the table.
    fn size(&mut self) -> Option<u64> {
        let size = match self.fixed_size {
            0 => self.number()?,
            size => size.into(),
        };
        if self.has_durations {
            self.number()?;
        }
        Some(size)
    }

    /// Seven bits to a byte, the last one without the top bit; five bytes at most.
    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for _ in 0..5 {
            let byte = *self.entries.get(self.at)?;
            self.at += 1;
            value = value << 7 | u64::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

impl Demux for CafOpus<'_> {
    fn head(&self) -> OpusHead {
        self.head
    }
}

impl Packets for CafOpus<'_> {
    fn next(&mut self) -> Result<Option<Event<'_>>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        let Some(size) = self.size() else {
            // Sound without sizes.
            self.truncated |= self.left > 0;
            return Ok(None);
        };
        if size > self.left {
            self.truncated = true;
            self.left = 0;
            return Ok(None);
        }
        self.left -= size;
        let data: &[u8] = if size > packet::MAX_PACKET_BYTES as u64 {
            // No packet is that long: let it be refused as one that is empty.
            self.source.skip(size)?;
            &[]
        } else {
            self.source.take(size as usize)?.unwrap_or(&[])
        };
        Ok(Some(Event::Packet { data, at: None }))
    }

    fn ending(&self) -> Ending {
        Ending {
            // What was cut off took the padding with it.
            discard: if self.truncated { 0 } else { self.discard },
            truncated: self.truncated,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::container::testing::{any_packets, demux, samples, total};

    fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut chunk = name.to_vec();
        chunk.extend((body.len() as u64).to_be_bytes());
        chunk.extend(body);
        chunk
    }

    fn number(mut value: usize, out: &mut Vec<u8>) {
        let mut bytes = vec![(value & 0x7F) as u8];
        while value > 0x7F {
            value >>= 7;
            bytes.push((value & 0x7F) as u8 | 0x80);
        }
        out.extend(bytes.iter().rev());
    }

    fn description(rate: f64, frames_per_packet: u32, channels: u32) -> Vec<u8> {
        let mut body = rate.to_be_bytes().to_vec();
        body.extend(b"opus\0\0\0\0\0\0\0\0");
        body.extend(frames_per_packet.to_be_bytes());
        body.extend(channels.to_be_bytes());
        body.extend([0; 4]);
        [b"caff\0\x01\0\0".as_slice(), &chunk(b"desc", &body)].concat()
    }

    fn table(packets: &[Vec<u8>], claimed: i64, priming: i32, remainder: i32, durations: bool) -> Vec<u8> {
        let mut body = claimed.to_be_bytes().to_vec();
        body.extend([0; 8]);
        body.extend(priming.to_be_bytes());
        body.extend(remainder.to_be_bytes());
        for packet in packets {
            number(packet.len(), &mut body);
            if durations {
                number(samples(packet) as usize, &mut body);
            }
        }
        chunk(b"pakt", &body)
    }

    fn data(packets: &[Vec<u8>]) -> Vec<u8> {
        chunk(b"data", &[&[0; 4], packets.concat().as_slice()].concat())
    }

    proptest! {
        #[test]
        fn any_packets_come_out_as_they_went_in(
            packets in any_packets(), priming in 1u16..5_000, remainder in 0i32..500, table_first: bool, durations: bool,
        ) {
            let head = description(48_000.0, if durations { 0 } else { 960 }, 2);
            let table = table(&packets, packets.len() as i64, priming.into(), remainder, durations);
            let mut sound = data(&packets);
            let file = if table_first {
                // The last chunk may leave its size open.
                sound[4..12].fill(0xFF);
                [head, table, sound].concat()
            } else {
                [head, sound, table].concat()
            };
            let found = demux(&file).unwrap();
            prop_assert_eq!((found.head.channels, found.head.pre_skip), (2, priming));
            prop_assert_eq!(found.ending, Ending { discard: remainder as u64, truncated: false });
            prop_assert_eq!(found.time(), total(&packets));
            prop_assert!(found.packets == packets);
        }

        #[test]
        fn every_cut_is_an_error_or_a_truncated_start(packets in any_packets(), part in 0.0f64..1.0) {
            let file = [
                description(48_000.0, 960, 1), table(&packets, packets.len() as i64, 312, 0, false), data(&packets),
            ].concat();
            let file = &file[..(file.len() as f64 * part) as usize];
            if let Ok(found) = demux(file) {
                prop_assert!(found.ending.truncated || found.packets.len() == packets.len());
                prop_assert!(packets.starts_with(&found.packets));
            }
        }
    }

    #[test]
    fn frames_of_another_clock_are_brought_to_48_khz() {
        let packets = vec![vec![0x78; 40]; 10];
        let file = [
            description(16_000.0, 320, 1),
            data(&packets),
            table(&packets, 10, 160, 40, false),
        ]
        .concat();
        let found = demux(&file).unwrap();
        assert_eq!((found.head.pre_skip, found.ending.discard), (480, 120));
        assert_eq!(found.head.input_sample_rate, 16_000);
    }

    #[test]
    fn without_priming_it_is_that_of_libopus() {
        let packets = vec![vec![0x78; 40]; 10];
        let file = [
            description(48_000.0, 960, 1),
            data(&packets),
            table(&packets, 10, 0, 0, false),
        ]
        .concat();
        assert_eq!(demux(&file).unwrap().head.pre_skip, 312);
    }

    #[test]
    fn counts_and_sizes_that_are_only_claimed_cost_nothing() {
        let packets = vec![vec![0x78; 40]; 10];
        for claimed in [i64::MAX, -1, 0] {
            let table = table(&packets, claimed, i32::MAX, i32::MIN, false);
            let file = [description(48_000.0, 960, 1), data(&packets), table].concat();
            assert_eq!(demux(&file).unwrap().packets.len(), 10);
        }
        // A table of numbers without end, and one whose only packet is larger than the file.
        for entries in [&[0xFF; 100][..], &[0x8F, 0xFF, 0xFF, 0xFF, 0x7F]] {
            let table = chunk(b"pakt", &[&[0; 24], entries].concat());
            let found = demux(&[description(48_000.0, 960, 1), data(&packets), table].concat()).unwrap();
            assert!(found.packets.is_empty() && found.ending.truncated);
        }
    }

    #[test]
    fn what_cannot_be_opus_is_refused() {
        let packets = vec![vec![0x78; 40]; 10];
        let rest = [data(&packets), table(&packets, 10, 0, 0, false)].concat();
        for (rate, channels, code) in [
            (48_000.0, 6, "audio_unsupported"),
            (48_000.0, 0, "audio_unsupported"),
            (f64::NAN, 1, "audio_corrupt"),
            (0.0, 1, "audio_corrupt"),
            (-48_000.0, 1, "audio_corrupt"),
            (f64::INFINITY, 1, "audio_corrupt"),
        ] {
            let file = [description(rate, 960, channels), rest.clone()].concat();
            assert_eq!(
                demux(&file).unwrap_err().code(),
                code,
                "{rate} Hz, {channels} channels"
            );
        }
        let head = description(48_000.0, 960, 1);
        assert_eq!(demux(&head).unwrap_err().code(), "audio_corrupt");
        assert_eq!(
            demux(&[head, data(&packets)].concat()).unwrap_err().code(),
            "audio_corrupt"
        );
    }
}
