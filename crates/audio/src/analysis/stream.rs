use std::num::{NonZeroU8, NonZeroU32};

use super::{Analyser, Analysis};
use crate::container::{Demux, Event, Track};
use crate::opus::decode::Decoder;
use crate::opus::packet;
use crate::sniff::open;
use crate::{Error, Input, Limits};

/// The rate at which messages are measured. Speech has next to nothing above 8 kHz, and decoding less costs
/// less; docs/benchmarks.md has what it costs in accuracy.
pub(crate) const ANALYSIS_RATE: NonZeroU32 = NonZeroU32::new(16_000).expect("not zero");
/// Samples at 48 kHz per sample at [`ANALYSIS_RATE`].
const STEP: u64 = 48_000 / ANALYSIS_RATE.get() as u64;
/// The end that is held back until it is known how much of it is trimmed: a page of Ogg is about this long.
const HELD_BACK: usize = ANALYSIS_RATE.get() as usize;

/// Measures a canonical message, or Opus in any other container, by decoding it. Pre-skip and end trim are respected.
///
/// `cancelled` is asked for every packet.
///
/// # Errors
/// `Unsupported` for anything but Opus, `TooLong`, `Empty` without sound, `OutOfTime`, and those of
/// [`probe`](crate::probe).
pub fn analyse_ogg(
    mut input: impl Input,
    limits: &Limits,
    cancelled: &dyn Fn() -> bool,
) -> Result<Analysis, Error> {
    match open(&mut input)? {
        (_, Track::Opus(mut demux)) => Ok(measure(demux.as_mut(), limits, cancelled)?.analysis),
        (source, Track::Other(_)) => Err(Error::unsupported(source.mime)),
    }
}

/// What decoding an Opus stream tells.
pub(crate) struct Measured {
    pub(crate) analysis: Analysis,
    /// Play time in samples at 48 kHz.
    pub(crate) samples_48k: u64,
    pub(crate) packets: u64,
    pub(crate) packet_bytes: u64,
    pub(crate) truncated: bool,
}

/// Decodes a stream of Opus packets and measures what is heard.
pub(crate) fn measure(
    demux: &mut dyn Demux,
    limits: &Limits,
    cancelled: &dyn Fn() -> bool,
) -> Result<Measured, Error> {
    let head = demux.head();
    let mut decoder = Decoder::new(ANALYSIS_RATE, &head);
    let channels = NonZeroU8::new(head.channels).unwrap_or(NonZeroU8::MIN);
    let mut sound = Sound {
        analyser: Analyser::new(ANALYSIS_RATE, channels),
        channels: channels.get().into(),
        skip: u64::from(head.pre_skip) / STEP,
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
                    sound.push_silence(samples / STEP);
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
    Ok(Measured {
        analysis: sound.finish(ending.discard / STEP),
        samples_48k,
        packets,
        packet_bytes,
        truncated: ending.truncated,
    })
}

/// Decoded sound on its way to the analyser, trimmed at both ends.
struct Sound {
    analyser: Analyser,
    channels: usize,
    /// Frames still to be dropped.
    skip: u64,
    held: Vec<f32>,
}

impl Sound {
    fn push(&mut self, interleaved: &[f32]) {
        let frames = interleaved.len() / self.channels;
        let skipped = frames.min(usize::try_from(self.skip).unwrap_or(usize::MAX));
        self.skip -= skipped as u64;
        self.held
            .extend_from_slice(&interleaved[skipped * self.channels..]);
        // In whole seconds, so that what stays is rarely moved.
        if self.held.len() >= 2 * HELD_BACK * self.channels {
            let ready = self.held.len() - HELD_BACK * self.channels;
            self.analyser.push(&self.held[..ready]);
            self.held.drain(..ready);
        }
    }

    fn push_silence(&mut self, mut frames: u64) {
        let silence = vec![0.0; HELD_BACK * self.channels];
        while frames > 0 {
            let now = frames.min(HELD_BACK as u64);
            self.push(&silence[..now as usize * self.channels]);
            frames -= now;
        }
    }

    fn finish(mut self, discarded: u64) -> Analysis {
        let frames = self.held.len() / self.channels;
        let kept = frames.saturating_sub(usize::try_from(discarded).unwrap_or(usize::MAX));
        self.analyser.push(&self.held[..kept * self.channels]);
        self.analyser.finish()
    }
}
