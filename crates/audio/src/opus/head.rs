//! The identification header: `OpusHead` of Ogg and WebM (RFC 7845 §5.1), `dOps` of MP4 (Opus in ISOBMFF §4.3.2).

use crate::Error;

/// Identification header of a stream that needs one Opus decoder (channel mapping family 0 or its equal).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusHead {
    /// Channels to play: 1 or 2.
    pub channels: u8,
    /// Samples at 48 kHz to drop from the start of the decoded sound.
    pub pre_skip: u16,
    /// Sample rate of the original recording in Hz, for information; 0 = unknown.
    pub input_sample_rate: u32,
    /// Gain to apply on decoding, in 1/256 dB.
    pub output_gain: i16,
}

impl OpusHead {
    /// The header of a recording made here: no gain, 48 kHz.
    pub fn new(channels: u8, pre_skip: u16) -> Self {
        OpusHead {
            channels,
            pre_skip,
            input_sample_rate: 48_000,
            output_gain: 0,
        }
    }

    /// Reads an `OpusHead` packet (little-endian, version 0..=15).
    ///
    /// # Errors
    /// `Corrupt` when it is not one; `Unsupported` when it takes more than one decoder (multistream).
    pub fn parse(packet: &[u8]) -> Result<Self, Error> {
        Identification::parse(packet)?.single()
    }

    /// Reads the payload of an MP4 `dOps` box (big-endian, version 0).
    ///
    /// # Errors
    /// As [`OpusHead::parse`].
    pub fn parse_dops(payload: &[u8]) -> Result<Self, Error> {
        Identification::parse_dops(payload)?.single()
    }

    /// The 19 bytes of the `OpusHead` packet, version 1, mapping family 0.
    pub fn to_bytes(&self) -> [u8; 19] {
        let mut out = *b"OpusHead\x01\0\0\0\0\0\0\0\0\0\0";
        out[9] = self.channels;
        out[10..12].copy_from_slice(&self.pre_skip.to_le_bytes());
        out[12..16].copy_from_slice(&self.input_sample_rate.to_le_bytes());
        out[16..18].copy_from_slice(&self.output_gain.to_le_bytes());
        out
    }
}

/// The identification header of any stream, of one or of several decoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identification {
    pub(crate) head: OpusHead,
    /// How several streams make up the channels; `None` when one decoder gives them all in order.
    pub(crate) mapping: Option<Mapping>,
}

/// Lookahead of libopus at 48 kHz: what Chromium and the writers of CAF leave unsaid, though their encoders have it like
/// any other.
pub(crate) const LIBOPUS_DELAY: u16 = 312;

/// Most channels of several streams: those of mapping family 1.
pub(crate) const MAX_CHANNELS: usize = 8;

/// Several streams in one (RFC 7845 §5.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) streams: u8,
    /// How many of them, the first ones, are stereo.
    pub(crate) coupled: u8,
    /// Which decoded channel each channel is; 255 = silence. As many count as there are channels.
    pub(crate) table: [u8; MAX_CHANNELS],
    /// The channel of low-frequency effects, where the family names one.
    pub(crate) lfe: Option<usize>,
}

impl Identification {
    /// Reads an `OpusHead` packet.
    pub(crate) fn parse(packet: &[u8]) -> Result<Self, Error> {
        let body = packet
            .strip_prefix(b"OpusHead")
            .ok_or_else(|| Error::corrupt("no OpusHead"))?;
        let fields = Fields::split(body).ok_or_else(|| Error::corrupt("OpusHead is too short"))?;
        if fields.version >= 16 {
            return Err(Error::unsupported(format!("OpusHead version {}", fields.version)));
        }
        Ok(Self {
            mapping: fields.mapping()?,
            head: OpusHead {
                channels: fields.channels,
                pre_skip: u16::from_le_bytes(fields.pre_skip),
                input_sample_rate: u32::from_le_bytes(fields.input_sample_rate),
                output_gain: i16::from_le_bytes(fields.output_gain),
            },
        })
    }

