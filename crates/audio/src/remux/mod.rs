//! Opus in, Opus out: the packets stay as they are, everything around them is made new.
//!
//! The time line is the sum of the packets' own durations. What a container says about time is coarse or jittery and
//! is used for two things only: where packets are missing (the time is kept, RFC 7845 §4.1), and where the sound ends.

mod fill;
mod gaps;

use std::io::Write;

use crate::container::{Demux, Event};
use crate::opus::packet;
use crate::{Error, OggOpusWriter, Options, OpusHead};

pub use fill::fill as fill_time;

use fill::fill;
use gaps::{Gaps, Timed};

/// Invalid packets that are dropped before their number counts against the file.
const FORGIVEN: u64 = 64;
/// Sound that may run over the limit until the end is known: it may still be trimmed.
const TRIM_ALLOWANCE: u64 = 2 * 48_000;
/// How often `cancelled` is asked, in packets.
const ASK_EVERY: u64 = 64;

/// What a remux gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remuxed {
    /// Play time at 48 kHz.
    pub(crate) samples_48k: u64,
    pub(crate) channels: u8,
    pub(crate) truncated: bool,
    /// Lost sound that is silence now, at 48 kHz.
    pub(crate) missing_48k: u64,
}

/// Writes all packets of a container as one Ogg Opus stream.
pub(crate) fn remux(
    demux: &mut dyn Demux,
    output: impl Write,
    options: &Options,
    cancelled: &dyn Fn() -> bool,
) -> Result<Remuxed, Error> {
    let head = demux.head();
    let mut sink = Sink {
        writer: OggOpusWriter::new(output, &head, options.serial)?,
        options,
        toc: None,
        owed: 0,
        missing: 0,
    };
    let mut gaps = Gaps::new();
    let (mut valid, mut invalid) = (0u64, 0u64);
    let mut dropped = false;
    while let Some(event) = demux.next()? {
        if (valid + invalid).is_multiple_of(ASK_EVERY) && cancelled() {
            return Err(Error::OutOfTime);
        }
        match event {
            Event::Gap { samples, lost } => {
                gaps.drain(|timed| sink.timed(timed))?;
                sink.gap(samples, lost)?;
            }
            Event::Packet { data, at } => match packet::check(data) {
                Ok(info) => {
                    valid += 1;
                    gaps.push(data, info.samples_48k, at, dropped, |timed| sink.timed(timed))?;
                    dropped = false;
                }
                Err(_) => {
                    invalid += 1;
                    dropped = true;
                    if invalid > FORGIVEN && invalid > valid {
                        return Err(Error::corrupt("most of its Opus packets are malformed"));
                    }
                }
            },
        }
    }
    gaps.drain(|timed| sink.timed(timed))?;
    if invalid > valid {
        return Err(Error::corrupt("most of its Opus packets are malformed"));
    }
    let ending = demux.ending();
    let truncated = ending.truncated || invalid > 0;
    sink.finish(ending.discard, truncated, head)
}

/// The stream that is being written.
struct Sink<'a, W> {
    writer: OggOpusWriter<W>,
    options: &'a Options,
    /// Of the packet before: what fills a gap sounds like it.
    toc: Option<u8>,
    /// Gap before the first packet, filled when that tells how.
    owed: u64,
    missing: u64,
}

impl<W: Write> Sink<'_, W> {
    fn timed(&mut self, timed: &Timed<'_>) -> Result<(), Error> {
        if timed.gap > 0 {
            self.gap(timed.gap, timed.lost)?;
        }
        let toc = timed.data[0];
        self.toc = Some(toc);
        let owed = std::mem::take(&mut self.owed);
        fill(toc, owed, |data, samples| self.packet(data, samples))?;
        self.packet(timed.data, timed.samples)
    }

    fn gap(&mut self, samples: u64, lost: bool) -> Result<(), Error> {
        if lost {
            self.missing = self.missing.saturating_add(samples);
        }
        match self.toc {
            Some(toc) => fill(toc, samples, |data, samples| self.packet(data, samples)),
            None => {
                self.owed = self.owed.saturating_add(samples);
                Ok(())
            }
        }
    }

    fn packet(&mut self, data: &[u8], samples: u32) -> Result<(), Error> {
        self.writer.packet(data, samples)?;
        let limits = &self.options.limits;
        if self.writer.granule() > limits.max_samples_48k().saturating_add(TRIM_ALLOWANCE) {
            return Err(Error::TooLong {
                max_ms: limits.max_duration_ms,
            });
        }
        if self.writer.bytes() > limits.max_output_bytes {
            return Err(Error::OutputTooLarge {
                max_bytes: limits.max_output_bytes,
            });
        }
        Ok(())
    }

    fn finish(self, discard: u64, truncated: bool, head: OpusHead) -> Result<Remuxed, Error> {
        let limits = &self.options.limits;
        let play = self.writer.granule().saturating_sub(head.pre_skip.into());
        let samples_48k = play
            .saturating_sub(discard)
            .max(self.writer.least_end())
            .min(play);
        if samples_48k == 0 {
            return Err(Error::Empty);
        }
        if samples_48k > limits.max_samples_48k() {
            return Err(Error::TooLong {
                max_ms: limits.max_duration_ms,
            });
        }
        self.writer.finish(Some(samples_48k))?;
        Ok(Remuxed {
            samples_48k,
            channels: head.channels,
            truncated,
            missing_48k: self.missing,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use crate::container::testing::{any_packets, samples, total};
    use crate::{Error, OggOpusWriter, Options, OpusHead, normalise};

    proptest! {
        #[test]
        fn a_canonical_file_stays_as_it_is_byte_for_byte(
            packets in any_packets(), pre_skip: u16, serial: u32, trim in 0u64..6000, channels in 1u8..=2,
        ) {
            let mut writer = OggOpusWriter::new(Vec::new(), &OpusHead::new(channels, pre_skip), serial).unwrap();
            for packet in &packets {
                writer.packet(packet, samples(packet) as u32).unwrap();
            }
            let all = total(&packets).saturating_sub(pre_skip.into());
            let play = all.saturating_sub(trim).max(writer.least_end()).min(all);
            let file = writer.finish(Some(play)).unwrap();
            let mut out = Vec::new();
            let options = Options { serial, ..Options::default() };
            match normalise(Cursor::new(&file), &mut out, &options, &|| false) {
                Ok(done) => {
                    prop_assert_eq!(done.samples_48k, play);
                    prop_assert!(!done.transcoded && !done.truncated && done.missing_ms == 0);
                    prop_assert_eq!((done.channels, done.size_bytes), (channels, file.len() as u64));
                    prop_assert!(out == file);
                }
                Err(Error::Empty) => prop_assert_eq!(play, 0),
                Err(e) => prop_assert!(false, "{e}"),
            }
        }
    }
}
