use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};

use symphonia::core::audio::{Channels, Position};
use symphonia::core::codecs::audio::AudioDecoder;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::FormatReader;
use symphonia::core::packet::Packet;

use super::open::{Opened, open};
use crate::pcm::{Layout, sanitise};
use crate::{Error, Input, Limits, Probe};

/// Packets in a row that may be beyond repair before the rest is given up.
const MAX_BAD_PACKETS: u32 = 500;

/// Decodes the sound track of a file block by block, in bounded memory.
///
/// What encoders put before and after the sound (priming, padding) is trimmed where the file tells it. A damaged
/// packet becomes silence of the same length; a file that ends early gives what it holds.
pub(crate) struct Decoder<'a> {
    format: Box<dyn FormatReader + 'a>,
    codec: Box<dyn AudioDecoder>,
    track: u32,
    rate: NonZeroU32,
    layout: Layout,
    interleaved: Vec<f32>,
    /// Frames still to be dropped at the start.
    skip: u64,
    /// Frames still to come, where the file tells it.
    remaining: Option<u64>,
    /// Frames that the file promised, where it can be trusted to know.
    promised: Option<u64>,
    /// Frames that may come before the sound is too long.
    allowance: u64,
    max_duration_ms: u64,
    given: u64,
    missing: u64,
    bad_in_a_row: u32,
    good_packets: u64,
    /// What was wrong with the first packet that could not be decoded.
    failure: Option<Error>,
    truncated: bool,
    ended: bool,
}

/// Decoded sound.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'b> {
    /// Whole frames, channel by channel, finite and within full scale.
    pub(crate) interleaved: &'b [f32],
    /// How they are laid out; the same for all blocks of a stream.
    pub(crate) layout: Layout,
}

impl<'a> Decoder<'a> {
    /// Opens the sound track that `source` names. `cancelled` is asked while the packets are counted.
    pub(crate) fn open(
        input: &'a mut dyn Input,
        source: &Probe,
        limits: &Limits,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, Error> {
        let Opened {
            format,
            codec,
            track,
            rate,
            layout,
            trim,
            promised,
            truncated,
        } = guarded(|| open(input, source, limits, cancelled))
            .unwrap_or_else(|| Err(Error::corrupt("it cannot be opened")))?;
        Ok(Self {
            format,
            codec,
            track,
            rate,
            layout,
            interleaved: Vec::new(),
            skip: trim.skip,
            remaining: trim.frames,
            promised,
            allowance: limits.max_duration_ms.saturating_mul(rate.get().into()) / 1_000,
            max_duration_ms: limits.max_duration_ms,
            given: 0,
            missing: 0,
            bad_in_a_row: 0,
            good_packets: 0,
            failure: None,
            truncated,
            ended: false,
        })
    }

    /// Sample rate in Hz.
    pub(crate) fn rate(&self) -> NonZeroU32 {
        self.rate
    }

    /// How the channels are laid out.
    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// Frames that were given so far.
    pub(crate) fn frames(&self) -> u64 {
        self.given
    }

    /// Whether the file ended early or had parts that could not be decoded. Final after the last block.
    pub(crate) fn truncated(&self) -> bool {
        self.truncated || self.missing > 0
    }

    /// Time that was lost to damage and is silent now, in ms.
    pub(crate) fn missing_ms(&self) -> u64 {
        self.missing * 1_000 / u64::from(self.rate.get())
    }

    /// The next block, or `None` at the end. A block may be empty.
    pub(crate) fn next_block(&mut self) -> Result<Option<Block<'_>>, Error> {
        if self.ended || self.remaining == Some(0) {
            return Ok(None);
        }
        // What was decoded before a panic stands.
        let packet = guarded(|| self.next_packet()).unwrap_or_else(|| {
            self.truncated = true;
            Ok(None)
        })?;
        let more = packet.is_some_and(|packet| self.decode(&packet));
        if !more {
            self.ended = true;
            self.truncated |= self.promised.is_some_and(|promised| self.given < promised);
            return match self.failure.take() {
                // Nothing but damage is no message.
                Some(failure) if self.good_packets == 0 => Err(failure),
                _ => Ok(None),
            };
        }
        self.trim();
        self.given += (self.interleaved.len() / self.layout.channels) as u64;
        if self.given > self.allowance {
            return Err(Error::TooLong {
                max_ms: self.max_duration_ms,
            });
        }
        Ok(Some(Block {
            interleaved: &self.interleaved,
            layout: self.layout,
        }))
    }

