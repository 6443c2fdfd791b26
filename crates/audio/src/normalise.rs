//! Any sound file in, the canonical file out.

use std::io::{self, Write};

use crate::container::Track;
use crate::remux::remux;
use crate::sniff::open;
use crate::transcode::transcode;
use crate::{Analysis, Codec, Error, Input, Options, Probe};

/// What became of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalised {
    /// What the source was.
    pub source: Probe,
    /// Whether the sound was decoded and encoded anew.
    pub transcoded: bool,
    /// Play time in milliseconds, rounded.
    pub duration_ms: u64,
    /// Play time in samples at 48 kHz.
    pub samples_48k: u64,
    /// Channels of the result, 1 or 2.
    pub channels: u8,
    /// The source ended early or had damaged parts that were dropped.
    pub truncated: bool,
    /// Damaged sound that was replaced by silence, in milliseconds.
    pub missing_ms: u64,
    /// Size of the result.
    pub size_bytes: u64,
    /// What was measured on the way; `None` when nothing had to be decoded.
    pub analysis: Option<Analysis>,
}

/// Reads one sound file and writes it as Ogg Opus.
///
/// `cancelled` is asked every few packets; when it says true the work stops with `OutOfTime`. After an error what was
/// written to `output` is worthless.
///
/// # Errors
/// Every kind of [`Error`].
pub fn normalise(
    mut input: impl Input,
    output: impl Write,
    options: &Options,
    cancelled: &dyn Fn() -> bool,
) -> Result<Normalised, Error> {
    let mut output = Counted { output, bytes: 0 };
    let source = {
        let (source, track) = open(&mut input)?;
        match track {
            Track::Opus(mut demux) => {
                let done = remux(demux.as_mut(), &mut output, options, cancelled)?;
                return Ok(Normalised {
                    source,
                    transcoded: false,
                    duration_ms: milliseconds(done.samples_48k),
                    samples_48k: done.samples_48k,
                    channels: done.channels,
                    truncated: done.truncated,
                    missing_ms: milliseconds(done.missing_48k),
                    size_bytes: output.bytes,
                    analysis: None,
                });
            }
            Track::Other(Codec::Other(name)) => return Err(Error::Unsupported { codec: name }),
            _ => source,
        }
    };
    let done = transcode(&mut input, &source, &mut output, options, cancelled)?;
    Ok(Normalised {
        source,
        transcoded: true,
        duration_ms: milliseconds(done.samples_48k),
        samples_48k: done.samples_48k,
        channels: 1,
        truncated: done.truncated,
        missing_ms: done.missing_ms,
        size_bytes: output.bytes,
        analysis: Some(done.analysis),
    })
}

fn milliseconds(samples_48k: u64) -> u64 {
    (samples_48k + 24) / 48
}

/// Counts what is written.
struct Counted<W> {
    output: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.output.write(bytes)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}
