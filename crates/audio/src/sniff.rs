//! What some bytes are, by the bytes alone: never by a file name or a declared type.

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
    /// Whether [`normalise`](crate::normalise) can keep the packets (cheap), or has to decode (expensive).
    pub remux: bool,
    /// Media type for `source.type`, such as `audio/webm; codecs=opus`.
    pub mime: String,
}

/// Looks at the first bytes (and, for MP4, at the table of contents) and says what they are.
///
/// The input's position does not matter before and is undefined after.
///
/// # Errors
/// `Empty` for no bytes at all, `Unrecognised`, `Corrupt` when the header is cut off, `Io`.
pub fn probe(_input: &mut dyn Input) -> Result<Probe, Error> {
    Err(Error::Unrecognised)
}
