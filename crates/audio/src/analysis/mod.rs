//! What a message sounds like: waveform, loudness, peak and where somebody speaks.

mod analyser;
mod loudness;
mod speech;
mod stream;
mod waveform;

pub use analyser::{Analyser, Analysis};
pub use stream::analyse_ogg;
pub(crate) use stream::{ANALYSIS_RATE, measure};
