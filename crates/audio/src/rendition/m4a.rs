//! AAC-LC in MP4: 64 kbit/s mono at 48 kHz, by libxaac.

use std::io::{self, Read, Write};
use std::num::NonZeroU32;

use xaac_rs::{Encoder, EncoderConfig, OutputFormat, Profile};

use super::Scratch;
use super::mp4::{Boxes, Sample, Track, audio_entry, header};
use super::plan::Plan;
use super::sound::{each_block, length, pcm};
use crate::{Error, Input};

const RATE: NonZeroU32 = NonZeroU32::new(48_000).expect("not zero");
const BIT_RATE: u32 = 64_000;
/// Samples in a frame.
const FRAME: usize = 1_024;
/// By how many samples the encoder is late: measured, and held by a test.
const PRIMING: u64 = 1_600;

/// Writes the whole file.
pub(super) fn write(
    plan: &Plan,
    input: &mut dyn Input,
    output: &mut dyn Write,
    scratch: &mut dyn Scratch,
    cancelled: &dyn Fn() -> bool,
) -> Result<(), Error> {
    let config = EncoderConfig {
        profile: Profile::AacLc,
        sample_rate: RATE.get(),
        channels: 1,
        bitrate: BIT_RATE,
        output_format: OutputFormat::Raw,
        ..EncoderConfig::default()
    };
    let mut encoder = Encoder::new(config).map_err(broken)?;
    let mut sizes: Vec<u16> = Vec::new();
    let mut waiting: Vec<i16> = Vec::with_capacity(8 * FRAME);
    let mut encode = |frame: &[i16]| -> Result<(), Error> {
        let packet = encoder.encode_i16_interleaved(frame).map_err(broken)?;
        if !packet.data.is_empty() {
            sizes.push(u16::try_from(packet.data.len()).map_err(broken)?);
            scratch.write_all(&packet.data)?;
        }
        Ok(())
    };
    each_block(plan, input, RATE, cancelled, |block| {
        waiting.extend(block.iter().map(|x| pcm(*x)));
        let whole = waiting.len() / FRAME * FRAME;
        for frame in waiting[..whole].chunks(FRAME) {
            encode(frame)?;
        }
        waiting.drain(..whole);
        Ok(())
    })?;
    // Silence after the end until the last of the sound has come out.
    let play = length(plan, RATE);
    let frames = (play + PRIMING).div_ceil(FRAME as u64);
    for _ in play / FRAME as u64..frames {
        waiting.resize(FRAME, 0);
        encode(&waiting)?;
        waiting.clear();
    }
    let track = Track {
        rate: RATE.get(),
        brand: b"M4A ",
        entry: entry(encoder.audio_specific_config()),
        skip: PRIMING,
        play,
        roll: 1,
    };
    let samples = sizes.iter().map(|bytes| Sample {
        bytes: (*bytes).into(),
        duration: FRAME as u32,
    });
    output.write_all(&header(&track, samples)?)?;
    scratch.rewind()?;
    io::copy(&mut scratch.take(u64::MAX), output)?;
    Ok(())
}

/// The `mp4a` sample entry with its `esds` box (ISO/IEC 14496-14 §5.6, 14496-1 §7.2.6).
fn entry(audio_specific_config: &[u8]) -> Vec<u8> {
    let config = descriptor(5, audio_specific_config);
    // Audio (ISO/IEC 14496-3), an audio stream upstream, buffer size, highest and mean bit rate.
    let mut decoder = vec![0x40, 0x15, 0, 0x18, 0];
    decoder.extend(BIT_RATE.to_be_bytes());
    decoder.extend(BIT_RATE.to_be_bytes());
    decoder.extend(config);
    let mut stream = vec![0, 0, 0];
    stream.extend(descriptor(4, &decoder));
    stream.extend(descriptor(6, &[2]));
    let mut boxes = Boxes::default();
    boxes.nest(b"mp4a", |entry| {
        audio_entry(entry, 1, RATE.get());
        entry.full(b"esds", 0, 0, |esds| esds.bytes(&descriptor(3, &stream)));
    });
    boxes.0
}

fn descriptor(tag: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![tag, payload.len() as u8];
    out.extend_from_slice(payload);
    out
}

fn broken(what: impl std::fmt::Display) -> Error {
    Error::Io(io::Error::other(format!("libxaac: {what}")))
}
