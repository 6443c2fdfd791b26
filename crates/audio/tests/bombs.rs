//! Small files that claim or hold more than anybody can hear: an answer without the work, in little memory. What is counted
//! is what they make the crate read and hold, not how long that takes.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use peak_alloc::PeakAlloc;
use voxpost_audio::{Error, Normalised, OggOpusWriter, Options, OpusHead, normalise};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;
/// Tests of one process share its heap.
static ALONE: Mutex<()> = Mutex::new(());

/// Beyond the file itself and the result.
const MOST_BYTES: usize = 64 << 20;

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    std::fs::read(folder.join(name)).unwrap()
}

/// Counts what is read of it.
struct Counted {
    file: Cursor<Vec<u8>>,
    bytes: u64,
}

impl Read for &mut Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(out)?;
        self.bytes += n as u64;
        Ok(n)
    }
}

impl Seek for &mut Counted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Normalises a file and holds it to the bounds on memory and on reading.
fn defuse(name: &str, file: Vec<u8>) -> Result<Normalised, Error> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let len = file.len() as u64;
    let mut input = Counted {
        file: Cursor::new(file),
        bytes: 0,
    };
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let result = normalise(&mut input, io::sink(), &Options::default(), &|| false);
    let held = HEAP.peak_usage().saturating_sub(before);
    assert!(held < MOST_BYTES, "{name}: {held} bytes held");
    assert!(
        input.bytes <= 12 * len + (4 << 20),
        "{name}: {} bytes read of {len}",
        input.bytes
    );
    result
}

fn refuse(name: &str, file: Vec<u8>, code: &str) {
    let error = defuse(name, file).expect_err(name);
    assert_eq!(error.code(), code, "{name}: {error}");
}

/// Puts bytes where others were, behind the only place where `after` stands.
fn patch(file: &mut [u8], after: &[u8], skip: usize, bytes: &[u8]) {
    let at = file
        .windows(after.len())
        .position(|w| w == after)
        .expect("the place")
        + after.len()
        + skip;
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

#[test]
fn a_flac_file_of_two_to_the_36_samples_gives_those_that_it_has() {
    let mut file = fixture("sound/speech.flac");
    // The low half of byte 21 and four more: the number of samples.
    file[21] |= 0x0F;
    file[22..26].fill(0xFF);
    let done = defuse("FLAC", file).unwrap();
    assert!(done.truncated && done.duration_ms == 3_197, "{done:?}");
}

#[test]
fn amr_of_ten_hours_in_little_bytes_is_too_long() {
    for magic in [&b"#!AMR\n"[..], b"#!AMR-WB\n"] {
        let nothing_sent = [magic, &[0x7C; 10 * 60 * 60 * 50]].concat();
        refuse("AMR", nothing_sent, "audio_too_long");
    }
}

#[test]
fn ogg_pages_of_one_byte_are_read_once() {
    let mut pages = OggOpusWriter::new(Vec::new(), &OpusHead::new(1, 312), 1).unwrap();
    pages.packet(&[11 << 3], 2_880).unwrap();
    let file = pages.finish(None).unwrap();
    let last = file.windows(4).rposition(|w| w == b"OggS").unwrap();
    let (head, page) = file.split_at(last);
    for (name, packet, code) in [
        ("one TOC", 11 << 3, "audio_too_long"),
        ("malformed", 3, "audio_corrupt"),
    ] {
        let mut file = head.to_vec();
        for sequence in 2..655_352_u32 {
            let mut page = page.to_vec();
            page[5] = 0;
            page[6..14].copy_from_slice(&(u64::from(sequence) * 2_880).to_le_bytes());
            page[18..22].copy_from_slice(&sequence.to_le_bytes());
            *page.last_mut().unwrap() = packet;
            page[22..26].fill(0);
            let crc = page.iter().fold(0, |crc, &byte| crc_of(crc, byte));
            page[22..26].copy_from_slice(&u32::to_le_bytes(crc));
            file.extend(page);
        }
        refuse(name, file, code);
    }
}

/// The checksum of Ogg (RFC 3533 §6), bit by bit.
fn crc_of(crc: u32, byte: u8) -> u32 {
    (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
        crc << 1 ^ if crc >> 31 == 1 { 0x04C1_1DB7 } else { 0 }
    })
}

#[test]
fn mp4_boxes_in_boxes_in_boxes_are_not_followed_down() {
    for kind in [b"moov", b"trak", b"udta", b"meta", b"ilst"] {
        let depth = 200_000;
        let mut nested = Vec::new();
        for level in 0..depth {
            nested.extend(((depth - level) * 8_u32).to_be_bytes());
            nested.extend(kind);
        }
        // Alone, and inside the index of a file that is good otherwise.
        let alone = [b"\0\0\0\x08ftyp".as_slice(), &nested].concat();
        assert!(defuse("nested boxes", alone).is_err());

        let mut file = fixture("sound/voice-16k.m4a");
        let at = file.windows(4).position(|w| w == b"moov").unwrap();
        let size = u32::from_be_bytes(file[at - 4..at].try_into().unwrap());
        file[at - 4..at].copy_from_slice(&(size + nested.len() as u32).to_be_bytes());
        let end = at - 4 + size as usize;
        file.splice(end..end, nested);
        let _ = defuse("nested boxes in an index", file);
    }
}

