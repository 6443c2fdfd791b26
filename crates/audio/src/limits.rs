//! How much work one file may cause.

use crate::EncoderSettings;

/// Bounds on one file. They hold for what is found, not for what a header claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest sound, in milliseconds of play time.
    pub max_duration_ms: u64,
    /// Largest canonical file, in bytes.
    pub max_output_bytes: u64,
    /// Most channels of a source that is decoded.
    pub max_channels: u8,
    /// Highest sample rate of a source that is decoded, in Hz.
    pub max_sample_rate: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_duration_ms: 2 * 60 * 60 * 1000,
            max_output_bytes: 256 << 20,
            max_channels: 8,
            max_sample_rate: 192_000,
        }
    }
}

impl Limits {
    /// The longest sound in samples at 48 kHz.
    pub(crate) fn max_samples_48k(&self) -> u64 {
        self.max_duration_ms.saturating_mul(48)
    }
}

/// How to make the canonical file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Bounds on the work.
    pub limits: Limits,
    /// Serial number of the Ogg stream. Any value will do; it is an argument so that the same input gives the same
    /// bytes.
    pub serial: u32,
    /// How sound that is not kept as it is gets encoded.
    pub encoder: EncoderSettings,
    /// Threads besides the caller's that may help to encode sound of more than 30 s. The result is the same, byte for byte, with
    /// any number of them. Each holds 6 MB.
    pub extra_threads: usize,
}
