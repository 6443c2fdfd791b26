use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::amr::Amr;
use super::gapless::Trim;
use super::library::Library;
use super::multistream::Multistream;
use crate::pcm::Layout;
use crate::{Codec, Error, Input, Limits, Probe};

/// Decodes the sound track of a file block by block, in bounded memory.
///
/// What encoders put before and after the sound (priming, padding) is trimmed where the file tells it. A damaged
/// packet becomes silence of the same length; a file that ends early gives what it holds.
pub(crate) struct Decoder<'a> {
    engine: Box<dyn Engine + 'a>,
    format: Format,
    interleaved: Vec<f32>,
    /// Frames still to be dropped at the start.
    skip: u64,
    /// Frames still to come, where the file tells it.
    remaining: Option<u64>,
    /// Frames that may come before the sound is too long.
    allowance: u64,
    max_duration_ms: u64,
    given: u64,
    ended: bool,
}

/// What turns the packets of a file into samples.
pub(super) trait Engine {
    /// Replaces `interleaved` by the sound of the next packet, perhaps none; false at the end.
    ///
    /// # Errors
    /// When reading fails, or when there was nothing but damage.
    fn next(&mut self, interleaved: &mut Vec<f32>) -> Result<bool, Error>;

    /// What is known at the end only; `given` frames were kept.
    fn ending(&self, given: u64) -> EngineEnding;
}

/// How a file ended.
pub(super) struct EngineEnding {
    /// It ended early, or parts of it were dropped.
    pub(super) truncated: bool,
    /// Frames of silence that stand for damaged sound.
    pub(super) missing: u64,
}

/// What all blocks of a file have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    pub(super) rate: NonZeroU32,
    pub(super) layout: Layout,
    pub(super) trim: Trim,
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
        let opened = guarded(|| -> Result<(Box<dyn Engine + 'a>, Format), Error> {
            Ok(match source.codec {
                Codec::AmrNb | Codec::AmrWb => boxed(Amr::open(input, limits, cancelled)?),
                Codec::Opus => boxed(Multistream::open(input, limits, cancelled)?),
                Codec::Silk => silk(input, limits, cancelled)?,
                _ => boxed(Library::open(input, source, limits, cancelled)?),
            })
        });
        let (engine, format) = opened.unwrap_or_else(|| Err(Error::corrupt("it cannot be opened")))?;
        Ok(Self {
            engine,
            format,
            interleaved: Vec::new(),
            skip: format.trim.skip,
            remaining: format.trim.frames,
            allowance: limits.max_duration_ms.saturating_mul(format.rate.get().into()) / 1_000,
            max_duration_ms: limits.max_duration_ms,
            given: 0,
            ended: false,
        })
    }

    /// Sample rate in Hz.
    pub(crate) fn rate(&self) -> NonZeroU32 {
        self.format.rate
    }

    /// How the channels are laid out.
    pub(crate) fn layout(&self) -> Layout {
        self.format.layout
    }

    /// Frames that were given so far.
    pub(crate) fn frames(&self) -> u64 {
        self.given
    }

    /// Whether the file ended early or had parts that could not be decoded. Final after the last block.
    pub(crate) fn truncated(&self) -> bool {
        let ending = self.engine.ending(self.given);
        ending.truncated || ending.missing > 0
    }

    /// Time that was lost to damage and is silent now, in ms.
    pub(crate) fn missing_ms(&self) -> u64 {
        self.engine.ending(self.given).missing * 1_000 / u64::from(self.format.rate.get())
    }

    /// The next block, or `None` at the end. A block may be empty.
    pub(crate) fn next_block(&mut self) -> Result<Option<Block<'_>>, Error> {
        if self.ended || self.remaining == Some(0) {
            return Ok(None);
        }
        if !self.engine.next(&mut self.interleaved)? {
            self.ended = true;
            return Ok(None);
        }
        self.trim();
        self.given += (self.interleaved.len() / self.format.layout.channels) as u64;
        if self.given > self.allowance {
            return Err(Error::TooLong {
                max_ms: self.max_duration_ms,
            });
        }
        Ok(Some(Block {
            interleaved: &self.interleaved,
            layout: self.format.layout,
        }))
    }

    fn trim(&mut self) {
        let channels = self.format.layout.channels;
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

#[cfg(feature = "silk")]
fn silk<'a>(
    input: &'a mut dyn Input,
    limits: &Limits,
    cancelled: &dyn Fn() -> bool,
) -> Result<(Box<dyn Engine + 'a>, Format), Error> {
    Ok(boxed(super::silk::Silk::open(input, limits, cancelled)?))
}

#[cfg(not(feature = "silk"))]
fn silk<'a>(
    _: &'a mut dyn Input,
    _: &Limits,
    _: &dyn Fn() -> bool,
) -> Result<(Box<dyn Engine + 'a>, Format), Error> {
    Err(Error::unsupported("SILK v3"))
}

fn boxed<'a>((engine, format): (impl Engine + 'a, Format)) -> (Box<dyn Engine + 'a>, Format) {
    (Box::new(engine), format)
}

/// The last belt: the libraries are written to return errors, but their arithmetic is not proved on every hostile file.
/// `None` after a panic; a demuxer is not used again then, and a decoder is reset.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}
