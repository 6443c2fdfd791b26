//! What some bytes are, by the bytes alone: never by a file name or a declared type.

use crate::container::ogg::OggDemux;
use crate::container::source::Source;
use crate::container::webm::WebmDemux;
use crate::container::{Track, amr, caf, mp4, silk};
use crate::{Error, Input};

/// The file format around the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// Ogg pages.
    Ogg,
    /// WebM and Matroska.
    WebM,
    /// MP4, M4A, 3GP, QuickTime; plain or fragmented.
    Mp4,
    /// RIFF/WAVE and RF64.
    Wav,
    /// MPEG audio frames, with or without ID3 tags.
    Mp3,
    /// AAC in ADTS frames.
    Adts,
    /// Native FLAC.
    Flac,
    /// Apple's Core Audio Format.
    Caf,
    /// AIFF and AIFF-C.
    Aiff,
    /// AMR storage format (RFC 4867 §5).
    Amr,
    /// SILK as messengers store it.
    Silk,
}

impl Container {
    /// A short lower-case name: `"ogg"`, `"webm"`, `"mp4"`, …
    pub fn name(self) -> &'static str {
        match self {
            Container::Ogg => "ogg",
            Container::WebM => "webm",
            Container::Mp4 => "mp4",
            Container::Wav => "wav",
            Container::Mp3 => "mp3",
            Container::Adts => "adts",
            Container::Flac => "flac",
            Container::Caf => "caf",
            Container::Aiff => "aiff",
            Container::Amr => "amr",
            Container::Silk => "silk",
        }
    }
}

/// How the sound is coded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Codec {
    /// Opus (RFC 6716).
    Opus,
    /// Vorbis.
    Vorbis,
    /// FLAC.
    Flac,
    /// PCM of any kind: integer, float, A-law, µ-law.
    Pcm,
    /// IMA or Microsoft ADPCM.
    Adpcm,
    /// MPEG-1/2 audio layer III (and I, II).
    Mp3,
    /// AAC.
    Aac,
    /// Apple Lossless.
    Alac,
    /// AMR, also called AMR-NB.
    AmrNb,
    /// AMR-WB.
    AmrWb,
    /// SILK v3. Read only in builds with the cargo feature `silk`.
    Silk,
    /// Another one, by the name people know.
    Other(String),
}

/// What [`probe`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The file format.
    pub container: Container,
    /// The codec of the sound track that will be used.
    pub codec: Codec,
    /// Whether [`normalise`](crate::normalise()) can keep the packets (cheap), or has to decode (expensive).
    pub remux: bool,
    /// Media type for `source.type`, such as `audio/webm; codecs=opus`.
    pub mime: String,
}

/// Looks at the first bytes (and, for MP4, at the table of contents) and says what they are.
///
/// The input's position does not matter before and is undefined after. A codec that cannot be read here is no error
/// yet: it is [`Codec::Other`].
///
/// # Errors
/// `Empty` for no bytes or no sound track at all, `Unrecognised`, `Corrupt` when the header is damaged or cut off,
/// `Unsupported` for Opus that takes several decoders, `Io`.
pub fn probe(input: &mut dyn Input) -> Result<Probe, Error> {
    Ok(open(input)?.0)
}

/// As [`probe`], and gives the sound track with it.
pub(crate) fn open(input: &mut dyn Input) -> Result<(Probe, Track<'_>), Error> {
    let mut source = Source::new(input)?;
    let container = container(&mut source)?;
    let track = match container {
        Container::Ogg => OggDemux::open(source)?,
        Container::WebM => WebmDemux::open(source)?,
        Container::Mp4 => mp4::open(source)?,
        Container::Wav => Track::Other(wav_codec(&mut source)?),
        Container::Caf => caf::open(source)?,
        Container::Mp3 => Track::Other(Codec::Mp3),
        Container::Adts => Track::Other(Codec::Aac),
        Container::Flac => Track::Other(Codec::Flac),
        Container::Aiff => Track::Other(Codec::Pcm),
        Container::Amr => amr::open(source)?,
        Container::Silk => silk::open(source)?,
    };
    let (codec, remux) = track.codec();
    let mime = mime(container, &codec);
    Ok((
        Probe {
            container,
            codec,
            remux,
            mime,
        },
        track,
    ))
}

