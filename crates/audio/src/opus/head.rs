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
        let body = packet
            .strip_prefix(b"OpusHead")
            .ok_or_else(|| Error::corrupt("no OpusHead"))?;
        let fields = Fields::split(body).ok_or_else(|| Error::corrupt("OpusHead is too short"))?;
        if fields.version >= 16 {
            return Err(Error::unsupported(format!("OpusHead version {}", fields.version)));
        }
        fields.check_mapping()?;
        Ok(OpusHead {
            channels: fields.channels,
            pre_skip: u16::from_le_bytes(fields.pre_skip),
            input_sample_rate: u32::from_le_bytes(fields.input_sample_rate),
            output_gain: i16::from_le_bytes(fields.output_gain),
        })
    }

    /// Reads the payload of an MP4 `dOps` box (big-endian, version 0).
    ///
    /// # Errors
    /// As [`OpusHead::parse`].
    pub fn parse_dops(payload: &[u8]) -> Result<Self, Error> {
        let fields = Fields::split(payload).ok_or_else(|| Error::corrupt("dOps is too short"))?;
        if fields.version != 0 {
            return Err(Error::unsupported(format!("dOps version {}", fields.version)));
        }
        fields.check_mapping()?;
        Ok(OpusHead {
            channels: fields.channels,
            pre_skip: u16::from_be_bytes(fields.pre_skip),
            input_sample_rate: u32::from_be_bytes(fields.input_sample_rate),
            output_gain: i16::from_be_bytes(fields.output_gain),
        })
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

    /// One stream, in order, of one or two channels is all that a voice message holds. Other families say the same in
    /// more words when they have a single stream and an identity mapping.
    fn check_mapping(&self) -> Result<(), Error> {
        let (channels, family) = (self.channels, self.family);
        if channels == 0 {
            return Err(Error::corrupt("Opus with no channels"));
        }
        let single = match (family, self.mapping) {
            (0, _) if channels > 2 => {
                return Err(Error::corrupt(
                    "Opus mapping family 0 with more than two channels",
                ));
            }
            (0, _) => true,
            (_, &[1, coupled, ref map @ ..]) => {
                channels <= 2
                    && coupled == channels - 1
                    && map
                        .iter()
                        .take(channels.into())
                        .eq([0, 1][..channels.into()].iter())
            }
            (_, [_, _, ..]) => false,
            _ => return Err(Error::corrupt("Opus channel mapping is cut off")),
        };
        if single {
            Ok(())
        } else {
            Err(Error::unsupported(format!(
                "Opus with {channels} channels (mapping family {family})"
            )))
        }
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
        ] {
            let mut bytes = HEAD.to_bytes().to_vec();
            bytes[9] = channels;
            bytes[18] = 1;
            bytes.extend(mapping);
            let e = OpusHead::parse(&bytes).unwrap_err();
            assert_eq!(e.code(), "audio_unsupported");
            assert!(e.to_string().contains(&format!("{channels} channels")), "{e}");
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
