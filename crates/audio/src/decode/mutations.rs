//! Tens of thousands of damaged files of every format, through demuxer and decoder: each ends in sound or in a typed error.
//!
//! Only the first blocks are decoded, so that there is time for many files; `tests/mutations.rs` takes fewer all the way.
//! `VOXPOST_SOAK=1` makes it a million of each.

use std::cell::Cell;
use std::io::Cursor;
use std::panic;
use std::path::Path;
use std::sync::Once;

use super::Decoder;
use crate::container::{Packets, Track};
use crate::sniff::open;
use crate::{Codec, Error, Limits};

#[path = "../../tests/damage/mod.rs"]
mod damage;

use damage::{Random, mutate};

/// Enough for the headers and some packets.
const MOST_BYTES: usize = 12_000;
const BLOCKS: usize = 4;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What breaks a library is caught and becomes an error; printing where costs more than the test.
fn quietly() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_ours = info
                .location()
                .is_none_or(|place| place.file().starts_with("crates/"));
            if is_ours || !QUIET.get() {
                loud(info);
            }
        }));
    });
    QUIET.set(true);
}

/// Opens a file and decodes its first blocks; whether there was any sound.
fn walk(file: Vec<u8>) -> Result<bool, Error> {
    let mut input = Cursor::new(file);
    let probe = {
        let (probe, track) = open(&mut input)?;
        match track {
            Track::Opus(mut demux) => return drain(demux.as_mut()),
            // Its decoder is a process: tests/silk.rs.
            Track::Silk(mut packets) => return drain(packets.as_mut()),
            Track::Other(Codec::Other(_)) => return Ok(false),
            _ => probe,
        }
    };
    let limits = Limits {
        max_duration_ms: 20_000,
        ..Limits::default()
    };
    let mut decoder = Decoder::open(&mut input, &probe, &limits, &|| false)?;
    for _ in 0..BLOCKS {
        if let Some(block) = decoder.next_block()? {
            assert!(block.interleaved.iter().all(|x| x.abs() <= 1.0));
            assert_eq!(block.interleaved.len() % block.layout.channels, 0);
        }
    }
    Ok(decoder.frames() > 0)
}

fn drain(packets: &mut dyn Packets) -> Result<bool, Error> {
    let mut count = 0;
    while packets.next()?.is_some() {
        count += 1;
        assert!(count < 200_000, "packets without end");
    }
    Ok(count > 0)
}

/// Damages the fixtures in turn.
fn campaign(names: &[&str]) {
    quietly();
    let rounds = if std::env::var_os("VOXPOST_SOAK").is_some() {
        1_000_000
    } else {
        20_000
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let files: Vec<_> = names
        .iter()
        .map(|name| {
            let mut file = std::fs::read(folder.join(name)).expect("a fixture");
            // An index at the end would be lost, and the first page of FLAC.
            if !name.ends_with("caf")
                && !name.ends_with("oga")
                && !name.contains(".m")
                && !name.contains("3gp")
            {
                file.truncate(MOST_BYTES);
            }
            file
        })
        .collect();
    for (name, file) in names.iter().zip(&files) {
        assert!(
            walk(file.clone()).unwrap_or_else(|e| panic!("{name}: {e}")),
            "{name} has sound"
        );
    }
    let mut random = Random::new(0x0DD5_1234_5678_9ABC);
    let mut heard = 0;
    for round in 0..rounds {
        let mut file = files[round % files.len()].clone();
        mutate(&mut file, &mut random);
        match walk(file) {
            Ok(sound) => heard += usize::from(sound),
            Err(Error::Io(e)) => panic!("{names:?}, round {round}: {e}: reading from memory does not fail"),
            Err(Error::OutOfTime) => panic!("{names:?}, round {round}: nobody said stop"),
            Err(_) => {}
        }
    }
    // Damage that refuses everything would test the doors only.
    assert!(heard > rounds / 20, "{heard} of {rounds} heard");
}

#[test]
fn damaged_amr_is_survived() {
    campaign(&[
        "sound/amr-nb-dtx.amr",
        "sound/amr-wb-dtx.amr",
        "sound/amr-wb-23k85.amr",
        "sound/amr-nb-no-magic.amr",
    ]);
}

#[test]
fn damaged_3gp_is_survived() {
    campaign(&[
        "sound/amr-nb.3gp",
        "sound/amr-wb.3gp",
        "sound/amr-nb-fragmented.3gp",
    ]);
}

#[test]
fn damaged_caf_is_survived() {
    campaign(&[
        "opus/frames-20.caf",
        "opus/frames-60.caf",
        "sound/mulaw-8k.caf",
        "sound/alac-16k.caf",
    ]);
}

#[test]
fn damaged_mp3_is_survived() {
    campaign(&[
        "sound/mpeg25-8k.mp3",
        "sound/vbr-id3v2-44k1.mp3",
        "sound/mp3-in-16k.wav",
    ]);
}

#[test]
fn damaged_aac_is_survived() {
    campaign(&[
        "sound/adts-44k1.aac",
        "sound/voice-16k.m4a",
        "sound/he-aac-v2-44k1.m4a",
    ]);
}

#[test]
fn damaged_wav_and_adpcm_are_survived() {
    campaign(&[
        "sound/u8-11k.wav",
        "sound/ms-adpcm-16k.wav",
        "sound/ima-adpcm-16k.wav",
    ]);
}

#[test]
fn damaged_aiff_is_survived() {
    campaign(&["sound/aiff-8k.aiff", "sound/mulaw-8k.aifc"]);
}

#[test]
fn damaged_flac_is_survived() {
    campaign(&["sound/speech.flac", "sound/flac-16k.oga", "sound/flac-16k.mka"]);
}

#[test]
fn damaged_vorbis_is_survived() {
    campaign(&["sound/vorbis-44k1.ogg", "sound/vorbis-44k1.webm"]);
}

#[test]
fn damaged_silk_is_survived() {
    campaign(&["sound/wechat-24k.silk", "sound/silk-16k.silk"]);
}

#[test]
fn damaged_opus_of_many_channels_is_survived() {
    campaign(&["sound/opus-quad.ogg", "sound/opus-5.1.webm", "sound/opus-5.1.mp4"]);
}
