//! MP4 (ISO/IEC 14496-12) with its index in front, and Opus in it (Encapsulation of Opus in ISO Base Media File Format).

use std::io::Write;

use super::plan::{Plan, each_packet};
use crate::{Error, Input, OpusHead};

/// Packets in a chunk.
const CHUNK: usize = 50;
/// What a decoder is given before the place that is to be heard, in samples at 48 kHz (§4.3.6.2: 80 ms).
const PRE_ROLL: u64 = 3_840;

/// Writes the whole file.
pub(super) fn write(
    plan: &Plan,
    input: &mut dyn Input,
    output: &mut dyn Write,
    cancelled: &dyn Fn() -> bool,
) -> Result<(), Error> {
    let shortest = plan.packets.iter().map(|packet| packet.samples).min();
    let track = Track {
        rate: 48_000,
        brand: b"Opus",
        entry: entry(&plan.head),
        skip: plan.head.pre_skip.into(),
        play: plan.play(),
        roll: PRE_ROLL.div_ceil(shortest.unwrap_or(960).into()) as u16,
    };
    let samples = plan.packets.iter().map(|packet| Sample {
        bytes: packet.bytes.into(),
        duration: packet.samples.into(),
    });
    output.write_all(&header(&track, samples)?)?;
    each_packet(input, cancelled, |data| Ok(output.write_all(data)?))?;
    Ok(())
}

/// The `Opus` sample entry with its `dOps` box (§4.3.1, §4.3.2).
fn entry(head: &OpusHead) -> Vec<u8> {
    let mut boxes = Boxes::default();
    boxes.nest(b"Opus", |entry| {
        audio_entry(entry, head.channels, 48_000);
        entry.nest(b"dOps", |dops| {
            dops.bytes(&[0, head.channels]);
            dops.bytes(&head.pre_skip.to_be_bytes());
            dops.u32(head.input_sample_rate);
            dops.bytes(&head.output_gain.to_be_bytes());
            dops.bytes(&[0]);
        });
    });
    boxes.0
}

/// The fields of every `AudioSampleEntry`.
pub(super) fn audio_entry(entry: &mut Boxes, channels: u8, rate: u32) {
    entry.bytes(&[
        0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, channels, 0, 16, 0, 0, 0, 0,
    ]);
    entry.u32(rate << 16);
}

/// One packet or access unit.
pub(super) struct Sample {
    pub(super) bytes: u32,
    /// At the track's rate.
    pub(super) duration: u32,
}

/// The one track of a file.
pub(super) struct Track {
    /// Ticks a second, of the track and of the movie.
    pub(super) rate: u32,
    /// Told beside `isom`.
    pub(super) brand: &'static [u8; 4],
    /// The sample entry.
    pub(super) entry: Vec<u8>,
    /// Ticks to drop from the start.
    pub(super) skip: u64,
    /// Ticks that are heard.
    pub(super) play: u64,
    /// Samples to decode before the place that is to be heard.
    pub(super) roll: u16,
}

/// Everything before the first sample: `ftyp`, `moov` and the header of `mdat`.
pub(super) fn header(track: &Track, samples: impl Iterator<Item = Sample>) -> Result<Vec<u8>, Error> {
    let mut sizes = Vec::new();
    let mut durations: Vec<(u32, u32)> = Vec::new();
    let (mut bytes, mut total) = (0_u64, 0_u64);
    for sample in samples {
        sizes.push(sample.bytes);
        match durations.last_mut() {
            Some((count, duration)) if *duration == sample.duration => *count += 1,
            _ => durations.push((1, sample.duration)),
        }
        bytes += u64::from(sample.bytes);
        total += u64::from(sample.duration);
    }
    // Times and offsets are written with 32 bits, which every reader takes: a day of sound.
    let index = 64 * (sizes.len() as u64 + 64);
    if total > i32::MAX as u64 || bytes + index > u32::MAX.into() {
        return Err(Error::OutputTooLarge {
            max_bytes: u32::MAX.into(),
        });
    }
    let moov = Moov {
        track,
        sizes: &sizes,
        durations: &durations,
        total: total as u32,
    };
    let mut out = Boxes::default();
    out.nest(b"ftyp", |ftyp| {
        ftyp.bytes(b"isom");
        ftyp.u32(0x200);
        for brand in [b"isom", b"iso2", b"mp41", track.brand] {
            ftyp.bytes(brand);
        }
    });
    // Its length does not depend on the offsets in it.
    let length = moov.boxes(0).len();
    let data_at = out.0.len() + length + 8;
    out.bytes(&moov.boxes(data_at as u32));
    out.u32(bytes as u32 + 8);
    out.bytes(b"mdat");
    Ok(out.0)
}

struct Moov<'a> {
    track: &'a Track,
    sizes: &'a [u32],
    durations: &'a [(u32, u32)],
    total: u32,
}

const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

