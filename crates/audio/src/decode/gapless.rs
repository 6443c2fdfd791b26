//! What encoders put around the sound. MP3, Vorbis and CAF are trimmed by symphonia; MP4 and ADTS here.

use std::io::{self, Read as _, SeekFrom};
use std::num::NonZeroU32;

use crate::{Container, Input};

/// Samples per AAC packet.
pub(super) const AAC_FRAME: u64 = 1_024;
/// The first frame that an AAC decoder gives has no left half to overlap with (ISO/IEC 14496-3 §4.6.11), so every
/// encoder primes with at least one; it is taken off where the file does not say how many.
const AAC_PRIMING: u64 = AAC_FRAME;
/// Children of one MP4 box that are looked at.
const MAX_BOXES: usize = 1_024;
/// iTunSMPB is a line of hexadecimal numbers.
const MAX_SMPB_BYTES: u64 = 512;

/// The part of the decoded sound that was recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Trim {
    /// Frames to drop at the start.
    pub(super) skip: u64,
    /// Frames to keep after that; `None` = all.
    pub(super) frames: Option<u64>,
}

/// Packets of the track, and their samples as the container counts them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    pub(super) packets: u64,
    pub(super) samples: Option<u64>,
}

/// What an MP4 file says about its sound track.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mp4Edit {
    /// The edit list (ISO/IEC 14496-12 §8.6.6): start and length in seconds.
    List { start: f64, length: Option<f64> },
    /// Apple's `iTunSMPB`: priming and sound in samples.
    Samples { priming: u64, sound: u64 },
}

/// Puts together what is known.
pub(super) fn trim(
    container: Container,
    is_aac: bool,
    edit: Option<Mp4Edit>,
    rate: NonZeroU32,
    counted: &Counted,
) -> Trim {
    let samples = |seconds: f64| (seconds * f64::from(rate.get())).round() as u64;
    let trim = match edit {
        Some(Mp4Edit::Samples { priming, sound }) => Trim {
            skip: priming,
            frames: Some(sound),
        },
        Some(Mp4Edit::List { start, length }) => Trim {
            skip: samples(start),
            frames: length.map(samples),
        },
        None if is_aac && matches!(container, Container::Mp4 | Container::Adts) => Trim {
            skip: AAC_PRIMING,
            frames: None,
        },
        None => Trim::default(),
    };
    if !is_aac {
        return trim;
    }
    // MP4 may tell the padding by a last sample that is shorter than a frame. Elsewhere a difference between the
    // clock and the frames is jitter of the recorder, not padding.
    let decoded = counted.packets * AAC_FRAME;
    let end = counted
        .samples
        .filter(|end| (decoded.saturating_sub(2 * AAC_FRAME)..decoded).contains(end));
    let frames = [trim.frames, end.map(|end| end.saturating_sub(trim.skip))]
        .into_iter()
        .flatten()
        .min();
    // An edit that leaves nothing is not believed.
    if trim.skip >= decoded || frames == Some(0) {
        Trim::default()
    } else {
        Trim {
            skip: trim.skip,
            frames,
        }
    }
}

/// Reads the edit of the track with this id, if there is one.
pub(super) fn mp4_edit(input: &mut dyn Input, track: u32) -> io::Result<Option<Mp4Edit>> {
    let end = input.seek(SeekFrom::End(0))?;
    let file = Span { from: 0, to: end };
    let Some(moov) = file.child(input, b"moov")? else {
        return Ok(None);
    };
    if let Some(samples) = itunes_smpb(input, moov)? {
        return Ok(Some(samples));
    }
    let Some(movie_rate) = timescale(input, moov, b"mvhd")? else {
        return Ok(None);
    };
    for (kind, trak) in moov.children(input)? {
        if &kind == b"trak" && track_id(input, trak)? == Some(track) {
            let Some(mdia) = trak.child(input, b"mdia")? else {
                return Ok(None);
            };
            let Some(media_rate) = timescale(input, mdia, b"mdhd")? else {
                return Ok(None);
            };
            return edit_list(input, trak, movie_rate, media_rate);
        }
    }
    Ok(None)
}

/// The first edit that plays something. Several mean a cut sound, of which only the start is taken over.
fn edit_list(
    input: &mut dyn Input,
    trak: Span,
    movie_rate: u32,
    media_rate: u32,
) -> io::Result<Option<Mp4Edit>> {
    let Some(edts) = trak.child(input, b"edts")? else {
        return Ok(None);
    };
    let Some(elst) = edts.child(input, b"elst")? else {
        return Ok(None);
    };
    let head = elst.read::<8>(input, 0)?;
    let wide = head[0] == 1;
    let count = u64::from(be32(&head[4..])).min(64);
    let mut playing = Vec::new();
    for i in 0..count {
        let (length, start) = if wide {
            let entry = elst.read::<20>(input, 8 + 20 * i)?;
            (be64(&entry), be64(&entry[8..]) as i64)
        } else {
            let entry = elst.read::<12>(input, 8 + 12 * i)?;
            (u64::from(be32(&entry)), i64::from(be32(&entry[4..]) as i32))
        };
        // −1 is a pause before the sound.
        if start >= 0 {
            playing.push((start, length));
        }
    }
    let Some(&(start, length)) = playing.first() else {
        return Ok(None);
    };
    // 0 is what a fragmented file writes before it knows.
    let length = (playing.len() == 1 && length > 0).then(|| length as f64 / f64::from(movie_rate));
    Ok(Some(Mp4Edit::List {
        start: start as f64 / f64::from(media_rate),
        length,
    }))
}

