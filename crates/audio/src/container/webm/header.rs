//! The Tracks element: which track is the sound (RFC 9559 §5.1.4).

use super::ebml;
use crate::container::printable;
use crate::opus::head::{Identification, LIBOPUS_DELAY};
use crate::{Codec, Error, OpusHead};

const TRACK_ENTRY: u32 = 0xAE;
const TRACK_NUMBER: u32 = 0xD7;
const TRACK_TYPE: u32 = 0x83;
const CODEC_ID: u32 = 0x86;
const CODEC_PRIVATE: u32 = 0x63A2;
const CODEC_DELAY: u32 = 0x56AA;
const CONTENT_ENCODINGS: u32 = 0x6D80;
const AUDIO: u32 = 0xE1;
const CHANNELS: u32 = 0x9F;
const SOUND: u64 = 2;

/// The sound track.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SoundTrack {
    Opus { number: u64, found: Identification },
    Other(Codec),
}

#[derive(Default)]
struct Entry<'a> {
    number: u64,
    kind: u64,
    codec: &'a [u8],
    private: Option<&'a [u8]>,
    delay_ns: u64,
    encoded: bool,
    channels: u64,
}

/// Chooses the first Opus track, else the first track with sound.
pub(crate) fn sound_track(tracks: &[u8]) -> Result<SoundTrack, Error> {
    let mut opus = None;
    let mut other = None;
    ebml::children(tracks, |id, body| {
        if id == TRACK_ENTRY {
            let entry = Entry::parse(body);
            if entry.kind == SOUND && entry.codec == b"A_OPUS" {
                opus.get_or_insert(entry);
            } else if entry.kind == SOUND {
                other.get_or_insert(entry);
            }
        }
    });
    match (opus, other) {
        (Some(entry), _) => Ok(SoundTrack::Opus {
            number: entry.number,
            found: entry.identification()?,
        }),
        (None, Some(entry)) => Ok(SoundTrack::Other(entry.codec())),
        (None, None) => Err(Error::Empty),
    }
}

impl<'a> Entry<'a> {
    fn parse(body: &'a [u8]) -> Self {
        let mut entry = Entry {
            channels: 1,
            ..Entry::default()
        };
        ebml::children(body, |id, body| match id {
            TRACK_NUMBER => entry.number = ebml::uint(body).unwrap_or(0),
            TRACK_TYPE => entry.kind = ebml::uint(body).unwrap_or(0),
            CODEC_ID => entry.codec = body.strip_suffix(b"\0").unwrap_or(body),
            CODEC_PRIVATE => entry.private = Some(body),
            CODEC_DELAY => entry.delay_ns = ebml::uint(body).unwrap_or(0),
            CONTENT_ENCODINGS => entry.encoded = true,
            AUDIO => ebml::children(body, |id, body| {
                if id == CHANNELS {
                    entry.channels = ebml::uint(body).unwrap_or(0);
                }
            }),
            _ => {}
        });
        entry
    }

    /// The header in CodecPrivate; without one, what the track says itself. Some writers leave the pre-skip to
    /// CodecDelay, some to nobody.
    fn identification(&self) -> Result<Identification, Error> {
        if self.encoded {
            return Err(Error::unsupported("a compressed or encrypted Matroska track"));
        }
        let mut found = match self.private {
            Some(private) => Identification::parse(private)?,
            None => match self.channels {
                n @ 1..=2 => OpusHead::new(n as u8, 0).into(),
                n => return Err(Error::unsupported(format!("Opus with {n} channels"))),
            },
        };
        if found.head.pre_skip == 0 {
            let delay = self.delay_ns.saturating_mul(48).saturating_add(500_000) / 1_000_000;
            found.head.pre_skip = u16::try_from(delay)
                .ok()
                .filter(|&n| n > 0)
                .unwrap_or(LIBOPUS_DELAY);
        }
        Ok(found)
    }

    fn codec(&self) -> Codec {
        match self.codec {
            b"A_VORBIS" => Codec::Vorbis,
            b"A_FLAC" => Codec::Flac,
            b"A_ALAC" => Codec::Alac,
            b"A_MPEG/L3" | b"A_MPEG/L2" | b"A_MPEG/L1" => Codec::Mp3,
            id if id.starts_with(b"A_AAC") => Codec::Aac,
            id if id.starts_with(b"A_PCM") => Codec::Pcm,
            id => Codec::Other(printable(&id[..id.len().min(32)])),
        }
    }
}