impl Moov<'_> {
    fn boxes(&self, data_at: u32) -> Vec<u8> {
        let play = self.track.play as u32;
        let mut out = Boxes::default();
        out.nest(b"moov", |moov| {
            moov.full(b"mvhd", 0, 0, |mvhd| {
                mvhd.all(&[0, 0, self.track.rate, play, 0x1_0000, 0x0100_0000, 0, 0]);
                mvhd.all(&MATRIX);
                mvhd.all(&[0, 0, 0, 0, 0, 0, 2]);
            });
            moov.nest(b"trak", |trak| {
                // Enabled, in the movie, in the preview.
                trak.full(b"tkhd", 0, 7, |tkhd| {
                    tkhd.all(&[0, 0, 1, 0, play, 0, 0, 0, 0x0100_0000]);
                    tkhd.all(&MATRIX);
                    tkhd.all(&[0, 0]);
                });
                trak.nest(b"edts", |edts| {
                    edts.full(b"elst", 0, 0, |elst| {
                        elst.all(&[1, play, self.track.skip as u32, 0x1_0000]);
                    });
                });
                trak.nest(b"mdia", |mdia| self.media(mdia, data_at));
            });
        });
        out.0
    }

    fn media(&self, mdia: &mut Boxes, data_at: u32) {
        mdia.full(b"mdhd", 0, 0, |mdhd| {
            // The language is `und`.
            mdhd.all(&[0, 0, self.track.rate, self.total, 0x55C4_0000]);
        });
        mdia.full(b"hdlr", 0, 0, |hdlr| {
            hdlr.u32(0);
            hdlr.bytes(b"soun");
            hdlr.all(&[0, 0, 0]);
            hdlr.bytes(b"Voxpost\0");
        });
        mdia.nest(b"minf", |minf| {
            minf.full(b"smhd", 0, 0, |smhd| smhd.u32(0));
            minf.nest(b"dinf", |dinf| {
                dinf.full(b"dref", 0, 0, |dref| {
                    dref.u32(1);
                    // The data is in this very file.
                    dref.full(b"url ", 0, 1, |_| ());
                });
            });
            minf.nest(b"stbl", |stbl| self.table(stbl, data_at));
        });
    }

    fn table(&self, stbl: &mut Boxes, data_at: u32) {
        let count = self.sizes.len() as u32;
        stbl.full(b"stsd", 0, 0, |stsd| {
            stsd.u32(1);
            stsd.bytes(&self.track.entry);
        });
        stbl.full(b"stts", 0, 0, |stts| {
            stts.u32(self.durations.len() as u32);
            for (count, duration) in self.durations {
                stts.all(&[*count, *duration]);
            }
        });
        stbl.full(b"stsc", 0, 0, |stsc| self.chunks(stsc));
        stbl.full(b"stsz", 0, 0, |stsz| {
            stsz.all(&[0, count]);
            stsz.all(self.sizes);
        });
        stbl.full(b"stco", 0, 0, |stco| {
            stco.u32(self.sizes.len().div_ceil(CHUNK) as u32);
            let mut at = data_at;
            for chunk in self.sizes.chunks(CHUNK) {
                stco.u32(at);
                at += chunk.iter().sum::<u32>();
            }
        });
        stbl.full(b"sgpd", 1, 0, |sgpd| {
            sgpd.bytes(b"roll");
            sgpd.all(&[2, 1]);
            sgpd.bytes(&(-(self.track.roll as i16)).to_be_bytes());
        });
        stbl.full(b"sbgp", 0, 0, |sbgp| {
            sbgp.bytes(b"roll");
            sbgp.all(&[1, count, 1]);
        });
    }

    fn chunks(&self, stsc: &mut Boxes) {
        let (full, rest) = (self.sizes.len() / CHUNK, self.sizes.len() % CHUNK);
        let mut entries = Vec::new();
        if full > 0 {
            entries.push([1, CHUNK as u32, 1]);
        }
        if rest > 0 {
            entries.push([full as u32 + 1, rest as u32, 1]);
        }
        stsc.u32(entries.len() as u32);
        for entry in entries {
            stsc.all(&entry);
        }
    }
}

/// Boxes in boxes, as bytes.
#[derive(Default)]
pub(super) struct Boxes(pub(super) Vec<u8>);

impl Boxes {
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    fn all(&mut self, values: &[u32]) {
        for value in values {
            self.u32(*value);
        }
    }

    pub(super) fn nest(&mut self, kind: &[u8; 4], fill: impl FnOnce(&mut Self)) {
        let at = self.0.len();
        self.u32(0);
        self.bytes(kind);
        fill(self);
        let length = (self.0.len() - at) as u32;
        self.0[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }

    pub(super) fn full(&mut self, kind: &[u8; 4], version: u8, flags: u32, fill: impl FnOnce(&mut Self)) {
        self.nest(kind, |inner| {
            inner.u32(u32::from(version) << 24 | flags);
            fill(inner);
        });
    }
}
