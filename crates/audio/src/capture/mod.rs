//! Better sound before it is encoded: what a recorder does to the blocks of a microphone.

mod chain;
mod gate;
mod high_pass;
mod limiter;
mod microphone;
mod noisiness;
mod suppress;

pub use chain::{CaptureChain, CaptureSettings, NoiseReduction};
pub use microphone::{MicrophoneCheck, MicrophoneLevels, MicrophoneVerdict};

/// Samples of a block: 10 ms at 48 kHz.
pub(crate) const BLOCK: usize = 480;

/// Its rate in Hz.
pub(crate) const RATE: f64 = 48_000.0;
