//! AMR frames (RFC 4867 §5.3): a byte that tells the type, then as many as that type has. A file is a magic line and
//! frames one after the other; a sample of MP4 is some of them without the line.

use super::source::Source;
use super::{Ending, Event, Packets, Track};
use crate::Error;

/// Which of the two codecs: they share everything around the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AmrBand {
    /// AMR, 8 kHz.
    Narrow,
    /// AMR-WB, 16 kHz.
    Wide,
}

/// What one frame says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHead {
    /// FT: the mode of speech, or what is there instead of speech.
    pub(crate) kind: u8,
    /// Q: the bits are not known to be damaged.
    pub(crate) good: bool,
    /// Bytes after the head.
    pub(crate) size: usize,
}

/// Longest frame: AMR-WB at 23.85 kbit/s.
const MAX_FRAME: usize = 61;
/// Frames in a row that make a place a frame's beginning where nothing else says so.
const CHAIN: usize = 4;
/// Frames without a magic line have to be this many, or all of the file.
const CHAIN_WITHOUT_MAGIC: usize = 32;
/// A file this short (100 ms) is not taken for AMR without a magic line.
const FEWEST_WITHOUT_MAGIC: usize = 5;

impl AmrBand {
    /// Reads a frame's first byte; `None` for types that are reserved or for another codec, and for padding that is not
    /// zero.
    pub(crate) fn head(self, byte: u8) -> Option<FrameHead> {
        const NARROW: [usize; 9] = [12, 13, 15, 17, 19, 20, 26, 31, 5];
        const WIDE: [usize; 10] = [17, 23, 32, 36, 40, 46, 50, 58, 60, 5];
        let kind = byte >> 3 & 15;
        let size = match (self, kind) {
            // SPEECH_LOST is known to AMR-WB only.
            (AmrBand::Wide, 14) | (_, 15) => 0,
            (AmrBand::Narrow, kind) => *NARROW.get(usize::from(kind))?,
            (AmrBand::Wide, kind) => *WIDE.get(usize::from(kind))?,
        };
        (byte & 0b1000_0011 == 0).then_some(FrameHead {
            kind,
            good: byte & 4 != 0,
            size,
        })
    }

    /// The type of comfort noise (SID).
    pub(crate) fn sid(self) -> u8 {
        match self {
            AmrBand::Narrow => 8,
            AmrBand::Wide => 9,
        }
    }

    /// How many frames follow one another from the beginning, at most `most`, and whether they end where the bytes end.
    fn chain(self, mut bytes: &[u8], most: usize) -> (usize, bool) {
        for n in 0..most {
            let Some((&first, rest)) = bytes.split_first() else {
                return (n, true);
            };
            let next = self.head(first).and_then(|head| rest.get(head.size..));
            let Some(next) = next else { return (n, false) };
            bytes = next;
        }
        (most, bytes.is_empty())
    }
}

/// Which of the codecs a file without the magic line holds. Frames alone are weak evidence: there have to be many, they
/// must not be text, and the senders of such files mark none as damaged.
pub(crate) fn without_magic(bytes: &[u8], is_whole: bool) -> Option<AmrBand> {
    let is_text = bytes.iter().all(|&b| b >= 0x20 || b.is_ascii_whitespace());
    if is_text {
        return None;
    }
    [AmrBand::Narrow, AmrBand::Wide].into_iter().find(|band| {
        let (frames, at_end) = band.chain(bytes, CHAIN_WITHOUT_MAGIC);
        let enough = frames == CHAIN_WITHOUT_MAGIC || (frames >= FEWEST_WITHOUT_MAGIC && at_end && is_whole);
        let mut rest = bytes;
        enough
            && (0..frames).all(|_| {
                let head = rest.first().and_then(|&first| band.head(first));
                rest = head.map_or(&[], |head| &rest[1 + head.size..]);
                head.is_some_and(|head| head.good)
            })
    })
}

/// Opens an AMR file, with or without its magic line.
pub(crate) fn open(mut source: Source<'_>) -> Result<Track<'_>, Error> {
    let head = source.peek(16)?;
    let (band, magic) = if head.starts_with(b"#!AMR\n") {
        (AmrBand::Narrow, 6)
    } else if head.starts_with(b"#!AMR-WB\n") {
        (AmrBand::Wide, 9)
    } else if head.starts_with(b"#!AMR_MC") || head.starts_with(b"#!AMR-WB_MC") {
        return Err(Error::unsupported("AMR with several channels"));
    } else if head.starts_with(b"#!AMR") {
        return Err(Error::corrupt("the first line of an AMR file is damaged"));
    } else {
        let len = source.len();
        let bytes = source.peek(4096)?;
        let is_whole = bytes.len() as u64 == len;
        (without_magic(bytes, is_whole).ok_or(Error::Unrecognised)?, 0)
    };
    source.skip(magic)?;
    Ok(Track::Amr(
        band,
        Box::new(AmrFile {
            source,
            band,
            truncated: false,
        }),
    ))
}

/// Reads the frames of an AMR file, one to a packet.
struct AmrFile<'a> {
    source: Source<'a>,
    band: AmrBand,
    truncated: bool,
}