/// Longest stretch before the first frame of MP3 or ADTS: zeros, what a tag's wrong size leaves, or anything else.
const MAX_LEAD: usize = 64 * 1024;
/// Frames of one kind in a row that are no accident.
const ROW_BEHIND_GARBAGE: u32 = 6;

/// The container by its first bytes. The source stays at the beginning.
fn container(source: &mut Source<'_>) -> Result<Container, Error> {
    let head = source.peek(16)?;
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|bytes| bytes.starts_with(magic));
    let is_mp4 = [
        b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"sidx", b"pnot",
    ];
    let found = if head.is_empty() {
        return Err(Error::Empty);
    } else if at(0, b"OggS") {
        Container::Ogg
    } else if at(0, &[0x1A, 0x45, 0xDF, 0xA3]) {
        Container::WebM
    } else if is_mp4.iter().any(|kind| at(4, *kind)) {
        Container::Mp4
    } else if (at(0, b"RIFF") || at(0, b"RF64") || at(0, b"BW64")) && at(8, b"WAVE") {
        Container::Wav
    } else if at(0, b"fLaC") {
        Container::Flac
    } else if at(0, b"caff") {
        Container::Caf
    } else if at(0, b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")) {
        Container::Aiff
    } else if at(0, b"#!AMR") {
        Container::Amr
    } else if at(0, b"#!SILK") || at(0, b"\x02#!SILK") {
        Container::Silk
    } else {
        return without_magic(source);
    };
    Ok(found)
}

/// Where the first frame of MPEG audio or ADTS is: what stands before it is of no use to a decoder.
pub(crate) fn first_frame(input: &mut dyn Input) -> Result<u64, Error> {
    Ok(frames(&mut Source::new(input)?)?.map_or(0, |(_, at)| at))
}

/// MPEG audio and ADTS have no magic, only frames one after the other, perhaps behind ID3 tags; AMR may have lost its magic.
fn without_magic(source: &mut Source<'_>) -> Result<Container, Error> {
    if let Some((container, _)) = frames(source)? {
        return Ok(container);
    }
    let len = source.len();
    let bytes = source.peek(4096)?;
    match amr::without_magic(bytes, bytes.len() as u64 == len) {
        Some(_) => Ok(Container::Amr),
        None => Err(Error::Unrecognised),
    }
}

/// Finds what frames there are, and the place of the first one. The source goes back to the beginning.
fn frames(source: &mut Source<'_>) -> Result<Option<(Container, u64)>, Error> {
    let mut tagged = false;
    // Some writers put several tags.
    for _ in 0..4 {
        let &[b'I', b'D', b'3', _, _, _, a, b, c, d] = source.peek(10)? else {
            break;
        };
        tagged = true;
        let size = [a, b, c, d]
            .iter()
            .fold(0, |size, &byte| size << 7 | u64::from(byte & 0x7F));
        source.skip(10 + size)?;
    }
    let begin = source.position();
    let bytes = source.peek(MAX_LEAD)?;
    let found = if tagged && bytes.starts_with(b"fLaC") {
        Some((Container::Flac, 0))
    } else {
        // Behind a tag or zeros two frames are enough, behind other bytes it takes a row of them.
        let lead = bytes.iter().take_while(|&&byte| byte == 0).count();
        (0..bytes.len()).find_map(|at| {
            let needed = if tagged || at <= lead {
                2
            } else {
                ROW_BEHIND_GARBAGE
            };
            Some((row(&bytes[at..], needed)?, at as u64))
        })
    };
    source.seek(0)?;
    Ok(found.map(|(container, at)| (container, begin + at)))
}

