//! The movie box: which track is the sound, and where its samples are.

use super::boxes::{self, Kind, child, descend, u16_at, u32_at, u64_at};
use super::samples::SampleTable;
use crate::container::{AmrBand, printable};
use crate::opus::head::Identification;
use crate::{Codec, Error};

/// More tracks than this are not looked at.
const MAX_TRACKS: usize = 64;

/// The sound track.
pub(crate) enum SoundTrack {
    Opus(OpusTrack),
    Amr(AmrBand, SampleTrack),
    Other(Codec),
}

/// What is needed to read the samples of a track.
pub(crate) struct SampleTrack {
    pub(crate) id: u32,
    /// Ticks per second.
    pub(crate) timescale: u32,
    pub(crate) samples: SampleTable,
    /// Default duration and size of samples in fragments; `None` when there are no fragments.
    pub(crate) fragment_defaults: Option<(u32, u32)>,
}

/// What is needed to read an Opus track.
pub(crate) struct OpusTrack {
    pub(crate) track: SampleTrack,
    /// With the pre-skip of the edit list where that is longer.
    pub(crate) found: Identification,
    /// Where the edit list ends the sound, in samples at 48 kHz of the track's time, and how exact that is.
    pub(crate) end: Option<(u64, u64)>,
}

/// Ticks to samples at 48 kHz. Times beyond any sound are cut down to keep the arithmetic within range.
pub(crate) fn samples_48k(ticks: u64, timescale: u32) -> u64 {
    if timescale == 48_000 {
        return ticks.min(1 << 40);
    }
    ticks.min(1 << 40) * 48_000 / u64::from(timescale.max(1))
}

/// How far a time in such ticks may be off, in samples at 48 kHz: a clock that counts samples tells every one of them.
pub(crate) fn exactness(timescale: u32) -> u64 {
    if timescale == 48_000 {
        0
    } else {
        1 + samples_48k(1, timescale)
    }
}

/// Chooses the first Opus track, else the first track with sound.
pub(crate) fn sound_track(moov: &[u8]) -> Result<SoundTrack, Error> {
    let movie_timescale = child(moov, b"mvhd").and_then(timescale).unwrap_or(1000);
    let mut opus = None;
    let mut other = None;
    let mut tracks = 0;
    boxes::children(moov, |kind, trak| {
        tracks += 1;
        if kind != *b"trak" || tracks > MAX_TRACKS || opus.is_some() {
            return;
        }
        let is_sound =
            descend(trak, &[b"mdia", b"hdlr"]).is_some_and(|hdlr| hdlr.get(8..12) == Some(b"soun"));
        let Some((format, entry)) =
            descend(trak, &[b"mdia", b"minf", b"stbl", b"stsd"]).and_then(first_entry)
        else {
            return;
        };
        if format == *b"Opus" {
            opus = Some((trak, entry));
        } else if is_sound {
            other.get_or_insert((trak, format, entry));
        }
    });
    match (opus, other) {
        (Some((trak, entry)), _) => Ok(SoundTrack::Opus(opus_track(moov, trak, entry, movie_timescale)?)),
        (None, Some((trak, format, entry))) => match &format {
            b"samr" => Ok(SoundTrack::Amr(AmrBand::Narrow, sample_track(moov, trak)?)),
            b"sawb" => Ok(SoundTrack::Amr(AmrBand::Wide, sample_track(moov, trak)?)),
            _ => Ok(SoundTrack::Other(codec(format, entry))),
        },
        (None, None) => Err(Error::Empty),
    }
}

fn sample_track(moov: &[u8], trak: &[u8]) -> Result<SampleTrack, Error> {
    let id = child(trak, b"tkhd").and_then(track_id).ok_or_else(broken)?;
    let mdia = child(trak, b"mdia").ok_or_else(broken)?;
    let timescale = child(mdia, b"mdhd")
        .and_then(timescale)
        .filter(|&n| n > 0)
        .ok_or_else(broken)?;
    let stbl = descend(mdia, &[b"minf", b"stbl"]).ok_or_else(broken)?;
    Ok(SampleTrack {
        id,
        timescale,
        samples: SampleTable::new(stbl),
        fragment_defaults: child(moov, b"mvex").map(|mvex| fragment_defaults(mvex, id)),
    })
}

fn opus_track(moov: &[u8], trak: &[u8], entry: &[u8], movie_timescale: u32) -> Result<OpusTrack, Error> {
    let track = sample_track(moov, trak)?;
    let mut found = Identification::parse_dops(child(entry, b"dOps").ok_or_else(broken)?)?;
    let mut end = None;
    if let Some((start, length)) = descend(trak, &[b"edts", b"elst"]).and_then(single_edit) {
        let start = samples_48k(start, track.timescale);
        let head = &mut found.head;
        head.pre_skip = head.pre_skip.max(u16::try_from(start).unwrap_or(0));
        if length > 0 && track.fragment_defaults.is_none() {
            let exactness = exactness(movie_timescale) + exactness(track.timescale);
            end = Some((start + samples_48k(length, movie_timescale), exactness));
        }
    }
    Ok(OpusTrack { track, found, end })
}