    /// Reads the payload of an MP4 `dOps` box.
    pub(crate) fn parse_dops(payload: &[u8]) -> Result<Self, Error> {
        let fields = Fields::split(payload).ok_or_else(|| Error::corrupt("dOps is too short"))?;
        if fields.version != 0 {
            return Err(Error::unsupported(format!("dOps version {}", fields.version)));
        }
        Ok(Self {
            mapping: fields.mapping()?,
            head: OpusHead {
                channels: fields.channels,
                pre_skip: u16::from_be_bytes(fields.pre_skip),
                input_sample_rate: u32::from_be_bytes(fields.input_sample_rate),
                output_gain: i16::from_be_bytes(fields.output_gain),
            },
        })
    }

    fn single(self) -> Result<OpusHead, Error> {
        match self.mapping {
            None => Ok(self.head),
            Some(mapping) => Err(Error::unsupported(format!(
                "Opus with {} channels in {} streams",
                self.head.channels, mapping.streams
            ))),
        }
    }
}

impl From<OpusHead> for Identification {
    fn from(head: OpusHead) -> Self {
        Self { head, mapping: None }
    }
}

/// What both forms have in the same order, each in its own byte order.
struct Fields<'a> {
    version: u8,
    channels: u8,
    pre_skip: [u8; 2],
    input_sample_rate: [u8; 4],
    output_gain: [u8; 2],
    family: u8,
    mapping: &'a [u8],
}

impl<'a> Fields<'a> {
    /// None when it is too short.
    fn split(bytes: &'a [u8]) -> Option<Self> {
        let (&[version, channels], rest) = bytes.split_first_chunk()?;
        let (&pre_skip, rest) = rest.split_first_chunk()?;
        let (&input_sample_rate, rest) = rest.split_first_chunk()?;
        let (&output_gain, rest) = rest.split_first_chunk()?;
        let (&family, mapping) = rest.split_first()?;
        Some(Self {
            version,
            channels,
            pre_skip,
            input_sample_rate,
            output_gain,
            family,
            mapping,
        })
    }

