//! What a message sounds like: waveform, loudness, peak and where somebody speaks.

mod analyser;
mod loudness;
mod speech;
mod waveform;

pub use analyser::{Analyser, Analysis};