#[test]
fn mp4_tables_of_four_billion_entries_are_as_long_as_they_are() {
    for table in [b"stsz", b"stts", b"stsc", b"stco", b"stsd", b"elst"] {
        for name in [
            "sound/voice-16k.m4a",
            "sound/alac-16k.m4a",
            "sound/amr-nb.3gp",
            "opus/frames-20.mp4",
        ] {
            let mut file = fixture(name);
            if file.windows(4).any(|w| w == table) {
                let skip = if table == b"stsz" { 8 } else { 4 };
                patch(&mut file, table, skip, &[0xFF; 4]);
                let _ = defuse(&format!("{name} {table:?}"), file);
            }
        }
    }
}

#[test]
fn webm_of_unknown_sizes_at_every_level_ends() {
    let segment = [0x18, 0x53, 0x80, 0x67, 0xFF];
    let tracks = [0x16, 0x54, 0xAE, 0x6B, 0xFF];
    let cluster = [0x1F, 0x43, 0xB6, 0x75, 0xFF];
    let (entry, group, block) = ([0xAE, 0xFF], [0xA0, 0xFF], [0xA3, 0xFF]);
    let head = *b"\x1A\x45\xDF\xA3\x87\x42\x82\x84webm";
    for (name, element) in [
        ("segments", &segment[..]),
        ("tracks", &tracks),
        ("clusters", &cluster),
        ("entries", &entry),
        ("groups", &group),
        ("blocks", &block),
    ] {
        let alone = [&head, &element.repeat(1_000_000 / element.len())[..]].concat();
        assert!(defuse(name, alone).is_err(), "{name}");

        // Behind sound: that stands.
        for file in ["opus/live.webm", "sound/vorbis-44k1.webm"] {
            let behind = [fixture(file), element.repeat(1_000_000 / element.len())].concat();
            let done = defuse(&format!("{name} behind {file}"), behind);
            assert!(done.is_ok() || file.contains("live"), "{name}: {done:?}");
        }
    }
}

#[test]
fn wav_of_hundreds_of_channels_is_refused() {
    let wav = fixture("sound/u8-11k.wav");
    for channels in [9_u16, 255, u16::MAX] {
        let mut file = wav.clone();
        file[22..24].copy_from_slice(&channels.to_le_bytes());
        file[32..34].copy_from_slice(&channels.to_le_bytes());
        refuse("WAV", file, "audio_unsupported");
    }
    for at in [24, 28, 32, 34] {
        let mut file = wav.clone();
        file[at..at + 2].fill(0xFF);
        let _ = defuse("WAV with absurd fields", file);
    }
}

#[test]
fn caf_of_absurd_counts_is_as_long_as_it_is() {
    for name in ["opus/frames-20.caf", "sound/alac-16k.caf"] {
        for count in [i64::MAX, -1, 1 << 40] {
            let mut file = fixture(name);
            patch(&mut file, b"pakt", 8, &count.to_be_bytes());
            let done = defuse(name, file);
            assert!(done.is_ok() || name.contains("alac"), "{name}: {done:?}");
        }
        let mut file = fixture(name);
        patch(&mut file, b"pakt", 0, &[0x7F; 8]);
        let _ = defuse(name, file);
    }
    for name in ["sound/mulaw-8k.caf", "sound/alac-16k.caf", "sound/caf-8k.caf"] {
        // Bytes and frames per packet, channels, bits.
        for field in [16, 20, 24, 28] {
            for value in [[0; 4], [0xFF; 4], [0x7F, 0xFF, 0xFF, 0xFF]] {
                let mut file = fixture(name);
                patch(&mut file, b"desc", 8 + field, &value);
                let _ = defuse(&format!("{name} {field} {value:?}"), file);
            }
        }
    }
}

#[test]
fn other_headers_with_absurd_numbers_hold_nothing_back() {
    for (name, after, skips) in [
        ("sound/aiff-8k.aiff", &b"COMM"[..], &[0, 4, 6, 8, 10][..]),
        ("sound/ms-adpcm-16k.wav", b"fmt ", &[4, 6, 8, 12, 14, 16, 20, 22]),
        ("sound/ima-adpcm-16k.wav", b"fmt ", &[4, 6, 8, 12, 14, 16, 20]),
        ("sound/vbr-id3v2-44k1.mp3", b"ID3", &[0, 3, 9]),
        ("sound/flac-16k.oga", b"fLaC", &[0, 4, 6, 10, 14]),
        ("sound/alac-16k.m4a", b"alac", &[32, 36, 40, 44, 48]),
        ("sound/vorbis-44k1.ogg", b"\x01vorbis", &[0, 4, 5, 9, 17]),
    ] {
        for &skip in skips {
            for bytes in [[0x7F, 0xFF, 0xFF, 0xFF], [0xFF; 4], [0; 4]] {
                let mut file = fixture(name);
                patch(&mut file, after, skip, &bytes);
                let _ = defuse(&format!("{name} {skip} {bytes:?}"), file);
            }
        }
    }
}