    /// Fills `interleaved` with the sound of a packet, or with silence where it is damaged; false when the stream
    /// becomes another one.
    fn decode(&mut self, packet: &Packet) -> bool {
        self.interleaved.clear();
        let decoded = guarded(|| match self.codec.decode(packet) {
            Ok(buffer) => {
                let spec = buffer.spec();
                let same = spec.rate() == self.rate.get() && spec.channels().count() == self.layout.channels;
                if same {
                    buffer.copy_to_vec_interleaved(&mut self.interleaved);
                    sanitise(&mut self.interleaved);
                }
                Ok(same)
            }
            Err(error) => Err(error),
        });
        match decoded.unwrap_or(Err(SymphoniaError::DecodeError("it breaks the decoder"))) {
            Ok(true) => {
                self.good_packets += 1;
                self.bad_in_a_row = 0;
                true
            }
            // A stream that changes its format half way is two recordings; the first one is the message.
            Ok(false) | Err(SymphoniaError::ResetRequired) => {
                self.truncated = true;
                false
            }
            // AAC calls damage "unsupported" when it looks like a tool of another profile.
            Err(error) => {
                self.codec.reset();
                let frames = packet.dur.get().min(MAX_LOST_FRAMES);
                self.interleaved.clear();
                self.interleaved
                    .resize(frames as usize * self.layout.channels, 0.0);
                self.missing += frames;
                self.bad_in_a_row += 1;
                self.failure.get_or_insert_with(|| match error {
                    SymphoniaError::Unsupported(what) => Error::unsupported(what),
                    error => Error::corrupt(error.to_string()),
                });
                true
            }
        }
    }

    /// The next packet of the sound track.
    fn next_packet(&mut self) -> Result<Option<Packet>, Error> {
        while self.bad_in_a_row < MAX_BAD_PACKETS {
            match self.format.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track => return Ok(Some(packet)),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(SymphoniaError::IoError(error)) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
                    return Err(error.into());
                }
                // Live WebM, WAV from a pipe and cut files end like this; whether something is missing is told by
                // `promised`, or here when a packet was announced.
                Err(SymphoniaError::IoError(_)) => {
                    self.truncated |= self.promised.is_some();
                    return Ok(None);
                }
                // MPEG audio and ADTS find their way back by themselves, so ask again.
                Err(SymphoniaError::DecodeError(_)) => {
                    self.truncated = true;
                    self.bad_in_a_row += 1;
                }
                // ResetRequired is a chained stream: another recording begins.
                Err(_) => {
                    self.truncated = true;
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }

    fn trim(&mut self) {
        let channels = self.layout.channels;
        if self.skip > 0 {
            let frames =
                (self.interleaved.len() / channels).min(usize::try_from(self.skip).unwrap_or(usize::MAX));
            self.interleaved.drain(..frames * channels);
            self.skip -= frames as u64;
        }
        if let Some(remaining) = &mut self.remaining {
            let frames =
                (self.interleaved.len() / channels).min(usize::try_from(*remaining).unwrap_or(usize::MAX));
            self.interleaved.truncate(frames * channels);
            *remaining -= frames as u64;
        }
    }
}

/// The last belt: symphonia is written to return errors, but its arithmetic is not proved on every hostile file.
/// `None` after a panic; a demuxer is not used again then, and a decoder is reset.
fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// Longest packet of any codec here, so that a claimed duration makes no hours of silence.
const MAX_LOST_FRAMES: u64 = 65_536;

/// The layout of symphonia's channels.
pub(super) fn layout(channels: &Channels) -> Layout {
    let lfe = match channels {
        // A file that does not say which channels it has gets the usual positions in order; under six of them are
        // more likely microphones than a set of loudspeakers with a subwoofer.
        Channels::Positioned(positions) if channels.count() >= 6 && positions.contains(Position::LFE1) => {
            channels.get_canonical_index_for_positioned_channel(Position::LFE1)
        }
        _ => None,
    };
    Layout {
        channels: channels.count(),
        lfe,
    }
}