/// Whether this many frames of the same kind follow one another here, or as many as there is room for.
fn row(bytes: &[u8], needed: u32) -> Option<Container> {
    let first = frame(bytes)?;
    let same = |b: &[u8]| b[1] == bytes[1] && b[2] & 0x0C == bytes[2] & 0x0C;
    let mut next = bytes.get(first.1..);
    for n in 1..needed {
        match next {
            Some(after) if after.len() >= 7 => {
                let (kind, length) = frame(after)?;
                if kind != first.0 || !(same(after) || needed == 2) {
                    return None;
                }
                next = after.get(length..);
            }
            // Garbage alone proves nothing.
            _ if needed > 2 && n < 3 => return None,
            _ => break,
        }
    }
    Some(first.0)
}

/// The kind and length of a frame of ADTS (ISO/IEC 14496-3 §1.A.2.2) or MPEG audio (ISO/IEC 11172-3 §2.4.2.3).
fn frame(bytes: &[u8]) -> Option<(Container, usize)> {
    let &[0xFF, b1, b2, b3, b4, b5, _, ..] = bytes else {
        return None;
    };
    if b1 & 0xF6 == 0xF0 {
        let rate_is_valid = b2 >> 2 & 15 < 13;
        let length = usize::from(b3 & 3) << 11 | usize::from(b4) << 3 | usize::from(b5 >> 5);
        return (rate_is_valid && length > 7).then_some((Container::Adts, length));
    }
    const KBITS: [[u16; 16]; 5] = [
        [
            0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448, 0,
        ],
        [
            0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 0,
        ],
        [
            0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0,
        ],
        [
            0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256, 0,
        ],
        [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0],
    ];
    let (version, layer) = (b1 >> 3 & 3, 4 - (b1 >> 1 & 3));
    if b1 & 0xE0 != 0xE0 || version == 1 || layer == 4 {
        return None;
    }
    let mpeg1 = version == 3;
    let row = match (mpeg1, layer) {
        (true, layer) => usize::from(layer) - 1,
        (false, 1) => 3,
        (false, _) => 4,
    };
    let kbits = usize::from(KBITS[row][usize::from(b2 >> 4)]);
    let rate = [44_100, 48_000, 32_000].get(usize::from(b2 >> 2 & 3))? >> [2, 0, 1, 0][usize::from(version)];
    let padding = usize::from(b2 >> 1 & 1);
    let length = match layer {
        1 => (12_000 * kbits / rate + padding) * 4,
        3 if !mpeg1 => 72_000 * kbits / rate + padding,
        _ => 144_000 * kbits / rate + padding,
    };
    (kbits > 0).then_some((Container::Mp3, length))
}

/// The codec of a WAV file by its `fmt ` chunk.
fn wav_codec(source: &mut Source<'_>) -> Result<Codec, Error> {
    let head = source.peek(64 * 1024)?;
    let mut at = 12;
    while let Some(chunk) = head.get(at..).filter(|chunk| chunk.len() >= 12) {
        if chunk.starts_with(b"fmt ") {
            let tag = |at: usize| chunk.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
            // WAVE_FORMAT_EXTENSIBLE names the real one in the first bytes of its GUID.
            let format = match tag(8) {
                Some(0xFFFE) => tag(32),
                format => format,
            };
            if let Some(channels @ 33..) = tag(10) {
                return Err(Error::unsupported(format!("sound with {channels} channels")));
            }
            return Ok(match format {
                Some(1 | 3 | 6 | 7) | None => Codec::Pcm,
                Some(2 | 0x11) => Codec::Adpcm,
                Some(0x50 | 0x55) => Codec::Mp3,
                Some(0x31) => Codec::Other("GSM 6.10".into()),
                Some(0x45) => Codec::Other("G.726".into()),
                Some(other) => Codec::Other(format!("WAV format 0x{other:04x}")),
            });
        }
        let size = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]) as usize;
        at += 8 + size + size % 2;
    }
    Err(Error::corrupt("a WAV file without a format"))
}

