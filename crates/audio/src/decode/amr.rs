//! AMR-NB and AMR-WB (3GPP TS 26.090 and 26.190): frame by frame, with the comfort noise and the concealment of the
//! standard.
//!
//! The sound comes 5 ms late (AMR-WB: 6 ms): encoders look ahead that far, files do not tell it, and no decoder takes it off.

use std::num::NonZeroU32;

use codec_core::codecs::amr::AmrCodec;
use codec_core::types::{CodecConfig, CodedFrame, FrameKind, VariableRateCodec};

use super::decoder::{Engine, EngineEnding, Format, guarded};
use super::gapless::Trim;
use crate::container::amr::FrameHead;
use crate::container::{AmrBand, Event, Packets, Track};
use crate::pcm::Layout;
use crate::sniff::open;
use crate::{Error, Input, Limits};

/// Bytes of frames that one packet may hold: over a second of the largest ones.
const MAX_PACKET: usize = 4_096;
const FRAME_MS: u64 = 20;

/// A track of AMR.
pub(super) struct Amr<'a> {
    packets: Box<dyn Packets + 'a>,
    band: AmrBand,
    codec: AmrCodec,
    /// Mode of the last speech: what a lost frame is taken for.
    mode: u8,
    /// Samples per frame.
    samples: usize,
    truncated: bool,
    missing: u64,
}

impl<'a> Amr<'a> {
    pub(super) fn open(
        input: &'a mut dyn Input,
        limits: &Limits,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(Self, Format), Error> {
        {
            let (band, mut packets) = track(&mut *input)?;
            count(band, packets.as_mut(), limits, cancelled)?;
        }
        let (band, packets) = track(input)?;
        let (config, rate) = match band {
            AmrBand::Narrow => (CodecConfig::amr_nb(), 8_000),
            AmrBand::Wide => (CodecConfig::amr_wb(), 16_000),
        };
        let codec = AmrCodec::new(&config).expect("the defaults of both codecs are valid");
        let amr = Self {
            packets,
            band,
            codec,
            mode: 0,
            samples: rate as usize / 50,
            truncated: false,
            missing: 0,
        };
        let format = Format {
            rate: NonZeroU32::new(rate).expect("not zero"),
            layout: Layout {
                channels: 1,
                lfe: None,
            },
            trim: Trim::default(),
        };
        Ok((amr, format))
    }
}

impl Engine for Amr<'_> {
    fn next(&mut self, interleaved: &mut Vec<f32>) -> Result<bool, Error> {
        interleaved.clear();
        let Some(event) = self.packets.next()? else {
            return Ok(false);
        };
        let Event::Packet { data, .. } = event else {
            return Ok(true);
        };
        for frame in frames(self.band, data) {
            let Some((head, bits)) = frame else {
                self.truncated = true;
                break;
            };
            let coded = coded(self.band, head, bits, self.mode);
            if coded.kind == FrameKind::Speech {
                self.mode = coded.mode;
            }
            let decoded = guarded(|| self.codec.decode_frame(&coded)).and_then(Result::ok);
            match decoded.filter(|samples| samples.len() == self.samples) {
                Some(samples) => interleaved.extend(samples.iter().map(|&x| f32::from(x) / 32_768.0)),
                None => {
                    interleaved.resize(interleaved.len() + self.samples, 0.0);
                    self.missing += self.samples as u64;
                }
            }
        }
        Ok(true)
    }

    fn ending(&self, _given: u64) -> EngineEnding {
        EngineEnding {
            truncated: self.truncated || self.packets.ending().truncated,
            missing: self.missing,
        }
    }
}

fn track(input: &mut dyn Input) -> Result<(AmrBand, Box<dyn Packets + '_>), Error> {
    match open(input)?.1 {
        Track::Amr(band, packets) => Ok((band, packets)),
        _ => Err(Error::corrupt("it is read as AMR once and not again")),
    }
}

/// Counts the frames, so that hours of nothing in a few kilobytes are refused before any is decoded.
fn count(
    band: AmrBand,
    packets: &mut dyn Packets,
    limits: &Limits,
    cancelled: &dyn Fn() -> bool,
) -> Result<(), Error> {
    let mut total = 0_u64;
    while let Some(event) = packets.next()? {
        if cancelled() {
            return Err(Error::OutOfTime);
        }
        if let Event::Packet { data, .. } = event {
            total += frames(band, data).flatten().count() as u64;
        }
        if total * FRAME_MS > limits.max_duration_ms {
            return Err(Error::TooLong {
                max_ms: limits.max_duration_ms,
            });
        }
    }
    Ok(())
}

/// The frames of a packet; `None`, and then nothing more, where one is damaged.
fn frames(band: AmrBand, packet: &[u8]) -> impl Iterator<Item = Option<(FrameHead, &[u8])>> {
    let mut rest = packet.get(..MAX_PACKET).unwrap_or(packet);
    std::iter::from_fn(move || {
        let (&first, after) = rest.split_first()?;
        let frame = band
            .head(first)
            .and_then(|head| Some((head, after.split_at_checked(head.size)?)));
        let Some((head, (bits, next))) = frame else {
            rest = &[];
            return Some(None);
        };
        rest = next;
        Some(Some((head, bits)))
    })
}

/// A frame as the decoder takes it.
fn coded(band: AmrBand, head: FrameHead, bits: &[u8], last_mode: u8) -> CodedFrame {
    let kind = match head.kind {
        15 => FrameKind::NoData,
        14 => FrameKind::Lost,
        kind if kind == band.sid() => FrameKind::ComfortNoise,
        _ => FrameKind::Speech,
    };
    CodedFrame {
        kind,
        mode: if kind == FrameKind::Speech {
            head.kind
        } else {
            last_mode
        },
        quality_ok: head.good,
        data: bits.to_vec(),
    }
}
