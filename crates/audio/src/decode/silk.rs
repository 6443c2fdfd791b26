//! SILK v3, decoded by a process of its own ([`crate::silk`]).

use std::num::NonZeroU32;

use super::decoder::{Engine, EngineEnding, Format};
use super::gapless::Trim;
use crate::container::{Event, Packets, Track};
use crate::pcm::Layout;
use crate::silk::{Process, RATE};
use crate::sniff::open;
use crate::{Error, Input, Limits};

/// The shortest packet. A packet may hold up to five times as much; those that do are bounded while they are decoded.
const FRAME_MS: u64 = 20;
const FRAME_SAMPLES: usize = RATE as usize / 50;

/// A file of SILK.
pub(super) struct Silk<'a> {
    packets: Box<dyn Packets + 'a>,
    process: Process,
    good_packets: u64,
    missing: u64,
}

impl<'a> Silk<'a> {
    pub(super) fn open(
        input: &'a mut dyn Input,
        limits: &Limits,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(Self, Format), Error> {
        count(track(&mut *input)?.as_mut(), limits, cancelled)?;
        let silk = Self {
            packets: track(input)?,
            process: Process::start()?,
            good_packets: 0,
            missing: 0,
        };
        let format = Format {
            rate: NonZeroU32::new(RATE).expect("not zero"),
            layout: Layout {
                channels: 1,
                lfe: None,
            },
            trim: Trim::default(),
        };
        Ok((silk, format))
    }
}

impl Engine for Silk<'_> {
    fn next(&mut self, interleaved: &mut Vec<f32>) -> Result<bool, Error> {
        interleaved.clear();
        let Some(event) = self.packets.next()? else {
            return match self.good_packets {
                0 if self.missing > 0 => Err(Error::corrupt("no packet of SILK can be decoded")),
                _ => Ok(false),
            };
        };
        let Event::Packet { data, .. } = event else {
            return Ok(true);
        };
        if self.process.decode(data, interleaved)? {
            self.good_packets += 1;
        } else {
            interleaved.resize(FRAME_SAMPLES, 0.0);
            self.missing += FRAME_SAMPLES as u64;
        }
        Ok(true)
    }

    fn ending(&self, _given: u64) -> EngineEnding {
        EngineEnding {
            truncated: self.packets.ending().truncated,
            missing: self.missing,
        }
    }
}

fn track(input: &mut dyn Input) -> Result<Box<dyn Packets + '_>, Error> {
    match open(input)?.1 {
        Track::Silk(packets) => Ok(packets),
        _ => Err(Error::corrupt("it is read as SILK once and not again")),
    }
}

/// Counts the packets, so that hours of nothing in a few kilobytes are refused before any is decoded.
fn count(packets: &mut dyn Packets, limits: &Limits, cancelled: &dyn Fn() -> bool) -> Result<(), Error> {
    let mut total = 0;
    while packets.next()?.is_some() {
        if cancelled() {
            return Err(Error::OutOfTime);
        }
        total += FRAME_MS;
        if total > limits.max_duration_ms {
            return Err(Error::TooLong {
                max_ms: limits.max_duration_ms,
            });
        }
    }
    Ok(())
}
