use std::num::NonZeroU32;

use ::opus::{Application, Bitrate, Channels, Signal};

use crate::Error;

/// Length of a frame: 20 ms, the best trade of overhead against delay and what every player handles.
const FRAMES_PER_SECOND: u32 = 50;
/// Longest packet that is asked for. 24 kbit/s VBR stays below 300 bytes; RFC 6716 allows 1,275 per frame.
const MAX_PACKET: usize = 1_275;
/// Samples at 48 kHz per frame.
const FRAME_48K: u32 = 48_000 / FRAMES_PER_SECOND;

/// How speech is encoded. Fixed beyond these: one channel, VBR, 20 ms frames, application VOIP (speech is put before
/// faithfulness), bandwidth by bit rate and source, no FEC and no DTX (what is stored is never lost on the way, and
/// their cost would be kept for ever).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncoderSettings {
    /// Mean bit rate in bit/s, 6,000 to 128,000.
    pub bitrate_bps: u32,
    /// Effort, 0 to 10.
    pub complexity: u8,
}

impl Default for EncoderSettings {
    /// 24 kbit/s: full bandwidth speech. docs/benchmarks.md has the measurement that chose the complexity.
    fn default() -> Self {
        Self {
            bitrate_bps: 24_000,
            complexity: 6,
        }
    }
}

/// The rate at which sound of the rate `source` is encoded: the lowest of the rates that Opus takes without losing
/// any of it. Opus plays at 48 kHz whatever it was given, and does less work for a narrow source.
pub(crate) fn encoder_rate(source: NonZeroU32) -> NonZeroU32 {
    let rate = [8_000, 16_000, 24_000]
        .into_iter()
        .find(|&rate| source.get() <= rate)
        .unwrap_or(48_000);
    NonZeroU32::new(rate).expect("not zero")
}

/// Turns a mono stream into Opus packets of 20 ms.
#[derive(Debug)]
pub(crate) struct Encoder {
    encoder: ::opus::Encoder,
    frame: usize,
    lookahead: usize,
    pre_skip: u16,
    waiting: Vec<f32>,
    packet: [u8; MAX_PACKET],
}

impl Encoder {
    /// An encoder of sound at one of the rates of [`encoder_rate`].
    pub(crate) fn new(rate: NonZeroU32, settings: &EncoderSettings) -> Self {
        let (encoder, lookahead) =
            configured(rate, settings).expect("libopus takes these rates and clamped settings");
        Self {
            encoder,
            frame: (rate.get() / FRAMES_PER_SECOND) as usize,
            lookahead,
            pre_skip: (lookahead as u32 * (48_000 / rate.get())) as u16,
            waiting: Vec::new(),
            packet: [0; MAX_PACKET],
        }
    }

    /// Samples at 48 kHz that come out before the first that went in.
    pub(crate) fn pre_skip(&self) -> u16 {
        self.pre_skip
    }

    /// Takes the next samples and hands every full packet, with its samples at 48 kHz, to `sink`.
    pub(crate) fn push(&mut self, mut samples: &[f32], sink: &mut Sink<'_>) -> Result<(), Error> {
        if !self.waiting.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(self.frame - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            samples = later;
            if self.waiting.len() < self.frame {
                return Ok(());
            }
            let mut waiting = std::mem::take(&mut self.waiting);
            self.encode(&waiting, sink)?;
            waiting.clear();
            self.waiting = waiting;
        }
        let mut frames = samples.chunks_exact(self.frame);
        for frame in &mut frames {
            self.encode(frame, sink)?;
        }
        self.waiting.extend_from_slice(frames.remainder());
        Ok(())
    }

    /// Ends the stream: pads with silence until all that was pushed can be heard.
    pub(crate) fn finish(mut self, sink: &mut Sink<'_>) -> Result<(), Error> {
        let mut rest = std::mem::take(&mut self.waiting);
        rest.resize((rest.len() + self.lookahead).next_multiple_of(self.frame), 0.0);
        self.push(&rest, sink)
    }

    fn encode(&mut self, frame: &[f32], sink: &mut Sink<'_>) -> Result<(), Error> {
        let len = self
            .encoder
            .encode_float(frame, &mut self.packet)
            .expect("a frame of the right length and room for any packet");
        sink(&self.packet[..len], FRAME_48K)
    }
}

/// Takes an Opus packet and its samples at 48 kHz.
pub(crate) type Sink<'s> = dyn FnMut(&[u8], u32) -> Result<(), Error> + 's;

fn configured(rate: NonZeroU32, settings: &EncoderSettings) -> ::opus::Result<(::opus::Encoder, usize)> {
    let mut encoder = ::opus::Encoder::new(rate.get(), Channels::Mono, Application::Voip)?;
    encoder.set_bitrate(Bitrate::Bits(settings.bitrate_bps.clamp(6_000, 128_000) as i32))?;
    encoder.set_vbr(true)?;
    encoder.set_vbr_constraint(false)?;
    encoder.set_complexity(settings.complexity.min(10).into())?;
    encoder.set_signal(Signal::Voice)?;
    let lookahead = encoder.get_lookahead()?.max(0) as usize;
    Ok((encoder, lookahead))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hz(rate: u32) -> NonZeroU32 {
        NonZeroU32::new(rate).expect("a rate")
    }

    fn encode(samples: usize, rate: u32, block: usize) -> (Vec<Vec<u8>>, u16) {
        let mut encoder = Encoder::new(hz(rate), &EncoderSettings::default());
        let pre_skip = encoder.pre_skip();
        let sound: Vec<f32> = (0..samples).map(|i| 0.3 * (i as f32 * 0.05).sin()).collect();
        let mut packets = Vec::new();
        let mut sink = |packet: &[u8], samples_48k: u32| {
            assert_eq!(
                crate::packet::check(packet).expect("a valid packet").samples_48k,
                samples_48k
            );
            packets.push(packet.to_vec());
            Ok(())
        };
        for block in sound.chunks(block) {
            encoder.push(block, &mut sink).expect("no output that could fail");
        }
        encoder.finish(&mut sink).expect("no output that could fail");
        (packets, pre_skip)
    }

    #[test]
    fn the_pre_skip_is_that_of_libopus_at_every_rate() {
        for rate in [8_000, 16_000, 24_000, 48_000] {
            assert_eq!(encode(1_000, rate, 1_000).1, 312, "{rate} Hz");
        }
    }

    #[test]
    fn the_packets_hold_all_that_went_in_and_no_frame_more() {
        for samples in [1, 647, 648, 649, 960, 48_000] {
            let (packets, pre_skip) = encode(samples, 48_000, 500);
            assert_eq!(
                packets.len(),
                (samples + usize::from(pre_skip)).div_ceil(960),
                "{samples} samples"
            );
        }
    }

    #[test]
    fn the_block_size_does_not_change_a_packet() {
        let (whole, _) = encode(20_000, 48_000, 20_000);
        for block in [1, 959, 960, 961, 7_000] {
            assert_eq!(encode(20_000, 48_000, block).0, whole, "blocks of {block}");
        }
    }

    #[test]
    fn narrow_sources_are_encoded_at_their_own_rate() {
        let rates = [
            (8_000, 8_000),
            (11_025, 16_000),
            (12_000, 16_000),
            (16_000, 16_000),
            (22_050, 24_000),
        ];
        for (source, rate) in rates
            .into_iter()
            .chain([(32_000, 48_000), (44_100, 48_000), (192_000, 48_000)])
        {
            assert_eq!(encoder_rate(hz(source)).get(), rate, "{source} Hz");
        }
    }
}
