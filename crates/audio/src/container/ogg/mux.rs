//! Writing Ogg Opus (RFC 7845) in one pass.

use std::io::{self, Write};

use super::crc;
use crate::OpusHead;

/// Pages end after this much sound (1 s), so that a player can seek and a damaged page loses little.
const PAGE_SAMPLES: u64 = 48_000;
const MAX_SEGMENTS: usize = 255;
const FIRST: u8 = 2;
const LAST: u8 = 4;
const VENDOR: &[u8] = b"Voxpost";

/// Writes one logical Ogg Opus stream: identification page, comment page, then pages of about one second.
///
/// It holds one page (at most 64 KiB). A stream is whole only after [`finish`](Self::finish), which writes the last
/// page with its end mark.
#[derive(Debug)]
pub struct OggOpusWriter<W> {
    out: W,
    serial: u32,
    sequence: u32,
    pre_skip: u64,
    /// Bytes written so far.
    bytes: u64,
    /// Granule position of the last page that was written.
    written: u64,
    /// Granule position after the last packet.
    granule: u64,
    lacing: Vec<u8>,
    body: Vec<u8>,
}

impl<W: Write> OggOpusWriter<W> {
    /// Starts a stream: writes the two header pages.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(out: W, head: &OpusHead, serial: u32) -> io::Result<Self> {
        let mut writer = OggOpusWriter {
            out,
            serial,
            sequence: 0,
            pre_skip: head.pre_skip.into(),
            bytes: 0,
            written: 0,
            granule: 0,
            lacing: Vec::with_capacity(MAX_SEGMENTS),
            body: Vec::with_capacity(8 * 1024),
        };
        writer.push(&head.to_bytes());
        writer.write_page(FIRST, 0)?;
        let mut tags = Vec::with_capacity(16 + VENDOR.len());
        tags.extend(b"OpusTags");
        tags.extend((VENDOR.len() as u32).to_le_bytes());
        tags.extend(VENDOR);
        tags.extend(0u32.to_le_bytes());
        writer.push(&tags);
        writer.write_page(0, 0)?;
        Ok(writer)
    }

    /// Appends one Opus packet that plays for `samples_48k` samples at 48 kHz.
    ///
    /// # Errors
    /// `InvalidInput` when it is longer than [`MAX_PACKET_BYTES`](crate::packet::MAX_PACKET_BYTES); those of the
    /// output.
    pub fn packet(&mut self, data: &[u8], samples_48k: u32) -> io::Result<()> {
        if data.len() > crate::packet::MAX_PACKET_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "an Opus packet of more than 61,440 bytes",
            ));
        }
        let full = self.lacing.len() + data.len() / 255 + 1 > MAX_SEGMENTS;
        let long = self.granule + u64::from(samples_48k) - self.written > PAGE_SAMPLES;
        if !self.lacing.is_empty() && (full || long) {
            self.write_page(0, self.granule)?;
        }
        self.push(data);
        self.granule += u64::from(samples_48k);
        Ok(())
    }

    /// Samples at 48 kHz that were appended so far, pre-skip included.
    pub fn granule(&self) -> u64 {
        self.granule
    }

    /// Bytes written so far; the page in the making is not among them.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The smallest `end_samples` that [`finish`](Self::finish) can honour: pages that were written stay.
    pub fn least_end(&self) -> u64 {
        self.written.saturating_sub(self.pre_skip)
    }

    /// Ends the stream and gives the output back. `end_samples` is the play time in samples at 48 kHz, without
    /// pre-skip; what the last packets hold beyond it is trimmed (RFC 7845 §4.4). At most the last page can be
    /// trimmed. `None` plays all.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(mut self, end_samples: Option<u64>) -> io::Result<W> {
        let end = match end_samples {
            Some(n) => n.saturating_add(self.pre_skip).clamp(self.written, self.granule),
            None => self.granule,
        };
        self.write_page(LAST, end)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn push(&mut self, data: &[u8]) {
        self.lacing.resize(self.lacing.len() + data.len() / 255, 255);
        self.lacing.push((data.len() % 255) as u8);
        self.body.extend_from_slice(data);
    }

    fn write_page(&mut self, flags: u8, granule: u64) -> io::Result<()> {
        let mut header = [0; 27 + MAX_SEGMENTS];
        let header = &mut header[..27 + self.lacing.len()];
        header[..4].copy_from_slice(b"OggS");
        header[5] = flags;
        header[6..14].copy_from_slice(&granule.to_le_bytes());
        header[14..18].copy_from_slice(&self.serial.to_le_bytes());
        header[18..22].copy_from_slice(&self.sequence.to_le_bytes());
        header[26] = self.lacing.len() as u8;
        header[27..].copy_from_slice(&self.lacing);
        let checksum = crc::update(crc::update(0, header), &self.body);
        header[22..26].copy_from_slice(&checksum.to_le_bytes());
        self.out.write_all(header)?;
        self.out.write_all(&self.body)?;
        self.bytes += (header.len() + self.body.len()) as u64;
        self.sequence = self.sequence.wrapping_add(1);
        self.written = granule;
        self.lacing.clear();
        self.body.clear();
        Ok(())
    }
}