/// `moov/udta/meta/ilst/----` with the name `iTunSMPB`: " 00000000 PRIMING PADDING SOUND …", hexadecimal.
fn itunes_smpb(input: &mut dyn Input, moov: Span) -> io::Result<Option<Mp4Edit>> {
    let Some(udta) = moov.child(input, b"udta")? else {
        return Ok(None);
    };
    let Some(meta) = udta.child(input, b"meta")? else {
        return Ok(None);
    };
    // `meta` is a full box: version and flags come before its children.
    let meta = Span {
        from: meta.from + 4,
        to: meta.to,
    };
    let Some(ilst) = meta.child(input, b"ilst")? else {
        return Ok(None);
    };
    for (kind, item) in ilst.children(input)? {
        if &kind != b"----" || item.to - item.from > MAX_SMPB_BYTES {
            continue;
        }
        let text = item.bytes(input)?;
        let Some(at) = text.windows(8).position(|name| name == b"iTunSMPB") else {
            continue;
        };
        let words: Vec<u64> = text[at + 8..]
            .split(|byte| !byte.is_ascii_hexdigit())
            .filter(|word| matches!(word.len(), 8 | 16))
            .filter_map(|word| u64::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok())
            .collect();
        if let [_, priming, _, sound, ..] = words[..]
            && sound > 0
        {
            return Ok(Some(Mp4Edit::Samples { priming, sound }));
        }
    }
    Ok(None)
}

/// Units per second of `mvhd` or `mdhd`.
fn timescale(input: &mut dyn Input, parent: Span, name: &[u8; 4]) -> io::Result<Option<u32>> {
    let Some(header) = parent.child(input, name)? else {
        return Ok(None);
    };
    let wide = header.read::<1>(input, 0)? == [1];
    let rate = u32::from_be_bytes(header.read(input, if wide { 20 } else { 12 })?);
    Ok((rate > 0).then_some(rate))
}

fn track_id(input: &mut dyn Input, trak: Span) -> io::Result<Option<u32>> {
    let Some(header) = trak.child(input, b"tkhd")? else {
        return Ok(None);
    };
    let wide = header.read::<1>(input, 0)? == [1];
    Ok(Some(u32::from_be_bytes(
        header.read(input, if wide { 20 } else { 12 })?,
    )))
}

/// The payload of an MP4 box.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: u64,
    to: u64,
}

impl Span {
    /// The boxes inside, as far as they are whole.
    fn children(self, input: &mut dyn Input) -> io::Result<Vec<([u8; 4], Span)>> {
        let mut children = Vec::new();
        let mut at = self.from;
        while children.len() < MAX_BOXES && at.saturating_add(8) <= self.to {
            let head = Span {
                from: at,
                to: self.to,
            }
            .read::<8>(input, 0)?;
            let (size, header) = match be32(&head) {
                0 => (self.to - at, 8),
                1 if at.saturating_add(16) <= self.to => {
                    (be64(&self.read::<8>(input, at - self.from + 8)?), 16)
                }
                size => (size.into(), 8),
            };
            let end = at.saturating_add(size);
            if size < header || end > self.to {
                break;
            }
            children.push((
                [head[4], head[5], head[6], head[7]],
                Span {
                    from: at + header,
                    to: end,
                },
            ));
            at = end;
        }
        Ok(children)
    }

    fn child(self, input: &mut dyn Input, name: &[u8; 4]) -> io::Result<Option<Span>> {
        Ok(self
            .children(input)?
            .into_iter()
            .find(|(kind, _)| kind == name)
            .map(|(_, span)| span))
    }

