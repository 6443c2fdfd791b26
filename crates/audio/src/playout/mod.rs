//! Playout: steps of a jitter buffer become an even stream of samples.

mod decoder;
mod noise;
mod queue;
mod tempo;
mod timescale;

pub use decoder::{PlayoutDecoder, PlayoutStats, PlayoutStep};
pub use tempo::Tempo;