impl AmrFile<'_> {
    /// Goes on to where frames follow one another again.
    fn resync(&mut self) -> Result<(), Error> {
        self.truncated = true;
        let band = self.band;
        // Whatever the first byte of a frame may be.
        let first: Vec<u8> = (0..=0x7C).filter(|&byte| band.head(byte).is_some()).collect();
        self.source.skip(1)?;
        self.source.find(&first, CHAIN * MAX_FRAME, |bytes| {
            let (frames, at_end) = band.chain(bytes, CHAIN);
            frames == CHAIN || (frames > 0 && at_end)
        })?;
        Ok(())
    }
}

impl Packets for AmrFile<'_> {
    fn next(&mut self) -> Result<Option<Event<'_>>, Error> {
        let size = loop {
            let Some(&first) = self.source.peek(1)?.first() else {
                return Ok(None);
            };
            match self.band.head(first) {
                Some(head) if self.source.left() > head.size as u64 => break 1 + head.size,
                // The last frame was cut.
                Some(_) => {
                    self.truncated = true;
                    return Ok(None);
                }
                None => self.resync()?,
            }
        };
        let data = self.source.take(size)?.unwrap_or(&[]);
        Ok(Some(Event::Packet { data, at: None }))
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

    /// Frames of 12.2 kbit/s, with no two bytes alike.
    fn frames(count: u8) -> Vec<u8> {
        (0..count)
            .flat_map(|n| std::iter::once(0x3C).chain((0..31).map(move |i| n.wrapping_mul(31) ^ i)))
            .collect()
    }

    fn read(file: &[u8]) -> Result<(Vec<usize>, bool), Error> {
        let mut input = Cursor::new(file);
        let (_, Track::Amr(_, mut packets)) = open(&mut input)? else {
            return Err(Error::Unrecognised);
        };
        let mut sizes = Vec::new();
        while let Some(event) = packets.next()? {
            let Event::Packet { data, .. } = event else {
                panic!("AMR has no gaps")
            };
            sizes.push(data.len());
        }
        Ok((sizes, packets.ending().truncated))
    }

    #[test]
    fn frames_are_found_with_and_without_the_magic_line() {
        let with = [b"#!AMR\n".as_slice(), &frames(40)].concat();
        assert_eq!(read(&with).unwrap(), (vec![32; 40], false));
        assert_eq!(read(&frames(40)).unwrap(), (vec![32; 40], false));
        assert_eq!(read(&frames(5)).unwrap(), (vec![32; 5], false));
    }

    #[test]
    fn few_frames_frames_marked_as_damaged_and_other_bytes_are_not_amr() {
        let mut damaged = frames(40);
        damaged[32] = 0x38;
        let cut = &frames(40)[..20 * 32 + 7];
        for bytes in [
            &frames(4)[..],
            &damaged,
            cut,
            &[0x7C; 4],
            &[0; 4096],
            b"DDDDDDDDDDDDDDDDDDDDDD",
        ] {
            assert_eq!(read(bytes).unwrap_err().code(), "audio_unrecognised");
        }
    }

    #[test]
    fn several_channels_and_a_damaged_magic_line_are_refused_by_name() {
        let error = read(b"#!AMR_MC1.0\n\0\0\0\x02").unwrap_err();
        assert_eq!(error.to_string(), "AMR with several channels cannot be read here");
        assert_eq!(read(b"#!AMRX\n\x3C").unwrap_err().code(), "audio_corrupt");
    }

    #[test]
    fn a_stretch_of_other_bytes_costs_itself_only() {
        let file = [b"#!AMR\n".as_slice(), &frames(20), &[0xFF; 500], &frames(20)].concat();
        assert_eq!(read(&file).unwrap(), (vec![32; 40], true));
    }

    #[test]
    fn a_cut_frame_is_left_out_and_said() {
        let file = [b"#!AMR\n".as_slice(), &frames(20)].concat();
        for cut in 1..32 {
            assert_eq!(
                read(&file[..file.len() - cut]).unwrap(),
                (vec![32; 19], true),
                "{cut}"
            );
        }
    }

    #[test]
    fn sizes_are_those_of_the_standard() {
        // TS 26.101 annex A and TS 26.201 annex A, in bits.
        let narrow = [95, 103, 118, 134, 148, 159, 204, 244, 39];
        let wide = [132, 177, 253, 285, 317, 365, 397, 461, 477, 40];
        for (band, bits) in [(AmrBand::Narrow, &narrow[..]), (AmrBand::Wide, &wide)] {
            for (kind, bits) in (0..).zip(bits) {
                let head = band.head(kind << 3 | 4).unwrap();
                assert_eq!(
                    (head.kind, head.good, head.size),
                    (kind, true, usize::div_ceil(*bits, 8))
                );
            }
            assert_eq!(band.head(0x7C).unwrap().size, 0);
            assert_eq!(band.head(0x5C), None);
            assert_eq!(band.head(0x3D), None);
        }
    }
}
