//! Any sound file as samples.

use std::num::NonZeroU32;

use crate::container::{Demux, Event, Track};
use crate::decode::Decoder;
use crate::inspect::LIMITS;
use crate::opus::{decode::Decoder as OpusDecoder, packet};
use crate::sniff::open;
use crate::{Codec, Error, Input, Limits};

const OPUS_RATE: NonZeroU32 = NonZeroU32::new(48_000).expect("not zero");

/// A piece of sound.
#[derive(Debug, Clone, Copy)]
pub struct SoundBlock<'a> {
    /// Hz; the same for all blocks of a file.
    pub rate: NonZeroU32,
    /// The same for all blocks of a file.
    pub channels: usize,
    /// Whole frames, full scale at ±1.
    pub interleaved: &'a [f32],
}

/// Decodes a whole sound file, piece by piece, as it is heard: what its format trims is left out. Opus comes at 48 kHz,
/// everything else at its own rate.
///
/// # Errors
/// As [`inspect`](crate::inspect()).
pub fn decode(
    mut input: impl Input,
    cancelled: &dyn Fn() -> bool,
    each: &mut dyn FnMut(SoundBlock<'_>),
) -> Result<(), Error> {
    let source = match open(&mut input)? {
        (_, Track::Opus(mut demux)) => {
            let channels = demux.head().channels.into();
            let mut each = |interleaved: &[f32]| {
                each(SoundBlock {
                    rate: OPUS_RATE,
                    channels,
                    interleaved,
                });
            };
            return decode_opus(demux.as_mut(), OPUS_RATE, &LIMITS, cancelled, &mut each).map(drop);
        }
        (_, Track::Other(Codec::Other(codec))) => return Err(Error::Unsupported { codec }),
        (source, _) => source,
    };
    let mut decoder = Decoder::open(&mut input, &source, &LIMITS, cancelled)?;
    let (rate, channels) = (decoder.rate(), decoder.layout().channels);
    while let Some(block) = decoder.next_block()? {
        each(SoundBlock {
            rate,
            channels,
            interleaved: block.interleaved,
        });
        if cancelled() {
            return Err(Error::OutOfTime);
        }
    }
    if decoder.frames() == 0 {
        return Err(Error::Empty);
    }
    Ok(())
}

/// What was found in a stream of Opus packets.
pub(crate) struct Decoded {
    /// Play time in samples at 48 kHz.
    pub(crate) samples_48k: u64,
    pub(crate) packets: u64,
    pub(crate) packet_bytes: u64,
    pub(crate) truncated: bool,
}

/// Decodes a stream of Opus packets to interleaved samples at a divisor of 48 kHz.
pub(crate) fn decode_opus(
    demux: &mut dyn Demux,
    rate: NonZeroU32,
    limits: &Limits,
    cancelled: &dyn Fn() -> bool,
    each: &mut dyn FnMut(&[f32]),
) -> Result<Decoded, Error> {
    let head = demux.head();
    let step = u64::from(48_000 / rate.get());
    let mut decoder = OpusDecoder::new(rate, &head);
    let mut sound = Trimmed {
        each,
        channels: head.channels.into(),
        skip: u64::from(head.pre_skip) / step,
        second: rate.get() as usize,
        held: Vec::new(),
    };
    let (mut samples_48k, mut packets, mut packet_bytes) = (0_u64, 0, 0);
    let allowance = limits.max_samples_48k().saturating_add(head.pre_skip.into());
    while let Some(event) = demux.next()? {
        if cancelled() {
            return Err(Error::OutOfTime);
        }
        match event {
            Event::Packet { data, .. } => {
                // A packet that breaks the rules is no sound; remuxing drops it as well.
                let Ok(info) = packet::check(data) else { continue };
                samples_48k += u64::from(info.samples_48k);
                packets += 1;
                packet_bytes += data.len() as u64;
                sound.push(decoder.decode(data));
            }
            Event::Gap { samples, .. } => {
                samples_48k = samples_48k.saturating_add(samples);
                if samples_48k <= allowance {
                    sound.push_silence(samples / step);
                }
            }
        }
        if samples_48k > allowance {
            return Err(Error::TooLong {
                max_ms: limits.max_duration_ms,
            });
        }
    }
    let ending = demux.ending();
    let cut = u64::from(head.pre_skip).saturating_add(ending.discard);
    let samples_48k = samples_48k.saturating_sub(cut);
    if samples_48k == 0 {
        return Err(Error::Empty);
    }
    sound.finish(ending.discard / step);
    Ok(Decoded {
        samples_48k,
        packets,
        packet_bytes,
        truncated: ending.truncated,
    })
}

/// Decoded sound that is trimmed at both ends on its way.
struct Trimmed<'a> {
    each: &'a mut dyn FnMut(&[f32]),
    channels: usize,
    /// Frames still to be dropped.
    skip: u64,
    /// Frames of a second. So much of the end is held back until it is known how much of it is trimmed: a page of Ogg is
    /// about this long.
    second: usize,
    held: Vec<f32>,
}

impl Trimmed<'_> {
    fn push(&mut self, interleaved: &[f32]) {
        let frames = interleaved.len() / self.channels;
        let skipped = frames.min(usize::try_from(self.skip).unwrap_or(usize::MAX));
        self.skip -= skipped as u64;
        self.held
            .extend_from_slice(&interleaved[skipped * self.channels..]);
        // In whole seconds, so that what stays is rarely moved.
        let second = self.second * self.channels;
        if self.held.len() >= 2 * second {
            let ready = self.held.len() - second;
            (self.each)(&self.held[..ready]);
            self.held.drain(..ready);
        }
    }

    fn push_silence(&mut self, mut frames: u64) {
        let silence = vec![0.0; self.second * self.channels];
        while frames > 0 {
            let now = frames.min(self.second as u64);
            self.push(&silence[..now as usize * self.channels]);
            frames -= now;
        }
    }

    fn finish(self, discarded: u64) {
        let frames = self.held.len() / self.channels;
        let kept = frames.saturating_sub(usize::try_from(discarded).unwrap_or(usize::MAX));
        (self.each)(&self.held[..kept * self.channels]);
    }
}
