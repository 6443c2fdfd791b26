//! Any sound file in, the canonical file out.

use std::io::Write;

use crate::{Error, Input, Options, Probe, probe};

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
    _output: impl Write,
    _opts: &Options,
    _cancelled: &dyn Fn() -> bool,
) -> Result<Normalised, Error> {
    let _source = probe(&mut input)?;
    Err(Error::Unrecognised)
}