fn broken() -> Error {
    Error::corrupt("the MP4 sound track is damaged")
}

/// Ticks per second, of `mvhd` and `mdhd` alike.
fn timescale(header: &[u8]) -> Option<u32> {
    u32_at(header, if *header.first()? == 0 { 12 } else { 20 })
}

fn track_id(tkhd: &[u8]) -> Option<u32> {
    u32_at(tkhd, if *tkhd.first()? == 0 { 12 } else { 20 })
}

/// The one edit that plays something: (start in the track's ticks, length in the movie's). Lists that cut the sound
/// into pieces are not followed: all of it is kept.
fn single_edit(elst: &[u8]) -> Option<(u64, u64)> {
    let long = *elst.first()? != 0;
    let count = u32_at(elst, 4)?;
    let mut edit = None;
    for i in 0..count.min(8) as usize {
        let (length, start) = if long {
            (u64_at(elst, 8 + 20 * i)?, u64_at(elst, 16 + 20 * i)? as i64)
        } else {
            (
                u32_at(elst, 8 + 12 * i)?.into(),
                i64::from(u32_at(elst, 12 + 12 * i)? as i32),
            )
        };
        // A negative start is an empty edit: silence before the sound begins.
        if let Ok(start) = u64::try_from(start) {
            if edit.is_some() {
                return None;
            }
            edit = Some((start, length));
        }
    }
    edit.filter(|_| count <= 8)
}

/// (default duration, default size) of a track's fragments.
fn fragment_defaults(mvex: &[u8], id: u32) -> (u32, u32) {
    let mut defaults = (0, 0);
    boxes::children(mvex, |kind, trex| {
        if kind == *b"trex" && u32_at(trex, 4) == Some(id) {
            defaults = (u32_at(trex, 12).unwrap_or(0), u32_at(trex, 16).unwrap_or(0));
        }
    });
    defaults
}

/// The format of the first sample entry, and the boxes inside it.
fn first_entry(stsd: &[u8]) -> Option<(Kind, &[u8])> {
    let mut first = None;
    boxes::children(stsd.get(8..)?, |kind, body| {
        first.get_or_insert((kind, body));
    });
    let (kind, entry) = first?;
    // QuickTime's versions 1 and 2 have more fields before the boxes.
    let fields = match u16_at(entry, 8) {
        Some(1) => 28 + 16,
        Some(2) => 28 + 36,
        _ => 28,
    };
    Some((kind, entry.get(fields..).unwrap_or(&[])))
}

fn codec(format: Kind, entry: &[u8]) -> Codec {
    match &format {
        b"mp4a" => match object_type(entry) {
            Some(0x69 | 0x6B) => Codec::Mp3,
            Some(0xDD) => Codec::Vorbis,
            _ => Codec::Aac,
        },
        b".mp3" => Codec::Mp3,
        b"alac" => Codec::Alac,
        b"fLaC" => Codec::Flac,
        b"sowt" | b"twos" | b"lpcm" | b"ipcm" | b"fpcm" | b"in24" | b"in32" | b"fl32" | b"fl64" | b"raw "
        | b"ulaw" | b"alaw" => Codec::Pcm,
        b"ima4" => Codec::Adpcm,
        b"sawp" => Codec::Other("AMR-WB+".into()),
        b"ac-3" | b"ec-3" => Codec::Other("AC-3".into()),
        b"enca" => Codec::Other("an encrypted track".into()),
        other => Codec::Other(printable(other)),
    }
}

/// The object type of an `esds` (ISO/IEC 14496-1 §7.2.6.6): what `mp4a` really is.
fn object_type(entry: &[u8]) -> Option<u8> {
    let esds = child(entry, b"esds").or_else(|| descend(entry, &[b"wave", b"esds"]))?;
    let es = descriptor(esds.get(4..)?, 3)?;
    let flags = *es.get(2)?;
    let url = if flags & 0x40 != 0 {
        1 + usize::from(*es.get(3)?)
    } else {
        0
    };
    let at = 3 + if flags & 0x80 != 0 { 2 } else { 0 } + url + if flags & 0x20 != 0 { 2 } else { 0 };
    descriptor(es.get(at..)?, 4)?.first().copied()
}

/// The payload of a descriptor with this tag, as far as it is there.
fn descriptor(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (&first, mut rest) = bytes.split_first()?;
    for _ in 0..4 {
        let (&length, after) = rest.split_first()?;
        rest = after;
        if length & 0x80 == 0 {
            break;
        }
    }
    (first == tag).then_some(rest)
}