fn mime(container: Container, codec: &Codec) -> String {
    let plain = match container {
        Container::Ogg => "audio/ogg",
        Container::WebM => "audio/webm",
        Container::Mp4 => "audio/mp4",
        Container::Wav => "audio/wav",
        Container::Mp3 => "audio/mpeg",
        Container::Adts => "audio/aac",
        Container::Flac => "audio/flac",
        Container::Caf => "audio/x-caf",
        Container::Aiff => "audio/aiff",
        Container::Amr if *codec == Codec::AmrWb => "audio/amr-wb",
        Container::Amr => "audio/amr",
        Container::Silk => "audio/silk",
    };
    let codecs = match (container, codec) {
        (Container::Ogg | Container::WebM | Container::Mp4, Codec::Opus) => "opus",
        (Container::Ogg | Container::WebM, Codec::Vorbis) => "vorbis",
        (Container::Ogg | Container::Mp4, Codec::Flac) => "flac",
        (Container::Mp4, Codec::Aac) => "mp4a.40.2",
        (Container::Mp4, Codec::Alac) => "alac",
        (Container::Mp4, Codec::AmrNb) => "samr",
        (Container::Mp4, Codec::AmrWb) => "sawb",
        (Container::Caf, Codec::Opus) => "opus",
        _ => return plain.into(),
    };
    format!("{plain}; codecs={codecs}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn probe_bytes(bytes: &[u8]) -> Result<Probe, Error> {
        probe(&mut Cursor::new(bytes))
    }

    #[test]
    fn formats_that_cannot_be_read_here_are_named() {
        let wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x61\x01\x01\0";
        let codec = Codec::Other("WAV format 0x0161".into());
        assert_eq!(probe_bytes(wav).unwrap().codec, codec);
    }

    #[test]
    fn no_bytes_are_empty_and_other_files_are_unrecognised() {
        assert_eq!(probe_bytes(b"").unwrap_err().code(), "audio_empty");
        for bytes in [
            &b"hello, this is a text"[..],
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            b"%PDF-1.7",
            b"PK\x03\x04\x14\0\0\0",
            b"\xFF\xD8\xFF\xE0\0\x10JFIF\0\x01\x01",
            b"GIF89a",
            b"\0",
            b"\xFF",
            b"RIFF\0\0\0\0AVI LIST",
            b"ID3\x04\0\0\0\0\0\0nothing",
            &[0; 100],
            &[255; 100],
        ] {
            assert_eq!(
                probe_bytes(bytes).unwrap_err().code(),
                "audio_unrecognised",
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn behind_other_bytes_it_takes_a_row_of_frames() {
        let frame: Vec<u8> = [0xFF, 0xFB, 0x90, 0x00].into_iter().chain([0; 413]).collect();
        let behind = |frames: usize| [b"GET / HTTP/1.1".as_slice(), &frame.repeat(frames)].concat();
        assert_eq!(probe_bytes(&behind(2)).unwrap_err().code(), "audio_unrecognised");
        for frames in [3, 6, 10] {
            let file = behind(frames);
            assert_eq!(probe_bytes(&file).unwrap().container, Container::Mp3, "{frames}");
            assert_eq!(first_frame(&mut Cursor::new(&file)).unwrap(), 14);
        }
    }

    #[test]
    fn a_frame_counts_only_when_another_follows() {
        // MPEG-1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes.
        let mut bytes = vec![0; 1000];
        bytes[..4].copy_from_slice(&[0xFF, 0xFB, 0x90, 0x00]);
        assert!(probe_bytes(&bytes).is_err());
        bytes[417..421].copy_from_slice(&[0xFF, 0xFB, 0x90, 0x00]);
        let probe = probe_bytes(&bytes).unwrap();
        assert_eq!(
            (probe.container, probe.mime.as_str(), probe.remux),
            (Container::Mp3, "audio/mpeg", false)
        );
    }
}