    /// Families other than 0 say the same in more words when they have a single stream and an identity mapping.
    /// Families 1 (loudspeakers) and 255 (no meaning) are mixed down; ambisonics (2 and 3) would need a matrix.
    fn mapping(&self) -> Result<Option<Mapping>, Error> {
        let (channels, family) = (usize::from(self.channels), self.family);
        match (family, channels) {
            (_, 0) => return Err(Error::corrupt("Opus with no channels")),
            (0, 1 | 2) => return Ok(None),
            (0, _) => {
                return Err(Error::corrupt(
                    "Opus mapping family 0 with more than two channels",
                ));
            }
            (1 | 255, 1..=MAX_CHANNELS) => {}
            _ => {
                return Err(Error::unsupported(format!(
                    "Opus with {channels} channels (mapping family {family})"
                )));
            }
        }
        let (&[streams, coupled], table) = self
            .mapping
            .split_first_chunk()
            .ok_or_else(|| Error::corrupt("Opus channel mapping is cut off"))?;
        let table = table
            .get(..channels)
            .ok_or_else(|| Error::corrupt("Opus channel mapping is cut off"))?;
        let decoded = u16::from(streams) + u16::from(coupled);
        if usize::from(streams) > MAX_CHANNELS {
            return Err(Error::unsupported(format!("Opus in {streams} streams")));
        }
        if streams == 0
            || coupled > streams
            || table
                .iter()
                .any(|&from| from != 255 && u16::from(from) >= decoded)
        {
            return Err(Error::corrupt(
                "Opus channel mapping names streams that are not there",
            ));
        }
        if streams == 1 && channels == usize::from(decoded) && table.iter().copied().eq(0..self.channels) {
            return Ok(None);
        }
        let mut padded = [255; MAX_CHANNELS];
        padded[..channels].copy_from_slice(table);
        Ok(Some(Mapping {
            streams,
            coupled,
            table: padded,
            // The order of Vorbis puts it last.
            lfe: (family == 1 && channels >= 6).then_some(channels - 1),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: OpusHead = OpusHead {
        channels: 2,
        pre_skip: 312,
        input_sample_rate: 44_100,
        output_gain: -256,
    };

    #[test]
    fn a_written_head_reads_back() {
        assert_eq!(OpusHead::parse(&HEAD.to_bytes()).unwrap(), HEAD);
    }

    #[test]
    fn dops_is_the_same_header_in_big_endian() {
        let dops = [0, 2, 0x01, 0x38, 0, 0, 0xAC, 0x44, 0xFF, 0x00, 0];
        assert_eq!(OpusHead::parse_dops(&dops).unwrap(), HEAD);
    }

    #[test]
    fn a_single_stream_in_family_1_or_255_is_as_good_as_family_0() {
        for family in [1, 255] {
            let mut bytes = HEAD.to_bytes().to_vec();
            bytes[18] = family;
            bytes.extend([1, 1, 0, 1]);
            assert_eq!(OpusHead::parse(&bytes).unwrap(), HEAD);
        }
    }

    #[test]
    fn multistream_and_swapped_channels_are_unsupported_and_named() {
        for (channels, mapping) in [
            (6, &[4, 2, 0, 4, 1, 2, 3, 5][..]),
            (2, &[1, 1, 1, 0]),
            (2, &[2, 0, 0, 1]),
            (1, &[1, 1, 0]),
        ] {
            let mut bytes = HEAD.to_bytes().to_vec();
            bytes[9] = channels;
            bytes[18] = 1;
            bytes.extend(mapping);
            let e = OpusHead::parse(&bytes).unwrap_err();
            assert_eq!(e.code(), "audio_unsupported");
            assert!(e.to_string().contains(&format!("{channels} channels")), "{e}");
            let found = Identification::parse(&bytes).unwrap();
            assert_eq!(found.head.channels, channels);
            assert_eq!(found.mapping.unwrap().lfe, (channels == 6).then_some(5));
        }
    }

    #[test]
    fn a_mapping_of_streams_that_are_not_there_is_corrupt() {
        for mapping in [
            &[0, 0, 0, 0, 0][..],
            &[1, 2, 0, 1, 2],
            &[2, 0, 0, 1, 2],
            &[3, 0, 0, 1],
            &[3],
        ] {
            let mut bytes = HEAD.to_bytes().to_vec();
            (bytes[9], bytes[18]) = (3, 1);
            bytes.extend(mapping);
            let e = Identification::parse(&bytes).unwrap_err();
            assert_eq!(e.code(), "audio_corrupt", "{mapping:?}");
        }
    }

    #[test]
    fn ambisonics_and_more_than_eight_channels_are_unsupported() {
        for (channels, family) in [(4, 2), (4, 3), (9, 255), (9, 1), (255, 1)] {
            let mut bytes = HEAD.to_bytes().to_vec();
            (bytes[9], bytes[18]) = (channels, family);
            bytes.extend([channels, 0]);
            bytes.extend(0..channels);
            let e = Identification::parse(&bytes).unwrap_err();
            assert_eq!(e.code(), "audio_unsupported");
        }
    }

    #[test]
    fn every_cut_of_a_head_is_an_error() {
        let bytes = HEAD.to_bytes();
        for n in 0..bytes.len() {
            assert_eq!(OpusHead::parse(&bytes[..n]).unwrap_err().code(), "audio_corrupt");
        }
    }

    #[test]
    fn no_channels_and_three_channels_in_family_0_are_corrupt() {
        for channels in [0, 3] {
            let mut bytes = HEAD.to_bytes();
            bytes[9] = channels;
            assert_eq!(OpusHead::parse(&bytes).unwrap_err().code(), "audio_corrupt");
        }
    }
}
