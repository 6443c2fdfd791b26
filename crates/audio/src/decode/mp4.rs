//! What MP4 files say that symphonia does not read: where the sound begins and ends, and that they were cut.

use super::gapless::Mp4Edit;
use super::open::Patch;
use crate::container::mp4::boxes::{self, child, children, descend, u32_at, u64_at};
use crate::container::source::Source;
use crate::{Error, Input};

/// The largest index that is read.
const MAX_MOOV: u64 = 32 << 20;
/// Boxes of a file that are looked at.
const MAX_BOXES: usize = 20_000;
/// Entries of an edit list that are looked at.
const MAX_EDITS: usize = 64;
/// `iTunSMPB` is a line of hexadecimal numbers.
const MAX_SMPB_BYTES: usize = 512;

/// What is known of a file besides its packets.
#[derive(Debug, Default)]
pub(super) struct Mp4 {
    moov: Vec<u8>,
    /// The size of the last box, put right: the file was cut within it.
    pub(super) cut: Option<Patch>,
}

impl Mp4 {
    /// Reads the boxes of the file and its index.
    pub(super) fn read(input: &mut dyn Input) -> Result<Self, Error> {
        let mut found = Self::default();
        let mut source = Source::new(input)?;
        for _ in 0..MAX_BOXES {
            let at = source.position();
            let Some(header) = boxes::header(source.peek(boxes::MAX_HEADER)?) else {
                break;
            };
            source.skip(header.length as u64)?;
            let size = header.size.unwrap_or(u64::MAX);
            if size > source.left() {
                // A size of 32 bits, and not the 1 or 0 that stand for another one.
                let whole = source.left() + header.length as u64;
                found.cut = u32::try_from(whole)
                    .ok()
                    .filter(|_| header.length == 8 && header.size.is_some())
                    .map(|size| Patch {
                        at,
                        bytes: size.to_be_bytes(),
                    });
            }
            if header.kind == *b"moov" && found.moov.is_empty() && size <= MAX_MOOV {
                found.moov = payload(&mut source, size)?;
            } else {
                source.skip(size)?;
            }
        }
        Ok(found)
    }

    /// The edit of the track with this id, if there is one.
    pub(super) fn edit(&self, track: u32) -> Option<Mp4Edit> {
        if let Some(samples) = itunes_smpb(&self.moov) {
            return Some(samples);
        }
        let movie_rate = timescale(child(&self.moov, b"mvhd")?)?;
        let mut edit = None;
        children(&self.moov, |kind, trak| {
            if kind == *b"trak" && child(trak, b"tkhd").and_then(track_id) == Some(track) {
                edit = edit.or_else(|| edit_list(trak, movie_rate));
            }
        });
        edit
    }
}

fn payload(source: &mut Source<'_>, mut size: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while size > 0 {
        let part = source.peek(size.min(64 << 10) as usize)?;
        if part.is_empty() {
            break;
        }
        bytes.extend_from_slice(part);
        let read = part.len() as u64;
        source.skip(read)?;
        size -= read;
    }
    Ok(bytes)
}

/// The first edit that plays something (ISO/IEC 14496-12 §8.6.6). Several mean a cut sound, of which only the start is
/// taken over.
fn edit_list(trak: &[u8], movie_rate: f64) -> Option<Mp4Edit> {
    let media_rate = timescale(descend(trak, &[b"mdia", b"mdhd"])?)?;
    let elst = descend(trak, &[b"edts", b"elst"])?;
    let (version, entries) = (*elst.first()?, elst.get(8..)?);
    let count = (u32_at(elst, 4)? as usize).min(MAX_EDITS);
    let playing: Vec<(i64, u64)> = entries
        .chunks_exact(if version == 1 { 20 } else { 12 })
        .take(count)
        .filter_map(|entry| match version {
            1 => Some((u64_at(entry, 8)? as i64, u64_at(entry, 0)?)),
            _ => Some((i64::from(u32_at(entry, 4)? as i32), u32_at(entry, 0)?.into())),
        })
        // −1 is a pause before the sound.
        .filter(|(start, _)| *start >= 0)
        .collect();
    let &(start, length) = playing.first()?;
    // 0 is what a fragmented file writes before it knows.
    let length = (playing.len() == 1 && length > 0).then(|| length as f64 / movie_rate);
    Some(Mp4Edit::List {
        start: start as f64 / media_rate,
        length,
    })
}

/// `moov/udta/meta/ilst/----` with the name `iTunSMPB`: " 00000000 PRIMING PADDING SOUND …", hexadecimal.
fn itunes_smpb(moov: &[u8]) -> Option<Mp4Edit> {
    // `meta` is a full box: version and flags come before its children.
    let meta = descend(moov, &[b"udta", b"meta"])?.get(4..)?;
    let mut found = None;
    children(child(meta, b"ilst")?, |kind, item| {
        if kind == *b"----" && item.len() <= MAX_SMPB_BYTES {
            found = found.or_else(|| smpb_line(item));
        }
    });
    found
}

fn smpb_line(item: &[u8]) -> Option<Mp4Edit> {
    let at = item.windows(8).position(|name| name == b"iTunSMPB")?;
    let words: Vec<u64> = item[at + 8..]
        .split(|byte| !byte.is_ascii_hexdigit())
        .filter(|word| matches!(word.len(), 8 | 16))
        .filter_map(|word| u64::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok())
        .collect();
    match words[..] {
        [_, priming, _, sound, ..] if sound > 0 => Some(Mp4Edit::Samples { priming, sound }),
        _ => None,
    }
}

/// Units per second of `mvhd` or `mdhd`.
fn timescale(header: &[u8]) -> Option<f64> {
    let at = if *header.first()? == 1 { 20 } else { 12 };
    u32_at(header, at).filter(|&rate| rate > 0).map(f64::from)
}

fn track_id(header: &[u8]) -> Option<u32> {
    u32_at(header, if *header.first()? == 1 { 20 } else { 12 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

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
        Mp4::read(&mut Cursor::new(file))
            .expect("a file in memory")
            .edit(7)
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
        assert_eq!(edit(&movie(&[], &[])), None);
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
    fn the_size_of_a_box_that_was_cut_is_put_right() {
        let mut file = [movie(&[], &[]), atom(b"mdat", &[0; 100])].concat();
        let cut = |file: &[u8]| Mp4::read(&mut Cursor::new(file)).expect("a file in memory").cut;
        assert_eq!(cut(&file), None);
        let at = file.len() - 108;
        file.truncate(file.len() - 40);
        assert_eq!(
            cut(&file),
            Some(Patch {
                at: at as u64,
                bytes: 68_u32.to_be_bytes()
            })
        );
    }

    #[test]
    fn every_cut_of_a_movie_is_read_without_a_panic() {
        let file = movie(&edts(&[(3_000, 2_112)]), &[]);
        for end in 0..file.len() {
            assert_eq!(edit(&file[..end]), None, "{end}");
        }
    }
}
