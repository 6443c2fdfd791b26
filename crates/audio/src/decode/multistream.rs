//! Opus of more than two channels (RFC 7845 §5.1.1.2): several streams, decoded together and mixed down.

use std::num::NonZeroU32;

use ::opus::MSDecoder;

use super::decoder::{Engine, EngineEnding, Format};
use super::gapless::Trim;
use crate::container::{Demux, Event, Track};
use crate::opus::head::{MAX_CHANNELS, Mapping};
use crate::opus::packet::{MAX_SAMPLES_48K, check_multistream};
use crate::pcm::{Layout, sanitise};
use crate::sniff::open;
use crate::{Error, Input, Limits};

/// The longest gap that is filled with silence, at 48 kHz.
const MAX_GAP: u64 = 60 * 48_000;

/// A track of several Opus streams.
pub(super) struct Multistream<'a> {
    demux: Box<dyn Demux + 'a>,
    decoder: MSDecoder,
    channels: usize,
    /// From the output gain of the header.
    gain: f32,
    buffer: Vec<f32>,
    good_packets: u64,
    bad_packets: u64,
    missing: u64,
}

impl<'a> Multistream<'a> {
    pub(super) fn open(
        input: &'a mut dyn Input,
        limits: &Limits,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(Self, Format), Error> {
        let (samples, discard) = {
            let (_, mut demux) = track(&mut *input)?;
            count(demux.as_mut(), limits, cancelled)?
        };
        let (mapping, demux) = track(input)?;
        let head = demux.head();
        let channels = usize::from(head.channels);
        if channels > MAX_CHANNELS.min(limits.max_channels.into()) {
            return Err(Error::unsupported(format!("Opus with {channels} channels")));
        }
        let decoder = MSDecoder::new(
            48_000,
            mapping.streams,
            mapping.coupled,
            &mapping.table[..channels],
        )
        .map_err(|error| Error::unsupported(format!("Opus with this channel mapping ({error})")))?;
        let skip = u64::from(head.pre_skip);
        let format = Format {
            rate: NonZeroU32::new(48_000).expect("not zero"),
            layout: Layout {
                channels,
                lfe: mapping.lfe,
            },
            trim: Trim {
                skip,
                frames: Some(samples.saturating_sub(skip).saturating_sub(discard)),
            },
        };
        let multistream = Self {
            demux,
            decoder,
            channels,
            gain: 10_f32.powf(f32::from(head.output_gain) / (20.0 * 256.0)),
            buffer: vec![0.0; MAX_SAMPLES_48K as usize * channels],
            good_packets: 0,
            bad_packets: 0,
            missing: 0,
        };
        Ok((multistream, format))
    }
}

impl Engine for Multistream<'_> {
    fn next(&mut self, interleaved: &mut Vec<f32>) -> Result<bool, Error> {
        interleaved.clear();
        match self.demux.next()? {
            None if self.good_packets == 0 && self.bad_packets > 0 => {
                return Err(Error::corrupt("none of its Opus packets can be decoded"));
            }
            None => return Ok(false),
            Some(Event::Packet { data, .. }) => match check_multistream(data) {
                Ok(info) => {
                    let room = &mut self.buffer[..info.samples_48k as usize * self.channels];
                    if let Ok(frames) = self.decoder.decode_float(data, room, false) {
                        interleaved.extend(room[..frames * self.channels].iter().map(|x| self.gain * x));
                        sanitise(interleaved);
                        self.good_packets += 1;
                    } else {
                        interleaved.resize(room.len(), 0.0);
                        self.missing += u64::from(info.samples_48k);
                        self.bad_packets += 1;
                    }
                }
                Err(_) => self.bad_packets += 1,
            },
            Some(Event::Gap { samples, lost }) => {
                let samples = samples.min(MAX_GAP);
                interleaved.resize(samples as usize * self.channels, 0.0);
                if lost {
                    self.missing += samples;
                }
            }
        }
        Ok(true)
    }

    fn ending(&self, _given: u64) -> EngineEnding {
        EngineEnding {
            truncated: self.demux.ending().truncated || self.bad_packets > 0,
            missing: self.missing,
        }
    }
}

fn track(input: &mut dyn Input) -> Result<(Mapping, Box<dyn Demux + '_>), Error> {
    match open(input)?.1 {
        Track::Multistream(mapping, demux) => Ok((mapping, demux)),
        _ => Err(Error::corrupt("it has several streams once and not again")),
    }
}

/// Samples of all packets at 48 kHz, and how many of them the container wants dropped from the end.
fn count(demux: &mut dyn Demux, limits: &Limits, cancelled: &dyn Fn() -> bool) -> Result<(u64, u64), Error> {
    let allowance = limits.max_samples_48k().saturating_add(2 * u64::from(u16::MAX));
    let mut samples = 0_u64;
    while let Some(event) = demux.next()? {
        if cancelled() {
            return Err(Error::OutOfTime);
        }
        samples += match event {
            Event::Packet { data, .. } => check_multistream(data).map_or(0, |info| info.samples_48k.into()),
            Event::Gap { samples, .. } => samples.min(MAX_GAP),
        };
        if samples > allowance {
            return Err(Error::TooLong {
                max_ms: limits.max_duration_ms,
            });
        }
    }
    Ok((samples, demux.ending().discard))
}