    /// `N` bytes at `offset`; zeros where the box ends before.
    fn read<const N: usize>(self, input: &mut dyn Input, offset: u64) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        let from = self.from.saturating_add(offset);
        if from.saturating_add(N as u64) <= self.to {
            input.seek(SeekFrom::Start(from))?;
            input.read_exact(&mut bytes)?;
        }
        Ok(bytes)
    }

    fn bytes(self, input: &mut dyn Input) -> io::Result<Vec<u8>> {
        input.seek(SeekFrom::Start(self.from))?;
        let mut bytes = Vec::new();
        input.take(self.to - self.from).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

fn be32(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn be64(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    const RATE: NonZeroU32 = NonZeroU32::new(16_000).expect("not zero");

    fn atom(name: &[u8; 4], payload: &[u8]) -> Vec<u8> {
        let mut bytes = (payload.len() as u32 + 8).to_be_bytes().to_vec();
        bytes.extend(name);
        bytes.extend(payload);
        bytes
    }

    /// A movie (1,000 units a second) with one track 7 at 16 kHz.
    fn movie(edit: &[u8], user_data: &[u8]) -> Vec<u8> {
        let words = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_be_bytes()).collect() };
        let mvhd = atom(b"mvhd", &words(&[0, 0, 0, 1_000, 0]));
        let tkhd = atom(b"tkhd", &words(&[0, 0, 0, 7, 0]));
        let mdia = atom(b"mdia", &atom(b"mdhd", &words(&[0, 0, 0, 16_000, 0])));
        let trak = atom(b"trak", &[tkhd, edit.to_vec(), mdia].concat());
        atom(b"moov", &[mvhd, trak, user_data.to_vec()].concat())
    }

    fn edts(entries: &[(u32, i32)]) -> Vec<u8> {
        let mut elst = vec![0, 0, 0, 0];
        elst.extend((entries.len() as u32).to_be_bytes());
        for (length, start) in entries {
            elst.extend(length.to_be_bytes());
            elst.extend(start.to_be_bytes());
            elst.extend([0, 1, 0, 0]);
        }
        atom(b"edts", &atom(b"elst", &elst))
    }

    fn edit(file: &[u8]) -> Option<Mp4Edit> {
        mp4_edit(&mut Cursor::new(file), 7).expect("a file in memory")
    }

    fn trimmed(edit: Option<Mp4Edit>, packets: u64, samples: Option<u64>) -> Trim {
        trim(Container::Mp4, true, edit, RATE, &Counted { packets, samples })
    }

    #[test]
    fn the_edit_list_gives_priming_and_length() {
        let found = edit(&movie(&edts(&[(3_000, 2_112)]), &[]));
        assert_eq!(
            found,
            Some(Mp4Edit::List {
                start: 0.132,
                length: Some(3.0)
            })
        );
        assert_eq!(
            trimmed(found, 60, None),
            Trim {
                skip: 2_112,
                frames: Some(48_000)
            }
        );
    }

    #[test]
    fn a_pause_before_the_sound_and_an_unknown_length_are_passed_over() {
        let found = edit(&movie(&edts(&[(500, -1), (0, 1_024)]), &[]));
        assert_eq!(
            found,
            Some(Mp4Edit::List {
                start: 0.064,
                length: None
            })
        );
    }

    #[test]
    fn itunes_smpb_is_believed_before_the_edit_list() {
        let value = b" 00000000 00000840 000001CA 00000000003F31F6 00000000 00000000";
        let item = [
            atom(b"mean", b"\0\0\0\0com.apple.iTunes"),
            atom(b"name", b"\0\0\0\0iTunSMPB"),
        ]
        .concat();
        let item = [
            item,
            atom(b"data", &[b"\0\0\0\x01\0\0\0\0".as_slice(), value].concat()),
        ]
        .concat();
        let meta = [vec![0; 4], atom(b"ilst", &atom(b"----", &item))].concat();
        let found = edit(&movie(
            &edts(&[(3_000, 0)]),
            &atom(b"udta", &atom(b"meta", &meta)),
        ));
        assert_eq!(
            found,
            Some(Mp4Edit::Samples {
                priming: 0x840,
                sound: 0x3F_31F6
            })
        );
    }

    #[test]
    fn without_an_edit_the_first_frame_is_priming() {
        assert_eq!(edit(&movie(&[], &[])), None);
        assert_eq!(
            trimmed(None, 60, None),
            Trim {
                skip: 1_024,
                frames: None
            }
        );
        let wav = trim(
            Container::Wav,
            false,
            None,
            RATE,
            &Counted {
                packets: 60,
                samples: None,
            },
        );
        assert_eq!(wav, Trim::default());
    }

    #[test]
    fn a_short_last_sample_is_padding_and_a_wrong_clock_is_not() {
        assert_eq!(trimmed(None, 60, Some(61_000)).frames, Some(61_000 - 1_024));
        assert_eq!(trimmed(None, 60, Some(50_000)).frames, None);
        assert_eq!(trimmed(None, 60, Some(61_440)).frames, None);
    }

    #[test]
    fn an_edit_that_leaves_nothing_is_not_believed() {
        let all = Some(Mp4Edit::List {
            start: 100.0,
            length: Some(1.0),
        });
        assert_eq!(trimmed(all, 60, None), Trim::default());
    }

    #[test]
    fn every_cut_of_a_movie_is_read_without_a_panic() {
        let file = movie(&edts(&[(3_000, 2_112)]), &[]);
        for end in 0..file.len() {
            let _ = mp4_edit(&mut Cursor::new(&file[..end]), 7);
        }
    }
}
