//! Anything that can be decoded in, the canonical file out.

use std::io::Write;
use std::num::{NonZeroU8, NonZeroU32};

use crate::analysis::{ANALYSIS_RATE, Analyser, Analysis};
use crate::decode::{Block, Decoder};
use crate::opus::encode::{Encoder, encoder_rate};
use crate::pcm::downmix;
use crate::resample::Resampler;
use crate::{Error, Input, OggOpusWriter, Options, OpusHead, Probe};

/// What became of a source that was decoded and encoded anew.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Transcoded {
    /// Play time in samples at 48 kHz: that of the source, rounded.
    pub(crate) samples_48k: u64,
    /// The source ended early or had damaged parts.
    pub(crate) truncated: bool,
    /// Damaged sound that is silent now, in ms.
    pub(crate) missing_ms: u64,
    /// What the sound is like, measured on the way.
    pub(crate) analysis: Analysis,
}

/// Decodes `input`, mixes it down, resamples it, encodes it and writes it as one Ogg Opus stream.
///
/// Memory is bounded: one block is under way at a time, and one piece of 30 s for each thread that encodes. `cancelled` is asked for every packet of the source.
pub(crate) fn transcode(
    input: &mut dyn Input,
    source: &Probe,
    output: impl Write,
    options: &Options,
    cancelled: &dyn Fn() -> bool,
) -> Result<Transcoded, Error> {
    let mut decoder = Decoder::open(input, source, &options.limits, cancelled)?;
    let mut pipeline = Pipeline::new(decoder.rate(), output, options)?;
    while let Some(block) = decoder.next_block()? {
        pipeline.push(block)?;
        if cancelled() {
            return Err(Error::OutOfTime);
        }
    }
    if decoder.frames() == 0 {
        return Err(Error::Empty);
    }
    let samples_48k = rescale(decoder.frames(), decoder.rate());
    let analysis = pipeline.finish(samples_48k)?;
    Ok(Transcoded {
        samples_48k,
        truncated: decoder.truncated(),
        missing_ms: decoder.missing_ms(),
        analysis,
    })
}

/// Everything after the decoder.
struct Pipeline<W: Write> {
    resampler: Resampler,
    encoder: Encoder,
    monitor: Monitor,
    output: Output<W>,
    mono: Vec<f32>,
    resampled: Vec<f32>,
}

impl<W: Write> Pipeline<W> {
    fn new(rate: NonZeroU32, output: W, options: &Options) -> Result<Self, Error> {
        let encoded_rate = encoder_rate(rate);
        let encoder = Encoder::new(encoded_rate, &options.encoder, options.extra_threads);
        let head = OpusHead {
            input_sample_rate: rate.get(),
            ..OpusHead::new(1, encoder.pre_skip())
        };
        Ok(Self {
            resampler: Resampler::new(rate, encoded_rate),
            encoder,
            monitor: Monitor::new(encoded_rate),
            output: Output {
                writer: OggOpusWriter::new(output, &head, options.serial)?,
                written: 0,
                max_bytes: options.limits.max_output_bytes,
            },
            mono: Vec::new(),
            resampled: Vec::new(),
        })
    }

    fn push(&mut self, block: Block<'_>) -> Result<(), Error> {
        self.mono.clear();
        downmix(block.interleaved, block.layout, &mut self.mono);
        self.resampled.clear();
        self.resampler.push(&self.mono, &mut self.resampled);
        self.monitor.push(&self.resampled);
        self.encoder.push(&self.resampled, &mut |packet, samples| {
            self.output.packet(packet, samples)
        })
    }

    fn finish(mut self, samples_48k: u64) -> Result<Analysis, Error> {
        self.resampled.clear();
        self.resampler.finish(&mut self.resampled);
        self.monitor.push(&self.resampled);
        let mut sink = |packet: &[u8], samples| self.output.packet(packet, samples);
        self.encoder.push(&self.resampled, &mut sink)?;
        self.encoder.finish(&mut sink)?;
        self.output.writer.finish(Some(samples_48k))?;
        Ok(self.monitor.finish())
    }
}

/// Measures the sound at the rate at which kept messages are measured, so that both give the same figures.
struct Monitor {
    resampler: Resampler,
    analyser: Analyser,
    samples: Vec<f32>,
}

impl Monitor {
    fn new(rate: NonZeroU32) -> Self {
        let measured = rate.min(ANALYSIS_RATE);
        Self {
            resampler: Resampler::new(rate, measured),
            analyser: Analyser::new(measured, NonZeroU8::MIN),
            samples: Vec::new(),
        }
    }

    fn push(&mut self, samples: &[f32]) {
        self.samples.clear();
        self.resampler.push(samples, &mut self.samples);
        self.analyser.push(&self.samples);
    }

    fn finish(mut self) -> Analysis {
        self.samples.clear();
        self.resampler.finish(&mut self.samples);
        self.analyser.push(&self.samples);
        self.analyser.finish()
    }
}

/// The file that is written, as long as it may grow.
struct Output<W: Write> {
    writer: OggOpusWriter<W>,
    written: u64,
    max_bytes: u64,
}

impl<W: Write> Output<W> {
    fn packet(&mut self, packet: &[u8], samples_48k: u32) -> Result<(), Error> {
        // One byte of lacing each; the headers of pages are under 2 %.
        self.written += packet.len() as u64 + 1;
        if self.written > self.max_bytes {
            return Err(Error::OutputTooLarge {
                max_bytes: self.max_bytes,
            });
        }
        Ok(self.writer.packet(packet, samples_48k)?)
    }
}

/// `frames` at `rate` in samples at 48 kHz, rounded to nearest.
fn rescale(frames: u64, rate: NonZeroU32) -> u64 {
    let rate = u64::from(rate.get());
    (2 * frames * 48_000 + rate) / (2 * rate)
}
