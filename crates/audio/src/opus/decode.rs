use std::num::NonZeroU32;

use ::opus::Channels;

use crate::OpusHead;

/// Longest packet.
const MAX_PACKET_MS: u32 = 120;

/// Decodes the packets of one Opus stream to interleaved samples at a rate of choice.
#[derive(Debug)]
pub(crate) struct Decoder {
    decoder: ::opus::Decoder,
    channels: usize,
    buffer: Vec<f32>,
}

impl Decoder {
    /// A decoder to `rate` (8, 12, 16, 24 or 48 kHz) with the channels and the output gain of `head`.
    pub(crate) fn new(rate: NonZeroU32, head: &OpusHead) -> Self {
        let (kind, channels) = if head.channels == 1 {
            (Channels::Mono, 1)
        } else {
            (Channels::Stereo, 2)
        };
        let mut decoder = ::opus::Decoder::new(rate.get(), kind).expect("a rate that libopus takes");
        decoder
            .set_gain(head.output_gain.into())
            .expect("libopus takes any 16-bit gain");
        let samples = (rate.get() / 1_000 * MAX_PACKET_MS) as usize;
        Self {
            decoder,
            channels,
            buffer: vec![0.0; samples * channels],
        }
    }

    /// The sound of one packet that keeps the rules of RFC 6716. What libopus still cannot decode is concealed.
    pub(crate) fn decode(&mut self, packet: &[u8]) -> &[f32] {
        let frames = self
            .decoder
            .decode_float(packet, &mut self.buffer, false)
            .or_else(|_| {
                let frames = self.decoder.get_nb_samples(packet)?;
                self.decoder
                    .decode_float(&[], &mut self.buffer[..frames * self.channels], false)
            });
        &self.buffer[..frames.unwrap_or(0) * self.channels]
    }
}
