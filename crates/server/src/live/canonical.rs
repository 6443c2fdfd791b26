//! From packets in order to the canonical file: the same packets always give the same bytes, so what is lost is made again.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use voxpost_audio::{OggOpusWriter, OpusHead, fill_time, packet};
use voxpost_proto::live::Timeline;
use voxpost_proto::rtp::RtpHeader;

use crate::render;
use crate::store::recordings::RecordingRow;

/// What a recording's file begins with, and how its time is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) channels: u8,
    pub(crate) pre_skip: u16,
    /// What a packet plays as a rule, at 48 kHz.
    pub(crate) frame_samples: u32,
    pub(crate) first_sequence: u32,
    /// Of the Ogg stream.
    pub(crate) serial: u32,
    /// The longest play time, at 48 kHz.
    pub(crate) max_samples: u64,
}

impl Shape {
    pub(crate) fn of(row: &RecordingRow, max_duration_ms: u64) -> Self {
        Self {
            channels: u8::try_from(row.channels).unwrap_or(1),
            pre_skip: u16::try_from(row.pre_skip).unwrap_or_default(),
            frame_samples: u32::try_from(row.frame_samples).unwrap_or(960),
            first_sequence: u32::try_from(row.first_sequence).unwrap_or_default(),
            // As for uploads: any value will do, and the id's tail is random.
            serial: row.message_id.as_u128() as u32,
            max_samples: max_duration_ms.saturating_mul(48),
        }
    }
}

/// Writes packets and fillers as Ogg Opus.
pub(crate) struct Builder<W> {
    shape: Shape,
    timeline: Timeline,
    writer: OggOpusWriter<W>,
    toc: Option<u8>,
    next: u32,
}

/// How long a recording came out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Length {
    /// Play time at 48 kHz.
    pub(crate) samples: u64,
    /// Time of lost packets at 48 kHz.
    pub(crate) missing: u64,
}

impl<W: Write> Builder<W> {
    pub(crate) fn new(shape: Shape, out: W) -> io::Result<Self> {
        let head = OpusHead::new(shape.channels, shape.pre_skip);
        Ok(Self {
            shape,
            timeline: Timeline::new(shape.first_sequence, shape.frame_samples),
            writer: OggOpusWriter::new(out, &head, shape.serial)?,
            toc: None,
            next: shape.first_sequence,
        })
    }

    /// The first packet that was not appended.
    pub(crate) fn next_sequence(&self) -> u32 {
        self.next
    }

    /// Play time so far, at 48 kHz.
    pub(crate) fn samples(&self) -> u64 {
        self.writer.granule().saturating_sub(self.shape.pre_skip.into())
    }

    /// Whether it is as long as it may be.
    pub(crate) fn is_full(&self) -> bool {
        self.samples() >= self.shape.max_samples
    }

    /// Bytes written so far: whole pages.
    pub(crate) fn bytes(&self) -> u64 {
        self.writer.bytes()
    }

    /// Appends an RTP packet; those before it that did not come are gaps. One that is beyond the longest play time, or no
    /// packet at all, is left out.
    pub(crate) fn append(&mut self, sequence: u32, rtp: &[u8]) -> io::Result<()> {
        let Ok((header, payload)) = RtpHeader::parse(rtp) else {
            return Ok(());
        };
        let Ok(info) = packet::check(payload) else {
            return Ok(());
        };
        if sequence < self.next || self.is_full() {
            return Ok(());
        }
        let fill = self.timeline.place(sequence, header.timestamp, info.samples_48k);
        self.fill(self.toc.unwrap_or(payload[0]), fill)?;
        self.toc = Some(payload[0]);
        self.next = sequence.saturating_add(1);
        self.writer.packet(payload, info.samples_48k)
    }

    /// Ends it before the packet `end_sequence`, after `samples` of play time if the sender said how many; `None` when there is
    /// no sound in it.
    pub(crate) fn finish(
        mut self,
        end_sequence: u32,
        samples: Option<u64>,
    ) -> io::Result<Option<(W, Length)>> {
        let Some(toc) = self.toc else { return Ok(None) };
        let fill = self.timeline.finish(end_sequence);
        self.fill(toc, fill)?;
        let play = self.samples();
        let samples = samples
            .unwrap_or(play)
            .min(self.shape.max_samples)
            .max(self.writer.least_end())
            .min(play);
        if samples == 0 {
            return Ok(None);
        }
        let missing = self.timeline.missing_samples();
        let out = self.writer.finish(Some(samples))?;
        Ok(Some((out, Length { samples, missing })))
    }

    fn fill(&mut self, toc: u8, samples: u64) -> io::Result<()> {
        let room = self.shape.max_samples.saturating_sub(self.samples());
        // Up to the frame that reaches the limit: the end trim cuts it.
        let most = room.saturating_add(5_760);
        fill_time(toc, samples.min(most), |data, samples| {
            self.writer.packet(data, samples)
        })
    }
}

/// A file in the making that knows its hash.
pub(crate) struct HashedFile {
    file: File,
    hash: Sha256,
    len: u64,
}

impl HashedFile {
    pub(crate) fn new(file: File) -> Self {
        Self {
            file,
            hash: Sha256::new(),
            len: 0,
        }
    }

    pub(crate) fn done(self, length: Length) -> Canonical {
        Canonical {
            file: Arc::new(self.file),
            size_bytes: self.len,
            sha256: render::hex(&self.hash.finalize()),
            length,
        }
    }
}

impl Write for HashedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The whole canonical sound in an unnamed file. It need not be durable: the log is.
#[derive(Debug)]
pub(crate) struct Canonical {
    file: Arc<File>,
    pub(crate) size_bytes: u64,
    /// Lower-case hex.
    pub(crate) sha256: String,
    pub(crate) length: Length,
}

impl Canonical {
    /// A part of it. Blocks, but only on the page cache.
    pub(crate) fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes.into())
    }

    /// The file itself, for the object store. Reading it moves no position that anybody relies on.
    pub(crate) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }
}
